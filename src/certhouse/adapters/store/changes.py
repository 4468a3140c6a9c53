"""Changes with the journal of their steps, and follow-ups. Documents are JSON; what is searched has its column."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
from sqlalchemy import Connection, select

from certhouse.adapters.store.statements import micros, put
from certhouse.adapters.store.tables import change_steps, changes, follow_ups
from certhouse.model.change import Change, FollowUp, Step
from certhouse.vocabulary import ChangeId, ChangeState, FollowUpState


class SqlChanges:
    """``ports.store.Changes``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, change: Change) -> None:
        self.save(change)
        for step in change.steps:
            self.save_step(change.id, step)

    def save(self, change: Change) -> None:
        document = msgspec.json.encode(replace(change, steps=()))
        row = {"id": change.id, "state": change.state, "created": micros(change.created), "document": document}
        put(self._connection, changes, row)

    def save_step(self, change_id: ChangeId, step: Step) -> None:
        row = {"change": change_id, "number": step.number, "document": msgspec.json.encode(step)}
        put(self._connection, change_steps, row)

    def _with_steps(self, documents: Sequence[bytes]) -> list[Change]:
        found = [msgspec.json.decode(bytes(document), type=Change) for document in documents]
        steps: dict[str, list[Step]] = {change.id: [] for change in found}
        query = select(change_steps.c.change, change_steps.c.document).where(change_steps.c.change.in_(list(steps)))
        for owner, document in self._connection.execute(query.order_by(change_steps.c.change, change_steps.c.number)):
            steps[owner].append(msgspec.json.decode(bytes(document), type=Step))
        return [replace(change, steps=tuple(steps[change.id])) for change in found]

    def get(self, change_id: ChangeId) -> Change | None:
        documents = (
            self._connection.execute(select(changes.c.document).where(changes.c.id == change_id)).scalars().all()
        )
        return next(iter(self._with_steps(documents)), None)

    def newest(self, limit: int, before: ChangeId | None = None) -> Sequence[Change]:
        query = select(changes.c.document).order_by(changes.c.id.desc()).limit(max(1, min(limit, 1000)))
        if before is not None:
            query = query.where(changes.c.id < before)
        return self._with_steps(self._connection.execute(query).scalars().all())

    def in_state(self, *states: ChangeState) -> Sequence[Change]:
        query = select(changes.c.document).where(changes.c.state.in_(states)).order_by(changes.c.id)
        return self._with_steps(self._connection.execute(query).scalars().all())

    def add_follow_up(self, follow_up: FollowUp) -> None:
        self.save_follow_up(follow_up)

    def save_follow_up(self, follow_up: FollowUp) -> None:
        row = {
            "id": follow_up.id,
            "state": follow_up.state,
            "created": micros(follow_up.created),
            "document": msgspec.json.encode(follow_up),
        }
        put(self._connection, follow_ups, row)

    def follow_up(self, follow_up_id: str) -> FollowUp | None:
        document = self._connection.execute(
            select(follow_ups.c.document).where(follow_ups.c.id == follow_up_id)
        ).scalar()
        return msgspec.json.decode(bytes(document), type=FollowUp) if document is not None else None

    def follow_ups(self, *, open_only: bool = True) -> Sequence[FollowUp]:
        query = select(follow_ups.c.document).order_by(follow_ups.c.created, follow_ups.c.id)
        if open_only:
            query = query.where(follow_ups.c.state == FollowUpState.OPEN)
        return [msgspec.json.decode(bytes(item), type=FollowUp) for item in self._connection.execute(query).scalars()]
