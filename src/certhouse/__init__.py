"""Certhouse: the certificates of a cluster, managed."""

__version__ = "0.1.0"
