"""Asks a port for the certificate it shows, without trusting it: TLS at once, or after a protocol's own request."""

import re
import socket
import ssl
import struct

from certhouse.adapters.control.bindings import Check
from certhouse.model.node import Probe
from certhouse.vocabulary import KeyType, ServiceName
from certhouse.x509.facts import fingerprint_of

SECONDS = 5.0
_MOST = 65_536


def probe(service: ServiceName, check: Check, key_type: KeyType | None) -> Probe:
    """Gives what the port shows. A service with RSA and EC certificates side by side is asked for ``key_type``'s."""
    try:
        shown = served_certificate(check, key_type)
    except (OSError, ValueError, EOFError) as error:
        text = " ".join(str(error).split())[:200] or type(error).__name__
        return Probe(service=service, purpose=check.purpose, address=check.address, error=text)
    return Probe(service=service, purpose=check.purpose, address=check.address, fingerprint=fingerprint_of(shown))


def served_certificate(check: Check, key_type: KeyType | None) -> bytes:
    """Gives the leaf (DER) that the port shows. Raises OSError, ValueError or EOFError."""
    host, port = check.host_port
    with socket.create_connection((host, port), timeout=SECONDS) as connection:
        connection.settimeout(SECONDS)
        _before_tls(connection, check)
        with _context(key_type).wrap_socket(connection, server_hostname=check.server_name or None) as tls:
            der = tls.getpeercert(binary_form=True)
    if not der:
        raise ValueError("no certificate was shown")
    return der


def _context(key_type: KeyType | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Only TLS 1.2 names the certificate's type in the cipher suite, so that a server with two can be asked for one.
    if key_type in (KeyType.RSA, KeyType.EC):
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aECDSA" if key_type is KeyType.EC else "aRSA:@SECLEVEL=1")
    return context


def _before_tls(connection: socket.socket, check: Check) -> None:
    match check.protocol:
        case "postgresql":
            connection.sendall(struct.pack("!ii", 8, 80877103))
            if connection.recv(1) != b"S":
                raise ValueError("the server offers no TLS")
        case "xmpp-client" | "xmpp-server":
            kind = check.protocol.removeprefix("xmpp-")
            domain = re.sub(r"[^A-Za-z0-9.-]", "", check.server_name or check.host_port[0])
            connection.sendall(
                f"<?xml version='1.0'?><stream:stream to='{domain}' version='1.0' xmlns='jabber:{kind}' "
                "xmlns:stream='http://etherx.jabber.org/streams'>".encode()
            )
            _read_until(connection, b"</stream:features>")
            connection.sendall(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
            if b"<proceed" not in _read_until(connection, b">"):
                raise ValueError("the server refuses STARTTLS")
        case "smtp":
            _read_until(connection, b"\n")
            connection.sendall(b"EHLO certhouse\r\n")
            _read_until(connection, b"250 ")
            connection.sendall(b"STARTTLS\r\n")
            if b"220" not in _read_until(connection, b"220"):
                raise ValueError("the server refuses STARTTLS")
        case _:
            return


def _read_until(connection: socket.socket, mark: bytes) -> bytes:
    received = b""
    while mark not in received:
        part = connection.recv(4096)
        if not part or len(received) > _MOST:
            raise EOFError("the server closed the connection, or said too much, before TLS")
        received += part
    return received
