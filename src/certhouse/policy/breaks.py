"""What stops validating when certificates leave a trust store: computed by validating both ways."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from certhouse.model.change import Break
from certhouse.vocabulary import EntryKey, Fingerprint, NodeName
from certhouse.x509.facts import CertificateFacts
from certhouse.x509.path import build_chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something that a store vouches for: an identity, a pinned peer or another CA of the store."""

    kind: str
    entry: EntryKey
    node: NodeName | None
    certificate: CertificateFacts
    sent: tuple[CertificateFacts, ...] = ()
    """The intermediates that the holder sends along in a handshake."""


def trusted_path(
    certificate: CertificateFacts, sent: Sequence[CertificateFacts], trusted: Sequence[CertificateFacts]
) -> tuple[CertificateFacts, ...] | None:
    """Gives a path from ``certificate`` to a certificate of the store, or None.

    A path ends as soon as it reaches a member of the store that can end it: a self-signed root, or the certificate
    itself when it is pinned. An intermediate in a store helps to build a path and does not end it.
    """
    anchors = {member.fingerprint for member in trusted if member.self_signed}
    pinned = {member.fingerprint for member in trusted if not member.is_ca}
    if certificate.fingerprint in pinned:
        return (certificate,)
    chain = build_chain(certificate, [*sent, *trusted])
    return chain if chain[-1].fingerprint in anchors else None


def breaks(
    subjects: Iterable[Subject],
    *,
    before: Sequence[CertificateFacts],
    removed: Collection[Fingerprint],
) -> tuple[Break, ...]:
    """Gives every subject with a path through ``before`` that has none once ``removed`` is gone."""
    after = [member for member in before if member.fingerprint not in removed]
    found = []
    for subject in subjects:
        if subject.certificate.fingerprint in removed and subject.kind != "identity":
            continue
        path = trusted_path(subject.certificate, subject.sent, before)
        if path is None or not any(member.fingerprint in removed for member in path):
            continue
        if trusted_path(subject.certificate, subject.sent, after) is None:
            found.append(
                Break(
                    kind=subject.kind,
                    name=subject.entry,
                    node=subject.node,
                    fingerprint=subject.certificate.fingerprint,
                    lost_path=tuple(member.subject for member in path),
                )
            )
    return tuple(found)
