"""Nodes and their tasks, settings and catalogs, leases, and the control plane's own keys."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, RowMapping, delete, func, select, update

from certhouse.adapters.store.statements import add_missing, from_micros, micros, put
from certhouse.adapters.store.tables import catalogs, counters, invitations, leases, nodes, secrets, settings, tasks
from certhouse.errors import Misconfigured
from certhouse.model.node import Node, ObservedState
from certhouse.model.task import Task
from certhouse.vocabulary import Fingerprint, NodeName, NodeState, Role, SettingName

_NONCE = 12


def _task(row: RowMapping) -> Task:
    return Task(
        id=row["id"],
        node=NodeName(row["node"]),
        fence=row["fence"],
        work=bytes(row["work"]),
        created=from_micros(row["created"]),
        result=None if row["result"] is None else bytes(row["result"]),
        finished=None if row["finished"] is None else from_micros(row["finished"]),
    )


class SqlTasks:
    """``ports.store.Tasks``. A task's work is emptied when it is answered: a sealed key stays no longer than needed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, task: Task) -> None:
        row = {
            "id": task.id,
            "node": task.node,
            "fence": task.fence,
            "created": micros(task.created),
            "work": task.work,
        }
        add_missing(self._connection, tasks, [row])

    def get(self, task_id: str) -> Task | None:
        row = self._connection.execute(select(tasks).where(tasks.c.id == task_id)).mappings().first()
        return _task(row) if row is not None else None

    def open_for(self, node: NodeName) -> Sequence[Task]:
        query = (
            select(tasks).where(tasks.c.node == node, tasks.c.finished.is_(None)).order_by(tasks.c.created, tasks.c.id)
        )
        return [_task(row) for row in self._connection.execute(query).mappings()]

    def finish(self, task_id: str, node: NodeName, result: bytes, at: datetime) -> bool:
        done = self._connection.execute(
            update(tasks)
            .where(tasks.c.id == task_id, tasks.c.node == node, tasks.c.finished.is_(None))
            .values(result=result, finished=micros(at), work=b"")
        )
        return done.rowcount == 1

    def cancel(self, task_id: str) -> None:
        self._connection.execute(delete(tasks).where(tasks.c.id == task_id, tasks.c.finished.is_(None)))


def _node(row: RowMapping) -> Node:
    return Node(
        name=NodeName(row["name"]),
        role=Role(row["role"]),
        publisher=bool(row["publisher"]),
        state=NodeState(row["state"]),
        certificate=Fingerprint(row["certificate"]),
        seal_key=bytes(row["seal_key"]),
        domain=row["domain"],
        joined=from_micros(row["joined"]),
        last_seen=None if row["last_seen"] is None else from_micros(row["last_seen"]),
    )


class SqlNodes:
    """``ports.store.Nodes``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, node: Node) -> None:
        self.save(node)

    def save(self, node: Node) -> None:
        row = {
            "name": node.name,
            "role": node.role,
            "publisher": int(node.publisher),
            "state": node.state,
            "certificate": node.certificate,
            "seal_key": node.seal_key,
            "domain": node.domain,
            "joined": micros(node.joined),
            "last_seen": None if node.last_seen is None else micros(node.last_seen),
        }
        put(self._connection, nodes, row)

    def get(self, name: NodeName) -> Node | None:
        row = self._connection.execute(select(nodes).where(nodes.c.name == name)).mappings().first()
        return _node(row) if row is not None else None

    def by_certificate(self, fingerprint: Fingerprint) -> Node | None:
        query = select(nodes).where(nodes.c.certificate == fingerprint, nodes.c.state == NodeState.ACTIVE)
        row = self._connection.execute(query).mappings().first()
        return _node(row) if row is not None else None

    def all(self) -> Sequence[Node]:
        query = select(nodes).where(nodes.c.state == NodeState.ACTIVE).order_by(nodes.c.publisher.desc(), nodes.c.name)
        return [_node(row) for row in self._connection.execute(query).mappings()]

    def observe(self, observed: ObservedState, at: datetime) -> None:
        values = {"observed": msgspec.json.encode(observed), "last_seen": micros(at)}
        self._connection.execute(update(nodes).where(nodes.c.name == observed.node).values(**values))

    def observed(self, name: NodeName) -> ObservedState | None:
        document = self._connection.execute(select(nodes.c.observed).where(nodes.c.name == name)).scalar()
        return msgspec.json.decode(bytes(document), type=ObservedState) if document is not None else None

    def add_invitation(self, token_hash: str, role: str, expires: datetime) -> None:
        put(self._connection, invitations, {"token_hash": token_hash, "role": role, "expires": micros(expires)})

    def take_invitation(self, token_hash: str, now: datetime) -> str | None:
        query = select(invitations.c.role).where(
            invitations.c.token_hash == token_hash, invitations.c.expires > micros(now)
        )
        role = self._connection.execute(query).scalar()
        self._connection.execute(delete(invitations).where(invitations.c.token_hash == token_hash))
        return str(role) if role is not None else None

    def _counter(self, name: str) -> int:
        return int(self._connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar() or 0)

    def epoch(self) -> int:
        return self._counter("epoch")

    def revision(self) -> int:
        return self._counter("revision")

    def raise_revision(self) -> int:
        raised = self.revision() + 1
        put(self._connection, counters, {"name": "revision", "value": raised})
        return raised


class SqlSettings:
    """``ports.store.Settings``. The starting catalog is the catalog row at position 0."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> dict[SettingName, str]:
        rows = self._connection.execute(select(settings.c.name, settings.c.value).order_by(settings.c.name))
        return {SettingName(row[0]): row[1] for row in rows}

    def set(self, name: SettingName, value: str) -> None:
        put(self._connection, settings, {"name": name, "value": value})

    def unset(self, name: SettingName) -> None:
        self._connection.execute(delete(settings).where(settings.c.name == name))

    def starting_catalog(self) -> str | None:
        text = self._connection.execute(select(catalogs.c.text).where(catalogs.c.position == 0)).scalar()
        return str(text) if text is not None else None

    def set_starting_catalog(self, name_or_text: str) -> None:
        put(self._connection, catalogs, {"name": "(start)", "position": 0, "text": name_or_text})

    def own_catalogs(self) -> Mapping[str, str]:
        query = select(catalogs.c.name, catalogs.c.text).where(catalogs.c.position > 0).order_by(catalogs.c.position)
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def set_own_catalog(self, name: str, text: str) -> None:
        if not text:
            self._connection.execute(delete(catalogs).where(catalogs.c.name == name, catalogs.c.position > 0))
            return
        position = self._connection.execute(select(catalogs.c.position).where(catalogs.c.name == name)).scalar()
        if position is None:
            position = int(self._connection.execute(select(func.max(catalogs.c.position))).scalar() or 0) + 1
        put(self._connection, catalogs, {"name": name, "position": position, "text": text})


class SqlSecrets:
    """``ports.store.Secrets``: AES-256-GCM, the name bound in, under a key that is not in the database."""

    def __init__(self, connection: Connection, key_encryption_key: bytes) -> None:
        self._connection = connection
        self._cipher = AESGCM(key_encryption_key)

    def get(self, name: str) -> bytes | None:
        sealed = self._connection.execute(select(secrets.c.sealed).where(secrets.c.name == name)).scalar()
        if sealed is None:
            return None
        sealed = bytes(sealed)
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
        except InvalidTag as error:
            raise Misconfigured(
                "the key-encryption key is not the one that this database was made with; "
                "give the right one, or restore it from where it is kept"
            ) from error

    def set(self, name: str, value: bytes) -> None:
        nonce = os.urandom(_NONCE)
        put(
            self._connection,
            secrets,
            {"name": name, "sealed": nonce + self._cipher.encrypt(nonce, value, name.encode())},
        )


class SqlLeases:
    """``ports.store.Leases``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def take(self, name: str, holder: str, now: datetime, seconds: int) -> int | None:
        row = self._connection.execute(select(leases).where(leases.c.name == name)).mappings().first()
        if row is not None and row["holder"] != holder and row["until"] > micros(now):
            return None
        fence = (row["fence"] if row is not None else 0) + (0 if row is not None and row["holder"] == holder else 1)
        until = micros(now + timedelta(seconds=seconds))
        put(self._connection, leases, {"name": name, "holder": holder, "fence": fence, "until": until})
        return fence

    def release(self, name: str, holder: str) -> None:
        self._connection.execute(update(leases).where(leases.c.name == name, leases.c.holder == holder).values(until=0))
