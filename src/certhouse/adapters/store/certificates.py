"""Every certificate that was ever stored."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from sqlalchemy import Connection, select

from certhouse.adapters.store.statements import add_missing, batches
from certhouse.adapters.store.tables import certificate_ders, certificates
from certhouse.vocabulary import Fingerprint
from certhouse.x509.facts import CertificateFacts, read_certificate

# A certificate never changes: reading it again gives the same facts.
_read = lru_cache(maxsize=2048)(read_certificate)


class SqlCertificates:
    """``ports.store.Certificates``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, certificates_: Iterable[CertificateFacts]) -> None:
        for batch in batches(certificates_):
            self._add(batch)

    def _add(self, batch: list[CertificateFacts]) -> None:
        known = self.ids([facts.fingerprint for facts in batch])
        new = {facts.fingerprint: facts for facts in batch if facts.fingerprint not in known}
        if not new:
            return
        add_missing(
            self._connection,
            certificates,
            [{"fingerprint": facts.fingerprint, "subject_key": facts.subject_key} for facts in new.values()],
        )
        ids = self.ids(list(new))
        rows = [{"certificate_id": ids[facts.fingerprint], "der": facts.der} for facts in new.values()]
        add_missing(self._connection, certificate_ders, rows)

    def ids(self, fingerprints: Sequence[Fingerprint]) -> dict[Fingerprint, int]:
        """Gives the rows' numbers of those that are there."""
        found: dict[Fingerprint, int] = {}
        for batch in batches(fingerprints):
            query = select(certificates.c.fingerprint, certificates.c.id).where(certificates.c.fingerprint.in_(batch))
            found.update((Fingerprint(row[0]), row[1]) for row in self._connection.execute(query))
        return found

    def get(self, fingerprint: Fingerprint) -> CertificateFacts | None:
        return self.many([fingerprint]).get(fingerprint)

    def many(self, fingerprints: Iterable[Fingerprint]) -> dict[Fingerprint, CertificateFacts]:
        wanted = list(dict.fromkeys(fingerprints))
        found: dict[Fingerprint, CertificateFacts] = {}
        for batch in batches(wanted):
            query = (
                select(certificate_ders.c.der)
                .join(certificates, certificates.c.id == certificate_ders.c.certificate_id)
                .where(certificates.c.fingerprint.in_(batch))
            )
            for (der,) in self._connection.execute(query):
                facts = _read(bytes(der))
                found[facts.fingerprint] = facts
        return {fingerprint: found[fingerprint] for fingerprint in wanted if fingerprint in found}

    def having_subject(self, subject_key: str) -> Sequence[CertificateFacts]:
        query = (
            select(certificate_ders.c.der)
            .join(certificates, certificates.c.id == certificate_ders.c.certificate_id)
            .where(certificates.c.subject_key == subject_key)
            .limit(64)
        )
        return [_read(bytes(der)) for (der,) in self._connection.execute(query)]
