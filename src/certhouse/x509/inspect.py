"""What a file holds, told without trusting any of it."""

import re
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp

from certhouse.errors import Fault, Refused, Unreadable
from certhouse.x509.describe import describe_extensions, printable
from certhouse.x509.facts import CertificateFacts, algorithm_name
from certhouse.x509.keys import key_id
from certhouse.x509.material import read_material
from certhouse.x509.request import RequestFacts

MOST_REVOKED = 100
"""Entries of a CRL that are shown; their number is told in full."""

_CRL_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)


def inspect(data: bytes, password: bytes | None = None) -> dict[str, Any]:
    """Gives what there is, ready for JSON. Raises Unreadable for what is of no known kind."""
    for attempt in (_crl, _ocsp):
        found = attempt(data)
        if found is not None:
            return found
    material = read_material([data], password=password, max_bytes=16 << 20, max_certificates=2000)
    if material.faults and not (material.certificates or material.requests or material.private_keys):
        raise Unreadable(material.faults)
    return {
        "certificates": [certificate_view(facts) for facts in material.certificates],
        "requests": [_request_view(request) for request in material.requests],
        "private_keys": [
            {"key_id": key_id(key.public_key()), "key_length": key.key_size, "note": "a private key; it is not shown"}
            for key in material.private_keys
        ],
        "faults": [{"code": fault.code, "detail": fault.detail} for fault in material.faults],
    }


def certificate_view(facts: CertificateFacts) -> dict[str, Any]:
    return {
        "id": facts.fingerprint,
        "common_name": printable(facts.common_name),
        "subject": printable(facts.subject),
        "issuer": printable(facts.issuer),
        "serial": facts.serial,
        "not_before": facts.not_before.isoformat(),
        "not_after": facts.not_after.isoformat(),
        "type": "self-signed" if facts.self_signed else "ca-signed",
        "ca": facts.is_ca,
        "path_length": facts.path_length,
        "key_type": facts.key_type,
        "key_length": facts.key_length,
        "key_id": facts.key_id,
        "signature_algorithm": facts.signature_algorithm,
        "sans": [printable(str(san)) for san in facts.sans],
        "fingerprints": facts.fingerprints(),
        "extensions": [
            {"oid": item.oid, "name": item.name, "critical": item.critical, "value": item.value}
            for item in describe_extensions(facts)
        ],
    }


def _request_view(request: RequestFacts) -> dict[str, Any]:
    return {
        "common_name": printable(request.common_name),
        "subject": printable(request.subject),
        "sans": [printable(str(san)) for san in request.sans],
        "key_type": request.key_type,
        "key_length": request.key_length,
        "key_id": request.key_id,
        "key_usage": sorted(request.key_usage or ()),
        "extended_key_usage": sorted(request.extended_key_usage or ()),
        "signature_algorithm": request.signature_algorithm,
        "signature_valid": request.signature_valid,
    }


def _loaded(load: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return load(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _crl(data: bytes) -> dict[str, Any] | None:
    block = _CRL_BLOCK.search(data)
    crl = _loaded(x509.load_pem_x509_crl, block[0]) if block else _loaded(x509.load_der_x509_crl, data)
    if crl is None:
        return None
    try:
        revoked = [
            {"serial": f"{item.serial_number:x}", "revoked_at": item.revocation_date_utc.isoformat()}
            for _, item in zip(range(MOST_REVOKED), crl, strict=False)
        ]
        return {
            "crl": {
                "issuer": printable(crl.issuer.rfc4514_string()),
                "this_update": crl.last_update_utc.isoformat(),
                "next_update": crl.next_update_utc.isoformat() if crl.next_update_utc else None,
                "signature_algorithm": algorithm_name(crl.signature_algorithm_oid),
                "revoked_count": len(crl),
                "revoked": revoked,
            }
        }
    except (ValueError, TypeError) as error:
        raise Unreadable(Fault(code="crl-unreadable", detail=f"the CRL cannot be read: {error}")) from error


def _ocsp(data: bytes) -> dict[str, Any] | None:
    response = _loaded(ocsp.load_der_ocsp_response, data)
    if response is None:
        return None
    view: dict[str, Any] = {"response_status": response.response_status.name.lower()}
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return {"ocsp_response": view}
    try:
        view["signature_algorithm"] = algorithm_name(response.signature_algorithm_oid)
        view["produced_at"] = response.produced_at_utc.isoformat()
        view["responses"] = [
            {
                "serial": f"{single.serial_number:x}",
                "status": single.certificate_status.name.lower(),
                "this_update": single.this_update_utc.isoformat(),
                "next_update": single.next_update_utc.isoformat() if single.next_update_utc else None,
            }
            for single in response.responses
        ]
        view["note"] = "nothing of this is verified; `certhouse verify ocsp` does that"
    except (ValueError, TypeError, Refused) as error:
        raise Unreadable(Fault(code="ocsp-unreadable", detail=f"the OCSP response cannot be read: {error}")) from error
    return {"ocsp_response": view}
