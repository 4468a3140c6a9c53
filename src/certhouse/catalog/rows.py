"""The catalog's rows, and the questions that are asked of them.

Every row names its source in ``reference``. A row with ``when`` holds only under those settings.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from certhouse.errors import Fault, NotFound, Refused
from certhouse.vocabulary import KeyType, PurposeName, Role, ServiceKind, ServiceName, SettingName, StoreName

When = dict[str, list[str]]


class _Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What all rows share. Keys in the file are written with hyphens."""

    reference: str = ""


class AutoSans(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Which names a CSR gets by itself."""

    node_name: bool = True
    parent_domain: bool = False


class Purpose(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """An identity purpose as nodes of these roles have it. Usages are RFC 5280 names and OIDs."""

    name: PurposeName
    roles: list[Role]
    key_type: KeyType
    multi_server: bool
    key_usage: tuple[str, ...]
    extended_key_usage: tuple[str, ...]
    store: StoreName | None = None
    description: str = ""
    publisher_only: bool = False
    csr: bool = True
    regenerable: bool = True
    self_signed_is_ca: bool = False
    self_signed_days: int = 1825
    key_lengths: tuple[int, ...]
    default_key_length: int
    hashes: dict[str, tuple[str, ...]]
    default_hash: str = "sha256"
    preserved_key_usage: tuple[str, ...] = ()
    auto_sans: AutoSans = AutoSans()
    wildcard_allowed: bool = False
    signature_key_types: tuple[KeyType, ...]

    def hashes_for(self, length: int) -> tuple[str, ...]:
        """Gives the hashes a key of this length may sign with, the usual one first."""
        return self.hashes.get(str(length), self.hashes.get("any", (self.default_hash,)))


class TrustStore(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    name: StoreName
    roles: list[Role]
    replicates_on_import: bool
    deletes_everywhere: bool
    also_copied_to: tuple[StoreName, ...] = ()
    description: str = ""


class Service(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Services restart in the order in which their rows stand."""

    name: ServiceName
    kind: ServiceKind
    roles: list[Role]


class Restart(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Which services restart after an event on a purpose, a trust store or a setting."""

    targets: tuple[str, ...]
    events: tuple[str, ...]
    services: tuple[ServiceName, ...]
    publisher_only: bool = False
    when: When = {}


class FollowUpRow(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What a person has to do after an event."""

    name: str
    text: str
    targets: tuple[str, ...]
    events: tuple[str, ...]
    per_node: bool = False
    when: When = {}


class WarningRow(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What a preview says of an event. A target ``*`` stands for all."""

    text: str
    targets: tuple[str, ...]
    events: tuple[str, ...]
    when: When = {}


class Setting(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A value that rows depend on: one of ``values``, or a whole number from ``minimum`` to ``maximum``."""

    name: SettingName
    default: str
    description: str
    values: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None

    @property
    def allowed(self) -> str:
        """Says in words what values there are."""
        if self.values:
            return ", ".join(self.values)
        return (
            f"a whole number from {self.minimum} to {self.maximum}"
            if self.minimum is not None
            else "text of up to 200 characters"
        )


class Forbidden(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Purposes of which only one may change at a time."""

    purposes: tuple[PurposeName, ...]
    reason: str


class Tags(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A set of display tags: what is shown, under which name."""

    name: str
    tags: dict[str, str]


class Listener(_Row, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Certhouse's own HTTPS listener: which service it is, and which purposes it can serve side by side.

    ``purposes`` are served always; ``ec_purposes`` too when ``ec_setting`` has ``ec_value``.
    """

    service: ServiceName
    purposes: tuple[PurposeName, ...]
    ec_purposes: tuple[PurposeName, ...] = ()
    ec_setting: str = ""
    ec_value: str = ""


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """All rows, each kind in the order of its file. Made by ``certhouse.catalog.reading`` only, which checks it."""

    variants: tuple[Purpose, ...]
    stores: Mapping[StoreName, TrustStore]
    services: Mapping[ServiceName, Service]
    settings: Mapping[SettingName, Setting]
    restart_rows: tuple[Restart, ...]
    follow_ups: tuple[FollowUpRow, ...]
    warnings: tuple[WarningRow, ...]
    forbidden: tuple[Forbidden, ...]
    tag_sets: tuple[Tags, ...]
    listener: Listener

    @property
    def purposes(self) -> Mapping[PurposeName, Purpose]:
        """Gives each purpose once, as the first role that has it sees it."""
        found: dict[PurposeName, Purpose] = {}
        for row in self.variants:
            found.setdefault(row.name, row)
        return found

    @property
    def display_tags(self) -> Mapping[str, Mapping[str, str]]:
        return {row.name: row.tags for row in self.tag_sets}

    def purpose(self, name: str, role: Role) -> Purpose:
        """Gives the purpose as nodes of this role have it. Raises NotFound that names those there are."""
        for row in self.variants:
            if row.name == name and role in row.roles:
                return row
        names = ", ".join(row.name for row in self.variants if role in row.roles)
        raise NotFound(f"a {role} node has no purpose {name}; it has: {names}")

    def purposes_of(self, role: Role) -> tuple[Purpose, ...]:
        return tuple(row for row in self.variants if role in row.roles)

    def restarts(
        self, target: str, *, event: str, settings: Mapping[str, str], role: Role, publisher: bool
    ) -> tuple[ServiceName, ...]:
        """Gives the services of a node that restart after the event, in the order of the services' rows."""
        wanted = {
            service
            for row in self._holding(self.restart_rows, target, event, settings)
            if publisher or not row.publisher_only
            for service in row.services
        }
        return tuple(name for name, row in self.services.items() if name in wanted and role in row.roles)

    def follow_ups_for(
        self, target: str, *, event: str, settings: Mapping[str, str], role: Role, publisher: bool
    ) -> tuple[FollowUpRow, ...]:
        return tuple(self._holding(self.follow_ups, target, event, settings))

    def warnings_for(self, target: str, event: str, settings: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(row.text for row in self._holding(self.warnings, target, event, settings))

    def _holding(self, rows: tuple[Any, ...], target: str, event: str, settings: Mapping[str, str]) -> Iterator[Any]:
        for row in rows:
            if event not in row.events or (target not in row.targets and "*" not in row.targets):
                continue
            if all(settings.get(name) in values for name, values in row.when.items()):
                yield row

    def check_setting(self, name: str, value: str) -> str:
        """Gives the value as it is kept. Raises NotFound, or Refused with what is allowed."""
        row = self.settings.get(SettingName(name))
        if row is None:
            raise NotFound(f"there is no setting {name}; there are: {', '.join(self.settings)}")
        text = value.strip()
        if row.values:
            fits = text in row.values
        elif row.minimum is not None and row.maximum is not None:
            fits = text.isascii() and text.isdigit() and len(text) < 10 and row.minimum <= int(text) <= row.maximum
        else:
            fits = len(text) <= 200 and text.isprintable()
        if not fits:
            raise Refused(
                Fault(
                    code="setting-value",
                    detail=f"{name} does not take this value",
                    found=value[:200],
                    expected=row.allowed,
                    remedy="choose one that it takes",
                )
            )
        return text

    def with_text(self, name: str, text: str) -> "Catalog":
        """Gives the catalog with an administrator's own rows over it. Raises Refused with every fault and its line."""
        from certhouse.catalog.reading import merge

        return merge(self, name, text)
