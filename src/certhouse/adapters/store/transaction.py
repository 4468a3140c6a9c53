"""One transaction with its tables."""

from functools import cached_property

from sqlalchemy import Connection

from certhouse.adapters.store.accounts import SqlAccounts, SqlAudit, SqlIdempotency
from certhouse.adapters.store.certificates import SqlCertificates
from certhouse.adapters.store.changes import SqlChanges
from certhouse.adapters.store.cluster import SqlLeases, SqlNodes, SqlSecrets, SqlSettings, SqlTasks
from certhouse.adapters.store.entries import SqlEntries
from certhouse.adapters.store.identities import SqlIdentities, SqlRequests
from certhouse.adapters.store.trust import SqlTrust


class SqlTransaction:
    """``ports.store.Transaction``. Each table is made when it is first asked for."""

    def __init__(self, connection: Connection, key_encryption_key: bytes) -> None:
        self._connection = connection
        self._key = key_encryption_key

    @cached_property
    def certificates(self) -> SqlCertificates:
        return SqlCertificates(self._connection)

    @cached_property
    def entries(self) -> SqlEntries:
        return SqlEntries(self._connection)

    @cached_property
    def identities(self) -> SqlIdentities:
        return SqlIdentities(self._connection, self.entries, self.certificates)

    @cached_property
    def requests(self) -> SqlRequests:
        return SqlRequests(self._connection, self.entries, self.certificates)

    @cached_property
    def trust(self) -> SqlTrust:
        return SqlTrust(self._connection, self.entries, self.certificates)

    @cached_property
    def changes(self) -> SqlChanges:
        return SqlChanges(self._connection)

    @cached_property
    def tasks(self) -> SqlTasks:
        return SqlTasks(self._connection)

    @cached_property
    def nodes(self) -> SqlNodes:
        return SqlNodes(self._connection)

    @cached_property
    def settings(self) -> SqlSettings:
        return SqlSettings(self._connection)

    @cached_property
    def accounts(self) -> SqlAccounts:
        return SqlAccounts(self._connection)

    @cached_property
    def audit(self) -> SqlAudit:
        return SqlAudit(self._connection)

    @cached_property
    def idempotency(self) -> SqlIdempotency:
        return SqlIdempotency(self._connection)

    @cached_property
    def secrets(self) -> SqlSecrets:
        return SqlSecrets(self._connection, self._key)

    @cached_property
    def leases(self) -> SqlLeases:
        return SqlLeases(self._connection)
