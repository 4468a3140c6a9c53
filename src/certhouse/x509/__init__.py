"""Certificates, requests, keys and chains: reading, making, checking. DER in, frozen facts out; no I/O, no clock.

Everything that is read is hostile until it has been read whole: ``read_*`` raises ``Unreadable`` and nothing else.
"""
