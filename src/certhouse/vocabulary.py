"""The words of Certhouse: names and choices that every layer shares.

Names are those of the manual and of the RFCs. A choice with three outcomes has three members here; none is a bool.
"""

from enum import StrEnum
from typing import NewType

NodeName = NewType("NodeName", str)
PurposeName = NewType("PurposeName", str)
StoreName = NewType("StoreName", str)
ServiceName = NewType("ServiceName", str)
SettingName = NewType("SettingName", str)
ChangeId = NewType("ChangeId", str)
UserName = NewType("UserName", str)

EntryKey = NewType("EntryKey", str)
"""Names one row of the certificate list: ``PURPOSE@NODE``, ``STORE/FINGERPRINT`` or ``STORE/FINGERPRINT@NODE``."""

Fingerprint = NewType("Fingerprint", str)
"""SHA-256 over a certificate's DER, as 64 lower-case hexadecimal digits."""

KeyId = NewType("KeyId", str)
"""SHA-256 over a SubjectPublicKeyInfo's DER, as 64 lower-case hexadecimal digits."""


class Role(StrEnum):
    """What a node is in the cluster."""

    CALL_MANAGER = "call-manager"
    IM_PRESENCE = "im-presence"
    SERVER = "server"


class Usage(StrEnum):
    """Whether an entry of the list is a node's own certificate or one that nodes trust."""

    IDENTITY = "identity"
    TRUST = "trust"


class CertificateType(StrEnum):
    SELF_SIGNED = "self-signed"
    CA_SIGNED = "ca-signed"
    CSR_ONLY = "csr-only"


class KeyType(StrEnum):
    RSA = "rsa"
    EC = "ec"
    OTHER = "other"


class Served(StrEnum):
    """Whether the services of an identity show the stored certificate. ``UNKNOWN``: nobody could ask."""

    SAME = "same"
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    UNBOUND = "unbound"


class Revocation(StrEnum):
    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    UNDETERMINED = "undetermined"
    UNCHECKED = "unchecked"


class Distribution(StrEnum):
    """Whether a certificate is one node's or all nodes' that carry the purpose."""

    NODE = "node"
    MULTI_SERVER = "multi-server"


class Replication(StrEnum):
    """Where a trust store's content lives."""

    CLUSTER = "cluster"
    NODE = "node"


class ServiceKind(StrEnum):
    """The two pages of the Control Center."""

    FEATURE = "feature"
    NETWORK = "network"


class ServiceStatus(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    UNBOUND = "unbound"
    UNKNOWN = "unknown"


class ServiceAction(StrEnum):
    START = "start"
    STOP = "stop"
    RESTART = "restart"


class ChangeKind(StrEnum):
    GENERATE_CSR = "generate-csr"
    UPLOAD = "upload"
    REGENERATE = "regenerate"
    SELF_SIGN = "self-sign"
    DELETE_TRUST = "delete-trust"
    RESTORE_TRUST = "restore-trust"
    IMPORT_TRUST = "import-trust"
    SERVICE = "service"
    SETTING = "setting"
    CATALOG = "catalog"
    ROLLBACK = "rollback"


class ChangeState(StrEnum):
    PLANNED = "planned"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    CANCELLED = "cancelled"


class StepAction(StrEnum):
    """What one step of a change does on one node."""

    MAKE_KEY = "make-key"
    MAKE_SELF_SIGNED = "make-self-signed"
    IMPORT_KEY = "import-key"
    INSTALL_TRUST = "install-trust"
    REMOVE_TRUST = "remove-trust"
    INSTALL_IDENTITY = "install-identity"
    START = "start"
    STOP = "stop"
    RESTART = "restart"
    VERIFY_SERVED = "verify-served"


class StepState(StrEnum):
    """``WAITING``: an administrator has to say when (restarts are manual by default). ``SKIPPED``: found needless."""

    PLANNED = "planned"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    CANCELLED = "cancelled"


class FollowUpState(StrEnum):
    OPEN = "open"
    DONE = "done"


class NodeState(StrEnum):
    ACTIVE = "active"
    REMOVED = "removed"


class Field(StrEnum):
    """What the certificate list can be filtered and sorted on (design section 6)."""

    COMMON_NAME = "common-name"
    SUBJECT = "subject"
    ISSUER = "issuer"
    SAN = "san"
    PURPOSE = "purpose"
    STORE = "store"
    NODE = "node"
    USAGE = "usage"
    TYPE = "type"
    KEY_TYPE = "key-type"
    KEY_LENGTH = "key-length"
    SIGNATURE_ALGORITHM = "signature-algorithm"
    SERIAL = "serial"
    FINGERPRINT = "fingerprint"
    EXPIRES = "expires"


class Operator(StrEnum):
    IS = "is"
    BEGINS_WITH = "begins-with"
    ENDS_WITH = "ends-with"
    CONTAINS = "contains"
    IS_EMPTY = "is-empty"
    BEFORE = "before"
    AFTER = "after"
    WITHIN = "within"
