"""Services, changes, follow-ups, settings, the catalog and nodes: what runs and what waits."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response

from certhouse.api.asking import (
    Administrator,
    Body,
    DryRun,
    LoggedInRoute,
    Reader,
    ServerPart,
    Wait,
    answer,
    change_answer,
    editing,
    etag,
)
from certhouse.api.certificates import Identifier, Node
from certhouse.operations.catalogs import apply_catalog, check_catalog, show_catalog
from certhouse.operations.changes import (
    apply_change,
    cancel_change,
    close_follow_up,
    list_changes,
    list_follow_ups,
    list_restarts,
    rollback_change,
    show_change,
)
from certhouse.operations.nodes import list_nodes, show_node
from certhouse.operations.services import ControlService, control_service, list_services
from certhouse.operations.settings import get_setting, list_settings, set_setting
from certhouse.vocabulary import ChangeId, NodeName, ServiceAction, ServiceName, SettingName

router = APIRouter(route_class=LoggedInRoute)


def listing(items: object) -> Response:
    found = list(items)  # type: ignore[call-overload]  # sequences of views
    return answer({"items": found, "next": None, "total": len(found)})


@router.get("/services", tags=["services"])
def services(server: ServerPart, actor: Reader, node: Node = None) -> Response:
    """Feature and network services, with what they serve."""
    return listing(list_services(store=server.store, node=NodeName(node) if node else None))


class Control(Body):
    """``node`` is a node's name, or ``all``."""

    node: str | None = None


@router.post("/services/{name}/{action}", tags=["services"])
def control(
    name: Identifier,
    action: ServiceAction,
    server: ServerPart,
    actor: Administrator,
    body: Control | None = None,
    dry_run: DryRun = False,
    wait: Wait = 30,
) -> Response:
    """Start, stop or restart a service."""
    node = body.node if body else None
    command = ControlService(
        name=ServiceName(name),
        action=action,
        node=NodeName(node) if node and node != "all" else None,
        all_nodes=node == "all",
    )
    change = control_service(
        command,
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        bell=server.bell,
        actor=actor.name,
        dry_run=dry_run,
    )
    return change_answer(change, wait)


@router.get("/changes", tags=["changes"])
def changes(
    server: ServerPart,
    actor: Reader,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Changes, newest first."""
    found = list_changes(store=server.store, limit=limit + 1, before=ChangeId(cursor) if cursor else None)
    following = found[limit - 1].id if len(found) > limit else None
    return answer({"items": found[:limit], "next": following})


@router.get("/changes/{identifier}", tags=["changes"])
def change(identifier: Identifier, server: ServerPart, actor: Reader) -> Response:
    """One change and the state of its steps."""
    return answer(show_change(ChangeId(identifier), store=server.store))


@router.post("/changes/{identifier}/apply", tags=["changes"])
def apply(
    identifier: Identifier, server: ServerPart, actor: Administrator, dry_run: DryRun = False, wait: Wait = 30
) -> Response:
    """Run the restarts that a change waits for."""
    found = apply_change(
        ChangeId(identifier),
        store=server.store,
        clock=server.clock,
        bell=server.bell,
        actor=actor.name,
        dry_run=dry_run,
    )
    return answer(found) if dry_run else change_answer(found, wait)


@router.post("/changes/{identifier}/cancel", tags=["changes"])
def cancel(identifier: Identifier, server: ServerPart, actor: Administrator, dry_run: DryRun = False) -> Response:
    """End a change that has altered nothing yet."""
    return answer(
        cancel_change(
            ChangeId(identifier),
            store=server.store,
            clock=server.clock,
            bell=server.bell,
            actor=actor.name,
            dry_run=dry_run,
        )
    )


@router.post("/changes/{identifier}/rollback", tags=["changes"])
def rollback(
    identifier: Identifier, server: ServerPart, actor: Administrator, dry_run: DryRun = False, wait: Wait = 30
) -> Response:
    """Undo a change, by another one."""
    found = rollback_change(
        ChangeId(identifier),
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        bell=server.bell,
        actor=actor.name,
        dry_run=dry_run,
    )
    return change_answer(found, wait)


@router.get("/restarts", tags=["changes"])
def restarts(server: ServerPart, actor: Reader) -> Response:
    """Services that still run with what they had before."""
    return listing(list_restarts(store=server.store))


@router.get("/follow-ups", tags=["changes"])
def follow_ups(server: ServerPart, actor: Reader, all: bool = False) -> Response:
    """What only a person can do."""
    return listing(list_follow_ups(store=server.store, open_only=not all))


@router.post("/follow-ups/{identifier}/done", tags=["changes"])
def follow_up_done(identifier: Identifier, server: ServerPart, actor: Administrator) -> Response:
    """Tick a follow-up off."""
    return answer(
        close_follow_up(identifier, store=server.store, clock=server.clock, bell=server.bell, actor=actor.name)
    )


@router.get("/settings", tags=["settings"])
def settings(server: ServerPart, actor: Reader) -> Response:
    """All settings with their values, defaults and ranges."""
    return listing(list_settings(store=server.store))


@router.get("/settings/{name}", tags=["settings"])
def setting(name: Identifier, server: ServerPart, actor: Reader) -> Response:
    """One setting."""
    found = get_setting(SettingName(name), store=server.store)
    return answer(found, headers={"ETag": etag(found)})


class Value(Body):
    value: str


@router.put("/settings/{name}", tags=["settings"])
def put_setting(
    name: Identifier,
    body: Value,
    request: Request,
    server: ServerPart,
    actor: Administrator,
    dry_run: DryRun = False,
    wait: Wait = 30,
) -> Response:
    """Set a value; answers with the change, whose steps are the restarts it needs."""
    key = SettingName(name)
    get_setting(key, store=server.store)
    with editing(request, server, f"setting {name}", lambda: get_setting(key, store=server.store)):
        found = set_setting(
            key,
            body.value,
            store=server.store,
            clock=server.clock,
            ids=server.ids,
            bell=server.bell,
            actor=actor.name,
            dry_run=dry_run,
        )
    return change_answer(found, wait)


def _catalog_view(catalog: object) -> Response:
    return answer(msgspec.to_builtins(catalog))


@router.get("/catalog", tags=["catalog"])
def catalog(server: ServerPart, actor: Reader) -> Response:
    """The catalog in force, all rows."""
    return _catalog_view(show_catalog(store=server.store))


class CatalogText(Body):
    name: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "catalog"
    text: str


@router.post("/catalog/check", tags=["catalog"])
def catalog_check(body: CatalogText, server: ServerPart, actor: Reader) -> Response:
    """Whether rows of your own fit; faults name their lines."""
    return _catalog_view(check_catalog(body.text, store=server.store, name=body.name))


@router.post("/catalog/apply", tags=["catalog"])
def catalog_apply(
    body: CatalogText, server: ServerPart, actor: Administrator, dry_run: DryRun = False, wait: Wait = 30
) -> Response:
    """Put rows of your own in force."""
    found = apply_catalog(
        body.name,
        body.text,
        store=server.store,
        clock=server.clock,
        ids=server.ids,
        bell=server.bell,
        actor=actor.name,
        dry_run=dry_run,
    )
    return change_answer(found, wait)


@router.get("/nodes", tags=["nodes"])
def nodes(server: ServerPart, actor: Reader) -> Response:
    """The cluster's nodes and whether each has what it should."""
    return listing(list_nodes(store=server.store, clock=server.clock))


@router.get("/nodes/{name}", tags=["nodes"])
def node(name: Identifier, server: ServerPart, actor: Reader) -> Response:
    """One node."""
    return answer(show_node(NodeName(name), store=server.store, clock=server.clock))
