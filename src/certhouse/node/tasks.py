"""Tasks, each done once: the journal answers for one that comes again."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from certhouse.adapters.vault.atomic import replace_file
from certhouse.errors import CerthouseError, Fault, Refused
from certhouse.ports.node import Keys, Services
from certhouse.vocabulary import ServiceAction, ServiceStatus
from certhouse.wire.messages import (
    ControlService,
    ForgetKeys,
    ImportKey,
    KeyImported,
    KeysForgotten,
    MakeRequest,
    MakeSelfSigned,
    Probed,
    ProbePurpose,
    RequestMade,
    Result,
    SelfSignedMade,
    ServiceControlled,
    TaskOrder,
    TaskRefused,
    decode_result,
    encode,
)

KEPT_ANSWERS = 1000


@dataclass(frozen=True, slots=True)
class Journal:
    """What was begun and what came of it, in ``DATA/node/journal``; and the highest fence that was seen."""

    folder: Path

    def answer(self, task: str) -> Result | None:
        try:
            return decode_result((self.folder / f"{task}.done").read_bytes())
        except FileNotFoundError:
            return None

    def finish(self, task: str, result: Result) -> None:
        replace_file(self.folder / f"{task}.done", encode(result))
        (self.folder / f"{task}.begun").unlink(missing_ok=True)

    def begin(self, task: str, instance: str) -> None:
        replace_file(self.folder / f"{task}.begun", instance.encode())

    def begun(self, task: str) -> str | None:
        """Gives the instance a service had before its restart was begun, or None."""
        try:
            return (self.folder / f"{task}.begun").read_text()
        except FileNotFoundError:
            return None

    def fence(self) -> int:
        try:
            return int((self.folder / "fence").read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def raise_fence(self, fence: int) -> None:
        if fence > self.fence():
            replace_file(self.folder / "fence", str(fence).encode())

    def prune(self) -> None:
        if not self.folder.is_dir():
            return
        done = sorted(self.folder.glob("*.done"), key=lambda path: path.stat().st_mtime)
        for path in done[:-KEPT_ANSWERS]:
            path.unlink(missing_ok=True)


class TaskDoer:
    """Does orders against the node's ports. Blocking: call it in a thread."""

    def __init__(self, keys: Keys, services: Services, journal: Journal) -> None:
        self._keys = keys
        self._services = services
        self._journal = journal

    def do(self, order: TaskOrder) -> Result:
        """Gives the task's answer; never raises for what is wrong with the task itself."""
        if (known := self._journal.answer(order.id)) is not None:
            return known
        if 0 < order.fence < self._journal.fence():
            return TaskRefused(
                faults=(Fault(code="fence", detail="the order comes from a control plane that has been replaced"),)
            )
        self._journal.raise_fence(order.fence)
        try:
            result = self._work(order)
        except Refused as error:
            result = TaskRefused(faults=error.faults)
        except CerthouseError as error:
            result = TaskRefused(faults=(Fault(code=error.code, detail=str(error)),))
        except OSError as error:
            result = TaskRefused(faults=(Fault(code="node-io", detail=f"the node could not: {error.strerror}"),))
        self._journal.finish(order.id, result)
        return result

    def _work(self, order: TaskOrder) -> Result:
        match order.work:
            case MakeRequest() as work:
                key = self._keys.make(work.purpose, work.key_type, work.key_length, task=order.id)
                return RequestMade(key_id=key, csr=self._keys.request(work.purpose, key, work.template))
            case MakeSelfSigned() as work:
                key = self._keys.make(work.purpose, work.key_type, work.key_length, task=order.id)
                certificate = self._keys.self_sign(
                    work.purpose,
                    key,
                    work.template,
                    serial=int(work.serial, 16),
                    not_before=work.not_before,
                    days=work.days,
                    ca=work.ca,
                )
                return SelfSignedMade(key_id=key, certificate=certificate)
            case ImportKey() as work:
                self._keys.open_sealed(work.purpose, work.key_id, work.sealed)
                return KeyImported(key_id=work.key_id)
            case ControlService() as work:
                return self._control(order.id, work)
            case ProbePurpose() as work:
                services = [work.service] if work.service else self._services.bound()
                probes = [probe for service in services for probe in self._services.probe(service)]
                return Probed(probes=tuple(probe for probe in probes if probe.purpose == work.purpose))
            case ForgetKeys() as work:
                self._keys.forget(work.purpose, work.key_ids)
                return KeysForgotten(key_ids=work.key_ids)

    def _control(self, task: str, work: ControlService) -> Result:
        before = self._journal.begun(task)
        if work.action is ServiceAction.RESTART:
            seen = self._services.status(work.service)
            # Another instance than the one noted before the restart: it was done, and the agent died before it could say so.
            if before is not None and seen.instance not in ("", before) and seen.status is ServiceStatus.RUNNING:
                return ServiceControlled(service=seen)
            if before is None:
                self._journal.begin(task, seen.instance)
        return ServiceControlled(service=self._services.control(work.service, work.action))


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The newest state that the node has obeyed."""

    epoch: int = 0
    revision: int = 0
