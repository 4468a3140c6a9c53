"""What a sealed key is bound to."""

from certhouse.vocabulary import KeyId, NodeName, PurposeName


def seal_info(node: NodeName, purpose: PurposeName, key_id: KeyId) -> bytes:
    """Gives HPKE's info (RFC 9180 section 5.1): a key sealed for one node, purpose and key opens for no other."""
    return b"\0".join((b"certhouse key v1", node.encode(), purpose.encode(), key_id.encode()))
