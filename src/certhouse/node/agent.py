"""The agent's loop: hear what is wanted, make it so, read it back, report. Alone, it keeps the last good state."""

import asyncio
import contextlib
from pathlib import Path

import aiohttp
import msgspec
import structlog

from certhouse.adapters.vault.atomic import replace_file
from certhouse.errors import CerthouseError, Refused
from certhouse.model.node import DesiredState, ObservedState, Probe
from certhouse.node.membership import Member, MemberFiles, renew
from certhouse.node.tasks import Applied, Journal, TaskDoer
from certhouse.policy.reconcile import InstallIdentity, InstallStore, RemoveIdentity, is_older, reconcile
from certhouse.ports.node import Keys, Services, Vault
from certhouse.ports.world import Clock
from certhouse.wire.messages import TaskOrder, decode_desired, encode
from certhouse.x509.facts import fingerprint_of

REPORT_EVERY = 30.0
"""Seconds between reports, and so between looks for drift."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
_SILENCE = 40.0

log = structlog.get_logger("certhouse.node")


class Agent:
    def __init__(
        self,
        *,
        data: Path,
        member: Member,
        files: MemberFiles,
        keys: Keys,
        vault: Vault,
        services: Services,
        clock: Clock,
    ) -> None:
        self._member = member
        self._files = files
        self._vault = vault
        self._services = services
        self._clock = clock
        self._journal = Journal(data / "node" / "journal")
        self._tasks = TaskDoer(keys, services, self._journal)
        self._state_file = data / "node" / "applied.json"
        self._desired: DesiredState | None = None
        self._faults: tuple[str, ...] = ()
        self._converging = asyncio.Lock()
        self._orders: asyncio.Queue[TaskOrder] = asyncio.Queue()

    @property
    def _base(self) -> str:
        return f"https://{self._member.gateway}/v1"

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set; comes back by itself when the control plane was away."""
        pause = _FIRST_PAUSE
        stopping = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            began = self._clock.monotonic()
            serving = asyncio.ensure_future(self._serve())
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            serving.cancel()
            with contextlib.suppress(
                asyncio.CancelledError, aiohttp.ClientError, OSError, TimeoutError, CerthouseError
            ):
                await serving
            if serving.done() and not serving.cancelled() and (error := serving.exception()) is not None:
                log.warning("control plane away", error=f"{type(error).__name__}: {error}"[:200])
            pause = _FIRST_PAUSE if self._clock.monotonic() - began > _LONGEST_PAUSE else min(pause * 2, _LONGEST_PAUSE)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(stopping), pause)
        stopping.cancel()

    async def _serve(self) -> None:
        limit = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=_SILENCE)
        connector = aiohttp.TCPConnector(ssl=self._files.tls())
        async with aiohttp.ClientSession(timeout=limit, connector=connector) as session, asyncio.TaskGroup() as group:
            group.create_task(self._listen(session))
            group.create_task(self._report_regularly(session))
            group.create_task(self._do_tasks(session))

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{self._base}/events") as response:
            if response.status != 200:
                raise aiohttp.ClientResponseError(response.request_info, (), status=response.status)
            async for line in response.content:
                event = msgspec.json.decode(line)
                if "desired" in event:
                    await self._fetch(session)
                if "order" in event:
                    await self._orders.put(msgspec.convert(event["order"], TaskOrder))
        raise ConnectionError("the stream has ended")

    async def _do_tasks(self, session: aiohttp.ClientSession) -> None:
        while True:
            order = await self._orders.get()
            result = await asyncio.to_thread(self._tasks.do, order)
            log.info("task done", task=order.id, answer=type(result).__name__)
            async with session.post(f"{self._base}/tasks/{order.id}/result", data=encode(result)) as response:
                response.raise_for_status()
            await self._report(session)

    async def _report_regularly(self, session: aiohttp.ClientSession) -> None:
        while True:
            if self._files.renewal_due(self._clock.now()):
                await renew(self._member, self._files)
                raise ConnectionError("the certificate was renewed")
            if self._desired is not None:
                await self._converge(session, self._desired)
            await self._report(session)
            await asyncio.to_thread(self._journal.prune)
            await asyncio.sleep(REPORT_EVERY)

    async def _fetch(self, session: aiohttp.ClientSession) -> None:
        async with session.get(f"{self._base}/desired") as response:
            response.raise_for_status()
            desired = decode_desired(await response.read())
        if is_older(
            desired,
            ObservedState(node=self._member.name, epoch=self._applied().epoch, revision=self._applied().revision),
        ):
            self._faults = (
                f"state: the control plane's state {desired.epoch}.{desired.revision} is older than this node's",
            )
            await self._report(session)
            return
        self._desired = desired
        await self._converge(session, desired)
        await self._report(session)

    def _applied(self) -> Applied:
        try:
            return msgspec.json.decode(self._state_file.read_bytes(), type=Applied)
        except (FileNotFoundError, msgspec.DecodeError):
            return Applied()

    async def _converge(self, session: aiohttp.ClientSession, desired: DesiredState) -> None:
        """Applies the difference between what is wanted and what is on disk, and notes what could not be done."""
        async with self._converging:
            observed = await asyncio.to_thread(self._look, desired)
            fingerprints = {item.purpose: fingerprint_of(item.certificate) for item in desired.identities}
            faults: list[str] = []
            for action in reconcile(desired, observed, fingerprints):
                match action:
                    case InstallStore(store, _):
                        async with session.get(f"{self._base}/stores/{store}") as response:
                            response.raise_for_status()
                            content = msgspec.json.decode(await response.read(), type=list[bytes])
                        await asyncio.to_thread(self._vault.install_store, store, content)
                    case InstallIdentity(identity, _):
                        try:
                            await asyncio.to_thread(self._vault.install_identity, identity)
                        except Refused as error:
                            faults.append(f"{identity.purpose}: {error}")
                    case RemoveIdentity(purpose):
                        await asyncio.to_thread(self._vault.remove_identity, purpose)
            self._faults = tuple(faults)
            applied = Applied(epoch=desired.epoch, revision=desired.revision)
            if applied != self._applied():
                await asyncio.to_thread(replace_file, self._state_file, msgspec.json.encode(applied))

    def _look(self, desired: DesiredState | None, *, services: bool = False) -> ObservedState:
        applied = self._applied()
        stores = [item.store for item in desired.stores] if desired else list(self._vault.stores())
        digests = {store: digest for store in stores if (digest := self._vault.store_digest(store)) is not None}
        bound = list(self._services.bound()) if services else []
        probes: list[Probe] = [probe for service in bound for probe in self._services.probe(service)]
        return ObservedState(
            node=self._member.name,
            epoch=applied.epoch,
            revision=applied.revision,
            identities=tuple(self._vault.identities()),
            stores=digests,
            services=tuple(self._services.status(service) for service in bound),
            probes=tuple(probes),
            faults=self._faults,
        )

    async def _report(self, session: aiohttp.ClientSession) -> None:
        observed = await asyncio.to_thread(self._look_whole)
        async with session.post(f"{self._base}/observed", data=encode(observed)) as response:
            response.raise_for_status()

    def _look_whole(self) -> ObservedState:
        try:
            return self._look(self._desired, services=True)
        except CerthouseError as error:
            # Bindings that cannot be read are reported; certificates go on being managed.
            self._faults = (*self._faults, f"bindings: {error}")
            return self._look(self._desired)
