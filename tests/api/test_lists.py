"""Lists and exports over HTTP."""

import csv
import io
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from certhouse.model.identity import TrustEntry
from certhouse.vocabulary import StoreName
from certhouse.x509.facts import read_certificate
from certhouse.x509.request import CsrTemplate
from certhouse.x509.self_signed import self_sign
from tests.api.edge import Edge

STORE = StoreName("tomcat-trust")
NAMES = ("Alpha Root", "Beta Root", "Gamma Root", "=cmd|' /C calc'!A0", "<script>alert(1)</script>")


@pytest.fixture
def filled(edge: Edge) -> Edge:
    key, now = ec.generate_private_key(ec.SECP256R1()), edge.clock.now()
    facts = [
        read_certificate(
            self_sign(
                key,
                CsrTemplate(subject=(("CN", name),), sans=(), key_usage=(), extended_key_usage=()),
                serial=number + 1,
                not_before=now - timedelta(days=1),
                days=100 + number,
            )
        )
        for number, name in enumerate(NAMES)
    ]
    with edge.server.store.begin() as tx:
        tx.certificates.add(facts)
        tx.trust.add(
            TrustEntry(store=STORE, fingerprint=one.fingerprint, node=None, description="", added=now, change=None)
            for one in facts
        )
    return edge


def names(edge: Edge, query: str) -> list[str]:
    answer = edge.local.get(f"/certificates?{query}")
    assert answer.status == 200, answer.body
    return [item["common_name"] for item in answer.json()["items"]]


def test_a_list_has_items_next_and_total(filled: Edge) -> None:
    answer = filled.local.get("/certificates?limit=2").json()
    assert (len(answer["items"]), answer["total"]) == (2, len(NAMES))
    assert answer["next"]


def test_pages_follow_one_another_without_gap_or_repetition(filled: Edge) -> None:
    seen, cursor = [], ""
    while True:
        page = filled.local.get(f"/certificates?limit=2&cursor={cursor}" if cursor else "/certificates?limit=2").json()
        seen += [item["common_name"] for item in page["items"]]
        cursor = page["next"]
        if not cursor:
            break
    assert sorted(seen) == sorted(NAMES)


def test_filters_hold_together(filled: Edge) -> None:
    assert names(filled, "where=common-name+contains+Root&where=common-name+begins-with+beta") == ["Beta Root"]


def test_the_order_is_the_askers(filled: Edge) -> None:
    down = names(filled, "sort=expires&order=desc")
    assert down == list(reversed(names(filled, "sort=expires")))


def test_every_fault_of_the_filters_comes_at_once(edge: Edge) -> None:
    answer = edge.local.get("/certificates?where=colour+is+red&where=expires+contains+1&where=subject+is")
    assert answer.codes == ["filter-field", "filter-operator", "filter-value"]


def test_too_many_filters_are_refused_rather_than_cut(edge: Edge) -> None:
    query = "&".join("where=subject+contains+a" for _ in range(51))
    assert edge.local.get(f"/certificates?{query}").status == 422


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "cursor=x", "sort=colour", "order=up", "usage=none"])
def test_a_parameter_that_does_not_fit_is_refused(edge: Edge, query: str) -> None:
    assert edge.local.get(f"/certificates?{query}").status in (400, 422)


def test_an_item_has_what_the_interface_promises(filled: Edge) -> None:
    item = filled.local.get("/certificates?limit=1").json()["items"][0]
    promised = (
        "entry id common_name subject issuer serial not_before not_after usage purpose store node type key_type key_length "
        "signature_algorithm sans description served revocation"
    )
    assert set(promised.split()) <= set(item)


def test_a_trust_store_lists_its_own(filled: Edge) -> None:
    assert filled.local.get("/trust/tomcat-trust").json()["total"] == len(NAMES)
    assert filled.local.get("/trust/CallManager-trust").json()["total"] == 0
    assert filled.local.get("/trust/no-trust").status == 404


def test_the_export_holds_every_match_as_lines_of_json(filled: Edge) -> None:
    answer = filled.local.get("/certificates/export?where=common-name+ends-with+Root")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["common_name"] for line in answer.body.splitlines()] == list(NAMES[:3])


def test_the_export_as_csv_has_no_cell_that_a_spreadsheet_would_run(filled: Edge) -> None:
    answer = filled.local.get("/certificates/export?format=csv")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert len(rows) == len(NAMES)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_an_empty_export_is_empty(edge: Edge) -> None:
    assert edge.local.get("/certificates/export").body == b""


def test_exports_beyond_the_places_there_are_come_later(filled: Edge) -> None:
    places = filled.app.state.exports
    while places.acquire(blocking=False):
        pass
    assert filled.local.get("/certificates/export").status == 429
    places.release()
    assert filled.local.get("/certificates/export").status == 200
    assert filled.local.get("/certificates/export").status == 200


def test_a_description_is_edited_with_its_etag(filled: Edge) -> None:
    item = filled.local.get("/certificates?limit=1").json()["items"][0]
    shown = filled.local.get(f"/certificates/{item['id']}")
    path = f"/entries/{item['entry']}"
    edited = filled.local.ask("PATCH", path, {"description": "ours"}, If_Match=shown.headers["etag"])
    assert (edited.status, edited.json()["description"]) == (200, "ours")
    stale = filled.local.ask("PATCH", path, {"description": "mine"}, If_Match=shown.headers["etag"])
    assert (stale.status, stale.codes) == (409, ["changed-meanwhile"])


def test_an_unknown_entry_is_not_found(edge: Edge) -> None:
    assert edge.local.ask("PATCH", "/entries/nothing@nowhere", {"description": "x"}).status == 404


@pytest.mark.parametrize("format", ["pem", "der", "p7b"])
def test_a_certificate_is_downloaded_under_a_safe_name(filled: Edge, format: str) -> None:
    for item in filled.local.get("/certificates").json()["items"]:
        answer = filled.local.get(f"/certificates/{item['id']}/download?format={format}")
        assert answer.status == 200
        disposition = answer.headers["content-disposition"]
        assert disposition.startswith('attachment; filename="')
        assert not set("<>|!'/\\\r\n") & set(disposition.partition("filename=")[2])


def test_a_trust_store_is_exported_under_a_password_that_stays_out_of_the_address(filled: Edge) -> None:
    answer = filled.local.post("/trust/tomcat-trust/export", {"format": "p12", "password": "hunter2hunter2"})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-pkcs12")
    assert filled.local.get("/trust/tomcat-trust/export?format=p12&password=x").headers["content-type"] != (
        "application/x-pkcs12"
    )


def test_metrics_name_every_certificate(filled: Edge) -> None:
    lines = filled.local.get("/metrics").body.decode().splitlines()
    series = [line for line in lines if line.startswith("x509_cert_not_after{")]
    assert len(series) == len(NAMES)
    assert 'issuer_CN="Alpha Root"' in "".join(series)
