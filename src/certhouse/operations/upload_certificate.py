"""Upload Certificate or Certificate Chain (manual, the section of this name): to a purpose, or to a trust store.

What the files hold is sorted; their order means nothing. The leaf goes to the purpose, CA certificates to its trust store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from certhouse.catalog.rows import Purpose
from certhouse.errors import Fault, NotFound, Refused
from certhouse.model.change import Change, Plan, Step
from certhouse.model.identity import IdentityVersion, PendingRequest
from certhouse.model.node import Node
from certhouse.operations.recording import Decision, carry_out
from certhouse.operations.surroundings import look_around, node_named, purpose_on, unfinished_changes
from certhouse.operations.trust_stores import decide_trust_import, members
from certhouse.policy.plan import Surroundings, aftermath, trust_steps
from certhouse.policy.replacement import leaving_self_signed, one_at_a_time, overwrite_warnings
from certhouse.policy.upload_checks import AskedFor, check_identity
from certhouse.ports.store import Store, Transaction
from certhouse.ports.world import Bell, Clock, Ids, Seal
from certhouse.vocabulary import CertificateType, ChangeKind, KeyId, NodeName, PurposeName, StepAction, StoreName
from certhouse.wire.messages import ImportKey
from certhouse.wire.sealing import seal_info
from certhouse.x509.facts import CertificateFacts
from certhouse.x509.keys import PrivateKey, key_id, load_private_key, private_key_der
from certhouse.x509.material import Material, read_material
from certhouse.x509.path import build_chain
from certhouse.x509.verify import verify_chain


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadCertificate:
    """``target`` is a purpose or a trust store. ``files`` hold PEM, DER, PKCS#7 or PKCS#12; ``key`` is PEM or DER.

    ``password`` opens PKCS#12 and an encrypted key. ``restart`` runs the restarts at once.
    """

    target: str
    files: tuple[bytes, ...]
    node: NodeName | None = None
    key: bytes | None = None
    password: bytes | None = None
    description: str = ""
    restart: bool = False

    def __repr__(self) -> str:
        return f"UploadCertificate(target={self.target!r}, node={self.node!r}, files={len(self.files)})"


def upload_certificate(
    command: UploadCertificate,
    *,
    store: Store,
    clock: Clock,
    ids: Ids,
    bell: Bell,
    seal: Seal,
    actor: str,
    dry_run: bool = False,
) -> Change:
    """Takes certificates in. Raises Refused with all faults at once, Unreadable for files that hold nothing usable."""
    material = read_material(command.files, password=command.password)
    if material.faults:
        raise Refused(material.faults)
    keys = list(material.private_keys)
    if command.key is not None:
        keys.append(load_private_key(command.key, command.password))

    def decide(tx: Transaction, now: datetime) -> Decision:
        surroundings = look_around(tx, restart_at_once=command.restart)
        if command.target in surroundings.catalog.stores:
            if keys:
                raise Refused(
                    Fault(
                        code="key-in-trust-upload",
                        detail="the upload holds a private key, and a trust store takes certificates only",
                        found=f"{len(keys)} private key(s)",
                        expected="none",
                        remedy="take the key out; treat it as disclosed if the file came from elsewhere",
                    )
                )
            return decide_trust_import(
                tx,
                surroundings,
                StoreName(command.target),
                material.certificates,
                node=command.node,
                description=command.description,
                now=now,
            )
        if command.target not in surroundings.catalog.purposes:
            raise NotFound(f"{command.target} is neither a purpose nor a trust store of the catalog")
        return _decide_identity(command, tx, surroundings, material, keys, seal, now)

    return carry_out(decide, store=store, clock=clock, ids=ids, bell=bell, actor=actor, dry_run=dry_run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """The certificate that is the identity, and why: a CSR, a key in the upload, or the key in use."""

    leaf: CertificateFacts
    request: PendingRequest | None = None
    key: PrivateKey | None = None
    same_key: bool = False

    def asked(self) -> AskedFor | None:
        if self.request is not None:
            return AskedFor(sans=frozenset(self.request.sans))
        return AskedFor(sans=None) if self.key is not None or self.same_key else None


def _decide_identity(
    command: UploadCertificate,
    tx: Transaction,
    surroundings: Surroundings,
    material: Material,
    keys: Sequence[PrivateKey],
    seal: Seal,
    now: datetime,
) -> Decision:
    node = node_named(surroundings.nodes, command.node)
    purpose = purpose_on(surroundings, PurposeName(command.target), node)
    current = tx.identities.current(node.name, purpose.name)
    match = _find_leaf(tx, node, purpose, material.certificates, keys, current)
    others = tuple(facts for facts in material.certificates if facts is not match.leaf)
    known = members(tx, surroundings, purpose.store, node) if purpose.store else ()
    chain = build_chain(match.leaf, [*others, *known])
    waiting = tx.requests.current(node.name, purpose.name)
    faults = [
        *check_identity(
            match.leaf,
            chain,
            purpose=purpose,
            asked=match.asked(),
            waiting=waiting.key_id if waiting else "",
            current=current.fingerprint if current else None,
            now=now,
        ),
        *_strangers(others, chain),
        *(one_at_a_time(surroundings.catalog, purpose, unfinished_changes(tx)) if current else ()),
    ]
    if not faults:
        faults.extend(_path_faults(chain, now))
    if faults:
        raise Refused(faults)
    return _plan_identity(command, tx, surroundings, node, purpose, match, chain, others, current, seal)


def _plan_identity(
    command: UploadCertificate,
    tx: Transaction,
    surroundings: Surroundings,
    node: Node,
    purpose: Purpose,
    match: _Match,
    chain: tuple[CertificateFacts, ...],
    others: tuple[CertificateFacts, ...],
    current: IdentityVersion | None,
    seal: Seal,
) -> Decision:
    leaf = match.leaf
    steps: list[Step] = []
    work = None
    if match.key is not None:
        steps.append(
            Step(
                number=0,
                node=node.name,
                action=StepAction.IMPORT_KEY,
                target=purpose.name,
                facts={"key_id": leaf.key_id},
            )
        )
        info = seal_info(node.name, purpose.name, leaf.key_id)
        sealed = seal.seal(node.seal_key, info, private_key_der(match.key))
        work = ImportKey(purpose=purpose.name, key_id=leaf.key_id, sealed=sealed)
    trusted = [*others, leaf] if leaf.self_signed else list(others)
    if purpose.store is not None and trusted:
        fingerprints = ",".join(facts.fingerprint for facts in trusted)
        origin = purpose.name if leaf.self_signed else ""
        facts = {"fingerprints": fingerprints, "description": command.description, "origin": origin}
        for store, local in surroundings.stores_for(purpose.store, node):
            steps.extend(trust_steps(surroundings, StepAction.INSTALL_TRUST, store, local, facts))
    kind = CertificateType.SELF_SIGNED if leaf.self_signed else CertificateType.CA_SIGNED
    steps.append(
        Step(
            number=0,
            node=node.name,
            action=StepAction.INSTALL_IDENTITY,
            target=purpose.name,
            facts={
                "fingerprint": leaf.fingerprint,
                "chain": ",".join(facts.fingerprint for facts in chain[1:]),
                "key_id": leaf.key_id,
                "type": kind,
                "description": command.description,
                "request": match.request.id if match.request else "",
            },
        )
    )
    after = aftermath(surroundings, purpose.name, "upload", [node], purposes=[purpose.name])
    steps.extend(after.steps)
    former = tx.certificates.get(current.fingerprint) if current else None
    steps.extend(leaving_self_signed(surroundings, purpose, node, former))
    warnings = (
        *surroundings.catalog.warnings_for(purpose.name, "upload", surroundings.settings),
        *overwrite_warnings(purpose, node, current, former),
    )
    plan = Plan(
        kind=ChangeKind.UPLOAD,
        summary=f"{leaf.common_name or leaf.subject} to {purpose.name} on {node.name}",
        steps=tuple(steps),
        warnings=warnings,
        follow_ups=after.follow_ups,
        facts={"purpose": purpose.name, "node": node.name, "fingerprint": leaf.fingerprint},
    )
    return Decision(plan=plan, certificates=(leaf, *others), sealed_work=work)


def _find_leaf(
    tx: Transaction,
    node: Node,
    purpose: Purpose,
    certificates: tuple[CertificateFacts, ...],
    keys: Sequence[PrivateKey],
    current: IdentityVersion | None,
) -> _Match:
    if not certificates:
        raise Refused(
            Fault(
                code="no-certificate",
                detail="the upload holds no certificate",
                expected="PEM, DER, PKCS#7 or PKCS#12",
                remedy="choose the file that the CA sent",
            )
        )
    supplied: dict[KeyId, PrivateKey] = {key_id(key.public_key()): key for key in keys}
    matches = []
    for facts in certificates:
        request = tx.requests.by_key(node.name, purpose.name, facts.key_id)
        key = supplied.get(facts.key_id)
        same_key = current is not None and current.key_id == facts.key_id
        if request is not None or key is not None or same_key:
            matches.append(_Match(leaf=facts, request=request, key=None if request else key, same_key=same_key))
    # A CA may send the same key's former certificate along: the one that is valid longest is the new one.
    if matches:
        return max(matches, key=lambda match: match.leaf.not_after)
    issuers = {facts.issuer_key for facts in certificates if not facts.self_issued}
    leaves = [facts for facts in certificates if not facts.is_ca and facts.subject_key not in issuers]
    if len(leaves) == 1:
        return _Match(leaf=leaves[0])
    if not leaves:
        into = purpose.store or "a trust store"
        raise Refused(
            Fault(
                code="no-leaf",
                detail=f"the upload holds CA certificates only, and none for {purpose.name}",
                found=", ".join(facts.common_name or facts.subject for facts in certificates),
                expected=f"a certificate for {purpose.name}",
                remedy=f"upload CA certificates to {into}",
            )
        )
    raise Refused(
        Fault(
            code="several-leaves",
            detail="the upload holds several end-entity certificates, and none fits a key that is known here",
            found=", ".join(facts.common_name or facts.subject for facts in leaves),
            expected="one",
            remedy="upload them one by one",
        )
    )


def _strangers(others: tuple[CertificateFacts, ...], chain: tuple[CertificateFacts, ...]) -> list[Fault]:
    return [
        Fault(
            code="unrelated-certificate",
            detail=f"{facts.common_name or facts.subject} is neither the identity nor a CA",
            found=facts.fingerprint,
            expected="the identity and CA certificates",
            remedy="take it out of the upload",
        )
        for facts in others
        if not facts.is_ca and facts not in chain
    ]


def _path_faults(chain: tuple[CertificateFacts, ...], now: datetime) -> tuple[Fault, ...]:
    """Gives what a full path validation objects to beyond the checks above, such as name constraints."""
    leaf, root = chain[0], chain[-1]
    return verify_chain(leaf, chain[1:-1], [root], at=now, eku="any").faults
