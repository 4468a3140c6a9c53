"""Adapters: the ports, implemented with databases, files, sockets and clocks."""
