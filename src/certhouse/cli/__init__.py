"""The command line: noun and verb, data on standard output, messages on standard error."""

from certhouse.cli.root import main

__all__ = ["main"]
