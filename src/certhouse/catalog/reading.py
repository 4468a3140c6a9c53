"""From TOML text to a catalog that has been checked: unknown keys and dangling names are refused, with their lines."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from certhouse.catalog.rows import (
    Catalog,
    FollowUpRow,
    Forbidden,
    Listener,
    Purpose,
    Restart,
    Service,
    Setting,
    Tags,
    TrustStore,
    WarningRow,
)
from certhouse.errors import Fault, Refused
from certhouse.vocabulary import KeyType
from certhouse.x509.describe import TAGGED
from certhouse.x509.request import HASHES

_KINDS: Mapping[str, type[msgspec.Struct]] = {
    "purpose": Purpose,
    "trust-store": TrustStore,
    "service": Service,
    "restart": Restart,
    "follow-up": FollowUpRow,
    "warning": WarningRow,
    "setting": Setting,
    "forbidden": Forbidden,
    "display-tags": Tags,
    "listener": Listener,
}
_USAGES = frozenset(
    (
        "digitalSignature",
        "contentCommitment",
        "keyEncipherment",
        "dataEncipherment",
        "keyAgreement",
        "keyCertSign",
        "cRLSign",
    )
)
_EVENTS = frozenset(("csr", "upload", "regenerate", "delete", "import", "setting", "start", "stop", "restart"))
_LENGTHS = {KeyType.RSA: {2048, 3072, 4096}, KeyType.EC: {256, 384, 521}}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_HEADER = re.compile(r"\s*\[\[?\s*\"?([a-z-]+)\"?")
_KEY = re.compile(r"\s*\"?([A-Za-z0-9_-]+)\"?\s*[=.]")


@dataclass(slots=True)
class _Text:
    """One file: its rows by kind, and where each stands."""

    name: str
    lines: list[str]
    rows: dict[str, list[msgspec.Struct]] = field(default_factory=dict)
    places: dict[int, tuple[str, int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, kind: str, number: int, key: str = "") -> int:
        """Gives the line of a row's header, or of a key in it; rows of a kind count from 0."""
        seen, header = -1, 0
        for at, line in enumerate(self.lines, 1):
            match = _HEADER.match(line)
            if match:
                if seen == number and match[1] != kind and header:
                    break
                if match[1] == kind and line.lstrip().startswith(("[[", f"[{kind}]")):
                    seen += 1
                    header = at if seen == number else header
                    if seen > number:
                        break
            elif key and seen == number and header and (found := _KEY.match(line)) and found[1] == key:
                return at
        return header or 1

    def fault(self, kind: str, number: int, detail: str, *, key: str = "", found: str = "", expected: str = "") -> None:
        at = self.line(kind, number, key)
        self.faults.append(
            Fault(
                code="catalog-row",
                detail=f"{self.name}:{at}: {detail}",
                found=found,
                expected=expected,
                remedy=f"mend line {at} of {self.name}",
            )
        )


def _parse(name: str, text: str) -> _Text:
    source = _Text(name=name, lines=text.splitlines())
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        at = found[1] if found else str(len(source.lines))  # "at end of document"
        raise Refused(
            Fault(code="catalog-syntax", detail=f"{name}:{at}: not TOML: {error}", remedy=f"mend line {at} of {name}")
        ) from error
    except RecursionError:
        raise Refused(
            Fault(code="catalog-syntax", detail=f"{name}: nested too deeply", remedy="write rows, as in [[service]]")
        ) from None
    for kind, rows in tables.items():
        shape = _KINDS.get(kind)
        if shape is None or not isinstance(rows, list):
            known = ", ".join(f"[[{item}]]" for item in _KINDS)
            source.fault(kind, 0, f"there is no table [[{kind}]]", found=kind, expected=known)
            continue
        for number, row in enumerate(rows):
            try:
                made = msgspec.convert(row, type=shape)
            except msgspec.ValidationError as error:
                key = re.search(r"field `([^`]+)`|`\$\.([^`.\[]+)", str(error))
                source.fault(kind, number, str(error), key=(key[1] or key[2]) if key else "")
                continue
            source.places[id(made)] = (kind, number)
            source.rows.setdefault(kind, []).append(made)
    return source


def read_catalog(text: str, name: str = "catalog") -> Catalog:
    """Gives a whole catalog. Raises Refused with every fault, each with its file and line."""
    source = _parse(name, text)
    if "listener" not in source.rows and not source.faults:
        source.fault("listener", 0, "the table [[listener]] is missing")
    if source.faults:
        raise Refused(source.faults)
    catalog = _assemble(source.rows)
    _check(catalog, source)
    return catalog


def merge(catalog: Catalog, name: str, text: str) -> Catalog:
    """Gives ``catalog`` with the rows of ``text`` over it: a row of the same name takes the other's place."""
    source = _parse(name, text)
    if source.faults:
        raise Refused(source.faults)
    own = source.rows
    replaced = {(row.name, role) for row in own.get("purpose", []) for role in row.roles}  # type: ignore[attr-defined]  # purposes
    rows: dict[str, list[msgspec.Struct]] = {
        "purpose": [
            *(row for row in catalog.variants if not any((row.name, role) in replaced for role in row.roles)),
            *own.get("purpose", []),
        ],
        "trust-store": [*catalog.stores.values(), *own.get("trust-store", [])],
        "service": [*catalog.services.values(), *own.get("service", [])],
        "setting": [*catalog.settings.values(), *own.get("setting", [])],
        "restart": [*catalog.restart_rows, *own.get("restart", [])],
        "follow-up": [*catalog.follow_ups, *own.get("follow-up", [])],
        "warning": [*catalog.warnings, *own.get("warning", [])],
        "forbidden": [*catalog.forbidden, *own.get("forbidden", [])],
        "display-tags": [*catalog.tag_sets, *own.get("display-tags", [])],
        "listener": [*([catalog.listener] if "listener" not in own else []), *own.get("listener", [])],
    }
    merged = _assemble(rows)
    _check(merged, source)
    return merged


def _assemble(rows: Mapping[str, list[msgspec.Struct]]) -> Catalog:
    def named(kind: str) -> dict[str, msgspec.Struct]:
        return {row.name: row for row in rows.get(kind, [])}  # type: ignore[attr-defined]  # rows of these kinds have names

    return Catalog(
        variants=tuple(rows.get("purpose", [])),  # type: ignore[arg-type]  # kinds were checked by _parse
        stores=named("trust-store"),  # type: ignore[arg-type]  # as above
        services=named("service"),  # type: ignore[arg-type]  # as above
        settings=named("setting"),  # type: ignore[arg-type]  # as above
        restart_rows=tuple(rows.get("restart", [])),  # type: ignore[arg-type]  # as above
        follow_ups=tuple(rows.get("follow-up", [])),  # type: ignore[arg-type]  # as above
        warnings=tuple(rows.get("warning", [])),  # type: ignore[arg-type]  # as above
        forbidden=tuple(rows.get("forbidden", [])),  # type: ignore[arg-type]  # as above
        tag_sets=tuple(rows.get("display-tags", [])),  # type: ignore[arg-type]  # as above
        listener=rows["listener"][-1],  # type: ignore[arg-type]  # as above
    )


def _check(catalog: Catalog, source: _Text) -> None:
    """Refuses names that lead nowhere and values that make no sense, in the rows of ``source``."""
    for made, (kind, number) in _placed(source):
        for key, detail, found, expected in _faults(catalog, made):
            source.fault(kind, number, detail, key=key, found=found, expected=expected)
    if source.faults:
        raise Refused(source.faults)


def _placed(source: _Text) -> Iterator[tuple[msgspec.Struct, tuple[str, int]]]:
    for rows in source.rows.values():
        for row in rows:
            yield row, source.places[id(row)]


_Found = Iterator[tuple[str, str, str, str]]


def _faults(catalog: Catalog, row: msgspec.Struct) -> _Found:
    name = getattr(row, "name", None)
    if name is not None and not _NAME.fullmatch(name):
        yield "name", "a name has letters, digits, space, dot, hyphen and underscore, at most 64", name, _NAME.pattern
    match row:
        case Purpose():
            yield from _purpose_faults(catalog, row)
        case TrustStore():
            for other in row.also_copied_to:
                if other not in catalog.stores:
                    yield "also-copied-to", f"there is no trust store {other}", other, ", ".join(catalog.stores)
        case Restart():
            yield from _event_faults(catalog, row.targets, row.events, row.when)
            for service in row.services:
                if service not in catalog.services:
                    yield "services", f"there is no service {service}", service, ", ".join(catalog.services)
        case FollowUpRow() | WarningRow():
            yield from _event_faults(catalog, row.targets, row.events, row.when)
        case Setting():
            yield from _setting_faults(catalog, row)
        case Forbidden():
            for purpose in row.purposes:
                if purpose not in catalog.purposes:
                    yield "purposes", f"there is no purpose {purpose}", purpose, ", ".join(catalog.purposes)
        case Tags():
            for what in row.tags:
                if what not in TAGGED:
                    yield what, f"nothing is called {what} that could be shown", what, ", ".join(TAGGED)
        case Listener():
            yield from _listener_faults(catalog, row)


def _purpose_faults(catalog: Catalog, row: Purpose) -> _Found:
    if row.store is not None and row.store not in catalog.stores:
        yield "store", f"there is no trust store {row.store}", row.store, ", ".join(catalog.stores)
    for usage in (*row.key_usage, *row.preserved_key_usage):
        if usage not in _USAGES:
            yield "key-usage", f"{usage} is not a key usage of RFC 5280", usage, ", ".join(sorted(_USAGES))
    for oid in row.extended_key_usage:
        if not re.fullmatch(r"[0-2](\.\d{1,20}){1,20}", oid):
            yield "extended-key-usage", f"{oid} is not an OID", oid, "digits with dots"
    allowed = _LENGTHS.get(row.key_type, set())
    for length in row.key_lengths:
        if length not in allowed:
            yield (
                "key-lengths",
                f"{row.key_type} keys have no length {length}",
                str(length),
                ", ".join(map(str, sorted(allowed))),
            )
    if row.default_key_length not in row.key_lengths:
        yield (
            "default-key-length",
            "the default is not among the lengths",
            str(row.default_key_length),
            str(row.key_lengths),
        )
    for hashes in row.hashes.values():
        for item in hashes:
            if item not in HASHES:
                yield "hashes", f"there is no hash {item}", item, ", ".join(HASHES)


def _event_faults(
    catalog: Catalog, targets: tuple[str, ...], events: tuple[str, ...], when: Mapping[str, list[str]]
) -> _Found:
    known = {"*", *catalog.purposes, *catalog.stores, *catalog.settings, *catalog.services}
    for target in targets:
        if target not in known:
            yield "targets", f"{target} is no purpose, trust store, setting or service", target, "one that exists, or *"
    for event in events:
        if event not in _EVENTS:
            yield "events", f"there is no event {event}", event, ", ".join(sorted(_EVENTS))
    for name, values in when.items():
        setting = catalog.settings.get(name)  # type: ignore[call-overload]  # names are checked right here
        if setting is None:
            yield "when", f"there is no setting {name}", name, ", ".join(catalog.settings)
            continue
        for value in values:
            if setting.values and value not in setting.values:
                yield "when", f"{name} never is {value}", value, setting.allowed


def _setting_faults(catalog: Catalog, row: Setting) -> _Found:
    try:
        catalog.check_setting(row.name, row.default)
    except Refused as error:
        yield "default", "the default is not a value that the setting takes", row.default, error.faults[0].expected


def _listener_faults(catalog: Catalog, row: Listener) -> _Found:
    if row.service not in catalog.services:
        yield "service", f"there is no service {row.service}", row.service, ", ".join(catalog.services)
    for purpose in (*row.purposes, *row.ec_purposes):
        if purpose not in catalog.purposes:
            yield "purposes", f"there is no purpose {purpose}", purpose, ", ".join(catalog.purposes)
    if row.ec_setting and row.ec_setting not in catalog.settings:
        yield "ec-setting", f"there is no setting {row.ec_setting}", row.ec_setting, ", ".join(catalog.settings)
