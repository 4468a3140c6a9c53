"""Keys and files of a node: what services read, switched as a whole."""

from certhouse.adapters.vault.files import FileVault
from certhouse.adapters.vault.keys import FileKeys

__all__ = ["FileKeys", "FileVault"]
