"""A node's membership on disk, and how it comes to it: ``DATA/node/{member.json, node.key, node.pem, ca.pem}``."""

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import aiohttp
import msgspec

from certhouse.adapters.vault.atomic import replace_file
from certhouse.errors import Fault, Misconfigured, Refused, Unavailable
from certhouse.vocabulary import NodeName, Role
from certhouse.wire.joining import JoinRequest, JoinToken, Membership, RenewRequest, decode_join
from certhouse.x509.export import to_pem
from certhouse.x509.facts import fingerprint_of, read_certificate
from certhouse.x509.node_ca import make_node_request

_LARGEST_ANSWER = 65_536
_LIMIT = aiohttp.ClientTimeout(total=30)


class Member(msgspec.Struct, frozen=True, kw_only=True):
    name: NodeName
    role: Role
    gateway: str


@dataclass(frozen=True, slots=True)
class MemberFiles:
    """Where a membership lies."""

    folder: Path

    def member(self) -> Member | None:
        """Gives who this node is, or None if it has not joined. Raises Misconfigured for a damaged file."""
        try:
            return msgspec.json.decode((self.folder / "member.json").read_bytes(), type=Member)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise Misconfigured(f"{self.folder / 'member.json'} is damaged; join the node again") from error

    def keep(self, member: Member, key: bytes, membership: Membership) -> None:
        """Writes a membership; ``member.json`` comes last, so that it stands for the rest being there."""
        replace_file(self.folder / "ca.pem", to_pem(membership.ca))
        replace_file(self.folder / "node.pem", key + to_pem(membership.certificate))
        replace_file(self.folder / "member.json", msgspec.json.encode(member))

    def tls(self) -> ssl.SSLContext:
        """Gives mutual TLS 1.3 towards the gateway, which its CA alone vouches for."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_verify_locations(self.folder / "ca.pem")
        context.load_cert_chain(self.folder / "node.pem")
        # The gateway may be behind any address: it is who its CA says, and that CA signs nothing else with serverAuth.
        context.check_hostname = False
        return context

    def renewal_due(self, now: datetime) -> bool:
        """Says whether two thirds of the certificate's life have passed."""
        from cryptography.x509 import load_pem_x509_certificates

        certificate = load_pem_x509_certificates((self.folder / "node.pem").read_bytes())[0]
        start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        return now > start + (end - start) * 2 / 3


async def join(token: JoinToken, name: NodeName, domain: str, seal_key: bytes, files: MemberFiles) -> Member:
    """Joins the cluster. Nothing secret is sent before the gateway has shown the CA that the token pins."""
    base = f"https://{token.gateway}"
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname = False
    anything.verify_mode = ssl.CERT_NONE
    ca = await _ask("GET", f"{base}/v1/ca", anything)
    if fingerprint_of(ca) != token.ca:
        raise Refused(
            Fault(
                code="gateway-ca",
                detail="the gateway is not the one that the token was made for",
                found=fingerprint_of(ca),
                expected=token.ca,
                remedy="check the address, and that nobody stands in between",
            )
        )
    read_certificate(ca)
    pinned = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pinned.minimum_version = ssl.TLSVersion.TLSv1_3
    pinned.check_hostname = False
    pinned.load_verify_locations(cadata=to_pem(ca).decode())
    key, csr = make_node_request(name)
    request = JoinRequest(secret=token.secret, name=name, domain=domain, csr=csr, seal_key=seal_key)
    answer = await _ask("POST", f"{base}/v1/join", pinned, msgspec.json.encode(request))
    membership = decode_join(answer, Membership)
    if not isinstance(membership, Membership):
        raise Unavailable("the gateway gave another answer than was asked for")
    member = Member(name=membership.name, role=membership.role, gateway=token.gateway)
    files.keep(member, key, membership)
    return member


async def renew(member: Member, files: MemberFiles) -> None:
    """Fetches the next certificate, with a new key."""
    key, csr = make_node_request(member.name)
    url = f"https://{member.gateway}/v1/renew"
    answer = await _ask("POST", url, files.tls(), msgspec.json.encode(RenewRequest(csr=csr)))
    membership = decode_join(answer, Membership)
    if isinstance(membership, Membership):
        files.keep(member, key, membership)


async def _ask(method: str, url: str, tls: ssl.SSLContext, body: bytes | None = None) -> bytes:
    try:
        async with (
            aiohttp.ClientSession(timeout=_LIMIT) as session,
            session.request(method, url, data=body, ssl=tls, allow_redirects=False) as response,
        ):
            answer = await response.content.read(_LARGEST_ANSWER)
            if response.status != 200:
                raise Refused(
                    Fault(code="gateway", detail=f"the gateway refused: {answer[:300].decode('utf-8', 'replace')}")
                )
            return answer
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(f"the gateway does not answer: {type(error).__name__}") from error
