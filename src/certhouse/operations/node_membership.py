"""Nodes join with an invitation and renew their certificates; the node CA vouches for them."""

import hashlib
import re
from dataclasses import replace
from datetime import datetime, timedelta

from certhouse.errors import Fault, Refused, Unauthenticated
from certhouse.model.account import AuditRecord
from certhouse.model.node import Node
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Clock, Ids
from certhouse.vocabulary import NodeState, Role
from certhouse.wire.joining import JoinRequest, JoinToken, Membership, RenewRequest
from certhouse.x509.facts import fingerprint_of
from certhouse.x509.node_ca import issue_gateway_certificate, issue_node_certificate, make_node_ca

INVITATION_LIFE = timedelta(hours=1)
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def node_ca(tx: Transaction, *, ids: Ids, now: datetime) -> tuple[bytes, bytes]:
    """Gives the CA's key (PEM) and certificate (DER), made at the first call."""
    key, certificate = tx.secrets.get("node-ca-key"), tx.secrets.get("node-ca-certificate")
    if key is None or certificate is None:
        key, certificate = make_node_ca(serial=ids.serial(), now=now)
        tx.secrets.set("node-ca-key", key)
        tx.secrets.set("node-ca-certificate", certificate)
    return key, certificate


def gateway_certificate(hosts: list[str], *, store: Store, clock: Clock, ids: Ids) -> tuple[bytes, bytes, bytes]:
    """Gives a fresh key (PEM) and certificate (DER) for the gateway, and the CA's certificate (DER)."""
    with store.begin() as tx:
        ca_key, ca = node_ca(tx, ids=ids, now=clock.now())
    key, certificate = issue_gateway_certificate(ca_key, ca, hosts=hosts, serial=ids.serial(), now=clock.now())
    return key, certificate, ca


def invite_node(role: Role, gateway: str, *, store: Store, clock: Clock, ids: Ids, actor: str) -> JoinToken:
    """Gives a token that lets one node join within the hour. Only its hash is kept."""
    now, secret = clock.now(), ids.secret()
    with store.begin() as tx:
        _, ca = node_ca(tx, ids=ids, now=now)
        tx.nodes.add_invitation(_hash(secret), role, now + INVITATION_LIFE)
        tx.audit.add(AuditRecord(at=now, actor=actor, action="invite-node", target=role, outcome="done"))
    return JoinToken(gateway=gateway, ca=fingerprint_of(ca), secret=secret)


def join_node(request: JoinRequest, *, store: Store, clock: Clock, ids: Ids) -> Membership:
    """Takes a node in. The first one is the publisher. Raises Unauthenticated, Refused."""
    now = clock.now()
    if not _NAME.fullmatch(request.name) or len(request.seal_key) != 32:
        raise Refused(
            Fault(
                code="node-name",
                detail="the node's name does not fit",
                found=request.name[:64],
                expected="a host name in lower case",
            )
        )
    with store.begin() as tx:
        role = tx.nodes.take_invitation(_hash(request.secret), now)
        if role is None:
            taken = None
        else:
            taken = tx.nodes.get(request.name)
            if taken is None or taken.state is not NodeState.ACTIVE:
                return _admit(tx, request, Role(role), ids=ids, now=now)
    if taken is not None:
        raise Refused(
            Fault(
                code="node-exists",
                detail=f"a node named {request.name} is in the cluster",
                remedy="choose another name",
            )
        )
    raise Unauthenticated("the invitation is used up, has expired or never was")


def _admit(tx: Transaction, request: JoinRequest, role: Role, *, ids: Ids, now: datetime) -> Membership:
    ca_key, ca = node_ca(tx, ids=ids, now=now)
    certificate = issue_node_certificate(ca_key, ca, request.csr, name=request.name, serial=ids.serial(), now=now)
    node = Node(
        name=request.name,
        role=role,
        publisher=not tx.nodes.all(),
        state=NodeState.ACTIVE,
        certificate=fingerprint_of(certificate),
        seal_key=request.seal_key,
        domain=request.domain,
        joined=now,
    )
    tx.nodes.add(node)
    tx.nodes.raise_revision()
    tx.audit.add(AuditRecord(at=now, actor=f"node:{node.name}", action="join", target=node.name, outcome="done"))
    return Membership(name=node.name, role=role, certificate=certificate, ca=ca)


def renew_node(node: Node, request: RenewRequest, *, store: Store, clock: Clock, ids: Ids) -> Membership:
    """Gives a node its next certificate; the former one is void at once."""
    now = clock.now()
    with store.begin() as tx:
        ca_key, ca = node_ca(tx, ids=ids, now=now)
        certificate = issue_node_certificate(ca_key, ca, request.csr, name=node.name, serial=ids.serial(), now=now)
        present = tx.nodes.get(node.name)
        if present is None or present.certificate != node.certificate or present.state is not NodeState.ACTIVE:
            raise Unauthenticated("the node is not what it was when it asked")
        tx.nodes.save(replace(present, certificate=fingerprint_of(certificate)))
    return Membership(name=node.name, role=node.role, certificate=certificate, ca=ca)
