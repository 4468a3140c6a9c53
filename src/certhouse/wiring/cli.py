"""What the command line does on its own machine, without a server."""

import os
from pathlib import Path

from certhouse.adapters.vault import FileKeys
from certhouse.errors import Fault, Forbidden, NotFound, Refused
from certhouse.vocabulary import NodeName, PurposeName
from certhouse.x509.export import to_pkcs12
from certhouse.x509.keys import key_id
from certhouse.x509.material import read_material

SHORTEST_PASSWORD = 8


def export_identity(data: Path, purpose: str, password: str) -> bytes:
    """Gives an identity with its key as PKCS#12: to the data directory's owner, on the node, under a password.

    Raises Forbidden, NotFound, Refused.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise Refused(
            Fault(
                code="password",
                detail=f"the password needs {SHORTEST_PASSWORD} characters or more",
                remedy="choose a longer one",
            )
        )
    try:
        owner = data.stat().st_uid
    except FileNotFoundError:
        raise NotFound(f"there is no data directory {data}; name it with CERTHOUSE_DATA") from None
    if os.geteuid() != owner:
        raise Forbidden("only the owner of the data directory may take a key out of it")
    folder = data / "live" / purpose
    if "/" in purpose or not (folder / "fullchain.pem").is_file():
        raise NotFound(f"this node has no identity {purpose}")
    certificates = read_material([(folder / "fullchain.pem").read_bytes()]).certificates
    keys = FileKeys(data, NodeName(""))
    key = keys.load(PurposeName(purpose), certificates[0].key_id)
    if key_id(key.public_key()) != certificates[0].key_id:
        raise NotFound(f"the key of {purpose} is not on this node")
    return to_pkcs12(key, certificates[0].der, [facts.der for facts in certificates[1:]], password.encode(), purpose)
