"""Signatures on certificates: who made them, and with which hash."""

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

BROKEN_HASHES = frozenset({"md2", "md4", "md5"})


def verify_signature(certificate: x509.Certificate, key: object) -> None:
    """Checks the certificate's signature with a public key; says nothing of names.

    Raises InvalidSignature, or UnsupportedAlgorithm, ValueError, TypeError for what cannot be checked.
    """
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    match key:
        case rsa.RSAPublicKey():
            parameters = certificate.signature_algorithm_parameters
            if not isinstance(parameters, padding.PKCS1v15 | padding.PSS):
                raise UnsupportedAlgorithm("not an RSA signature")
            algorithm = certificate.signature_hash_algorithm
            if algorithm is None:
                raise UnsupportedAlgorithm("no hash")
            key.verify(signature, signed, parameters, algorithm)
        case ec.EllipticCurvePublicKey():
            parameters = certificate.signature_algorithm_parameters
            if not isinstance(parameters, ec.ECDSA):
                raise UnsupportedAlgorithm("not an ECDSA signature")
            key.verify(signature, signed, parameters)
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            if certificate.signature_hash_algorithm is not None:
                raise UnsupportedAlgorithm("not an EdDSA signature")
            key.verify(signature, signed)
        case dsa.DSAPublicKey():
            algorithm = certificate.signature_hash_algorithm
            if algorithm is None or "dsa" not in certificate.signature_algorithm_oid._name.lower():
                raise UnsupportedAlgorithm("not a DSA signature")
            key.verify(signature, signed, algorithm)
        case _:
            raise UnsupportedAlgorithm("a key of this type signs no certificates")


def hash_name(certificate: x509.Certificate) -> str:
    """Gives the signature's hash in lower case (``sha256``), or an empty text where it has none of its own."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "unknown"
    return algorithm.name.lower() if algorithm is not None else ""
