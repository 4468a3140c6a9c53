"""Whether the process lives and works, and what there is to measure."""

import re
from collections.abc import Iterator

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.responses import Response

from certhouse.api.asking import LoggedInRoute, Reader, ServerPart, answer, file
from certhouse.errors import Unavailable
from certhouse.model.entry import ListQuery
from certhouse.operations.changes import list_follow_ups, list_restarts
from certhouse.operations.nodes import list_nodes
from certhouse.wiring.server import Server

public = APIRouter(tags=["health"])
router = APIRouter(tags=["health"], route_class=LoggedInRoute)

MOST_SERIES = 20_000
"""Certificates in /metrics; more would be more than a scraper takes."""


@public.get("/healthz")
def healthz() -> Response:
    """The process lives."""
    return answer({"status": "ok"})


@public.get("/readyz")
def readyz(server: ServerPart) -> Response:
    """The process can work: its database answers."""
    try:
        with server.store.read() as tx:
            tx.nodes.revision()
    except Unavailable:
        return answer({"status": "unavailable"}, 503)
    return answer({"status": "ok"})


def _common_name(name: str) -> str:
    """Gives CN of a name as RFC 4514 writes it."""
    found = re.search(r"(?:^|[,+])\s*CN=((?:\\.|[^,+\\])*)", name)
    return found[1] if found else ""


class _Metrics(Collector):
    def __init__(self, server: Server) -> None:
        self._server = server

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = ["subject_CN", "issuer_CN", "issuer_DN", "serial_number", "purpose", "store", "node"]
        after = GaugeMetricFamily("x509_cert_not_after", "End of validity, seconds since 1970", labels=labels)
        before = GaugeMetricFamily("x509_cert_not_before", "Start of validity, seconds since 1970", labels=labels)
        expired = GaugeMetricFamily("x509_cert_expired", "1 for an expired certificate", labels=labels)
        now = self._server.clock.now()
        with self._server.store.read() as tx:
            for number, entry in enumerate(tx.entries.stream(ListQuery())):
                if number >= MOST_SERIES:
                    break
                if entry.not_after is None or entry.not_before is None:
                    continue
                values = [
                    entry.common_name,
                    _common_name(entry.issuer),
                    entry.issuer,
                    entry.serial,
                    entry.purpose or "",
                    entry.store or "",
                    entry.node or "",
                ]
                after.add_metric(values, entry.not_after.timestamp())
                before.add_metric(values, entry.not_before.timestamp())
                expired.add_metric(values, float(entry.not_after < now))
        yield from (after, before, expired)
        yield GaugeMetricFamily(
            "certhouse_pending_restarts",
            "Services that run with a former certificate",
            value=len(list_restarts(store=self._server.store)),
        )
        yield GaugeMetricFamily(
            "certhouse_open_follow_ups", "What waits for a person", value=len(list_follow_ups(store=self._server.store))
        )
        reachable = GaugeMetricFamily(
            "certhouse_node_reachable", "1 for a node that was heard of lately", labels=["node"]
        )
        for node in list_nodes(store=self._server.store, clock=self._server.clock):
            reachable.add_metric([node.name], float(node.reachable))
        yield reachable


@router.get("/metrics", response_class=Response, responses=file("text/plain"))
def metrics(server: ServerPart, actor: Reader) -> Response:
    """Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Metrics(server))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
