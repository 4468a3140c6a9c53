"""The manual's tables, cell by cell, against the catalog."""

import pytest

from certhouse.catalog.shipped import shipped
from certhouse.errors import NotFound, Refused
from certhouse.vocabulary import KeyType, PurposeName, Role, StoreName

UC = shipped("uc")
DEFAULTS = {name: row.default for name, row in UC.settings.items()}
SERVER, CLIENT, IPSEC = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.5"
DS, KE, DE, KCS = "digitalSignature", "keyEncipherment", "dataEncipherment", "keyCertSign"

TABLE_1 = {
    ("CallManager", "CallManager-ECDSA"): (True, {SERVER, CLIENT}, {DS, DE}),
    ("CAPF",): (False, {SERVER}, {DS, KCS}),
    ("ipsec",): (False, {SERVER, CLIENT, IPSEC}, {DS, KE, DE}),
    ("tomcat", "tomcat-ECDSA"): (True, {SERVER, CLIENT}, {DS, DE}),
    ("TVS",): (False, {SERVER, CLIENT}, {DS, KE, DE}),
}
TABLE_2 = {
    ("cup", "cup-ECDSA"): (False, {SERVER, CLIENT, IPSEC}, {DS, KE, DE}),
    ("cup-xmpp", "cup-xmpp-ECDSA"): (True, {SERVER, CLIENT, IPSEC}, {DS, KE, DE}),
    ("cup-xmpp-s2s", "cup-xmpp-s2s-ECDSA"): (True, {SERVER, CLIENT, IPSEC}, {DS, KE, DE}),
    ("ipsec",): (False, {SERVER, CLIENT, IPSEC}, {DS, KE, DE}),
    ("tomcat", "tomcat-ECDSA"): (True, {SERVER, CLIENT}, {DS, KE, DE}),
}


@pytest.mark.parametrize(
    ("role", "name", "row"),
    [
        (role, name, row)
        for role, table in ((Role.CALL_MANAGER, TABLE_1), (Role.IM_PRESENCE, TABLE_2))
        for names, row in table.items()
        for name in names
    ],
)
def test_csr_extensions_are_those_of_tables_1_and_2(
    role: Role, name: str, row: tuple[bool, set[str], set[str]]
) -> None:
    purpose = UC.purpose(name, role)
    assert (purpose.multi_server, set(purpose.extended_key_usage), set(purpose.key_usage)) == row


def test_data_encipherment_must_be_preserved_wherever_it_is_asked_for() -> None:
    for purpose in UC.variants:
        assert (DE in purpose.preserved_key_usage) == (DE in purpose.key_usage)


def restarts(target: str, event: str = "regenerate", publisher: bool = True, **settings: str) -> set[str]:
    values = {**DEFAULTS, **{name.replace("_", "-"): value for name, value in settings.items()}}
    role = Role.CALL_MANAGER
    return set(UC.restarts(target, event=event, settings=values, role=role, publisher=publisher))


TOMCAT = {"Cisco Tomcat", "Cisco DRF Local", "Cisco DRF Master", "Cisco UDS Tomcat", "Cisco AXL Tomcat"}


@pytest.mark.parametrize("release", ["14", "14SU1", "14SU2"])
@pytest.mark.parametrize("name", ["tomcat", "tomcat-ECDSA"])
def test_tomcat_restarts_what_table_3_says(name: str, release: str) -> None:
    assert restarts(name, release=release) == TOMCAT


def test_drs_master_restarts_on_the_publisher_only() -> None:
    assert restarts("tomcat", publisher=False) == TOMCAT - {"Cisco DRF Master"}


def test_tftp_restarts_after_a_tomcat_upload_and_not_after_a_regeneration() -> None:
    assert restarts("tomcat", "upload") - restarts("tomcat") == {"Cisco TFTP"}


@pytest.mark.parametrize("name", ["CallManager", "CallManager-ECDSA"])
def test_callmanager_restarts_cti_manager_in_release_14_only(name: str) -> None:
    assert restarts(name, release="14") == {"Cisco CallManager", "Cisco CTIManager", "Cisco HAProxy"}
    assert restarts(name, release="14SU1") == restarts(name, release="14SU2") == {"Cisco CallManager", "Cisco HAProxy"}


@pytest.mark.parametrize(("name", "services"), [("ipsec", {"IPsec"}), ("CAPF", set()), ("TVS", set())])
def test_the_other_rows_of_table_3(name: str, services: set[str]) -> None:
    assert restarts(name) == services


def follow_ups(target: str, event: str = "regenerate", **settings: str) -> set[str]:
    values = {**DEFAULTS, **{name.replace("_", "-"): value for name, value in settings.items()}}
    rows = UC.follow_ups_for(target, event=event, settings=values, role=Role.CALL_MANAGER, publisher=True)
    return {row.name for row in rows}


def test_saml_metadata_is_a_follow_up_of_tomcat_when_saml_sso_uses_it() -> None:
    assert "saml-metadata" in follow_ups("tomcat", saml_sso="enabled")
    assert "saml-metadata" not in follow_ups("tomcat")


def test_the_ctl_file_is_updated_in_mixed_mode() -> None:
    for name in ("CallManager", "CAPF", "ITLRecovery"):
        assert "update-ctl" in follow_ups(name, security_mode="mixed")
        assert "update-ctl" not in follow_ups(name)
    assert "update-ctl" not in follow_ups("CallManager-ECDSA", security_mode="mixed", release="14SU1")


def test_a_backup_is_due_after_every_new_identity() -> None:
    for purpose in UC.purposes:
        assert "backup" in follow_ups(purpose)


def test_trust_stores_replicate_and_delete_as_the_manual_says() -> None:
    for name in ("tomcat-trust", "CallManager-trust", "Phone-SAST-trust"):
        row = UC.stores[StoreName(name)]
        assert (row.replicates_on_import, row.deletes_everywhere) == (True, True)
    capf = UC.stores[StoreName("CAPF-trust")]
    assert (capf.replicates_on_import, capf.deletes_everywhere, capf.also_copied_to) == (
        False,
        True,
        ("CallManager-trust",),
    )


def test_both_display_tag_sets_are_the_manuals() -> None:
    named = ("issuer", "not-before", "not-after", "subject", "public-key", "key-value")
    assert [UC.display_tags["14SU1"][what] for what in named] == [
        *("Issuer Name", "Validity From", "To", "Subject Name", "Key", "Key Value")
    ]
    assert [UC.display_tags["14SU2"][what] for what in named] == [
        *("IssuerDN", "Start Date", "Final Date", "SubjectDN", "Public Key", "Modulus")
    ]


def test_https_ciphers_restarts_cisco_tomcat() -> None:
    assert restarts("https-ciphers", "setting") == {"Cisco Tomcat"}
    assert DEFAULTS["https-ciphers"] == "rsa-only"


def test_every_name_that_ends_in_ecdsa_has_an_ec_key_and_every_other_rsa() -> None:
    for purpose in UC.variants:
        assert (purpose.key_type is KeyType.EC) == purpose.name.endswith("-ECDSA")


def test_only_capf_is_a_ca_when_it_signs_itself() -> None:
    assert {purpose.name for purpose in UC.variants if purpose.self_signed_is_ca} == {"CAPF"}


def test_callmanager_tvs_and_itlrecovery_may_not_change_together() -> None:
    assert {frozenset(row.purposes) for row in UC.forbidden} == {frozenset({"CallManager", "TVS", "ITLRecovery"})}


def test_every_row_names_its_source() -> None:
    for rows in (UC.variants, UC.stores.values(), UC.restart_rows, UC.follow_ups, UC.warnings, UC.settings.values()):
        assert all(row.reference for row in rows)


def test_a_purpose_that_a_role_does_not_have_is_not_found() -> None:
    with pytest.raises(NotFound, match="tomcat"):
        UC.purpose("cup", Role.CALL_MANAGER)


def own(text: str) -> list[str]:
    with pytest.raises(Refused) as refused:
        UC.with_text("own.toml", text)
    return [fault.detail for fault in refused.value.faults]


def test_rows_of_ones_own_are_added_and_take_the_place_of_rows_of_the_same_name() -> None:
    text = '[[service]]\nname = "nginx"\nkind = "feature"\nroles = ["call-manager"]\n'
    more = '[[restart]]\ntargets = ["tomcat"]\nevents = ["upload"]\nservices = ["nginx"]\n'
    merged = UC.with_text("own.toml", text + more)
    assert "nginx" in merged.restarts(
        "tomcat", event="upload", settings=DEFAULTS, role=Role.CALL_MANAGER, publisher=True
    )
    assert set(UC.purposes) == set(merged.purposes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[service]]\nname = ", "own.toml:2: not TOML"),
        ('[[service]]\nname = "a"\nkind = "feature"\nroles = []\ncolour = "red"\n', "own.toml:5: "),
        ('[[servce]]\nname = "a"\n', "own.toml:1: there is no table [[servce]]"),
        (
            '[[restart]]\ntargets = ["tomcat"]\nevents = ["upload"]\n\nservices = ["gone"]\n',
            "own.toml:5: there is no service gone",
        ),
        ('[[restart]]\ntargets = ["gone"]\nevents = ["upload"]\nservices = []\n', "own.toml:2: gone is no purpose"),
        ('[[warning]]\ntext = "t"\ntargets = ["*"]\nevents = ["whenever"]\n', "own.toml:4: there is no event whenever"),
        (
            '[[warning]]\ntext = "t"\ntargets = ["*"]\nevents = ["csr"]\nwhen = { release = ["99"] }\n',
            "own.toml:5: release never is 99",
        ),
        (
            '[[setting]]\nname = "s"\ndescription = "d"\nminimum = 1\nmaximum = 2\ndefault = "3"\n',
            "own.toml:6: the default",
        ),
    ],
)
def test_a_faulty_row_is_named_with_its_line(text: str, expected: str) -> None:
    assert any(detail.startswith(expected) for detail in own(text)), own(text)


def test_all_faulty_rows_are_named_at_once() -> None:
    row = '[[restart]]\ntargets = ["gone"]\nevents = ["upload"]\nservices = ["lost"]\n'
    assert len(own(row + row)) == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [("release", "13"), ("https-ciphers", "yes"), ("validity-check-frequency", "0"), ("validity-check-frequency", "²")],
)
def test_a_setting_out_of_range_is_refused_with_what_is_allowed(name: str, value: str) -> None:
    with pytest.raises(Refused) as refused:
        UC.check_setting(name, value)
    assert refused.value.faults[0].expected


def test_the_plain_catalog_has_none_of_the_telephony() -> None:
    plain = shipped("services")
    assert PurposeName("CallManager") not in plain.purposes
    assert set(plain.purposes) == {"web", "web-ECDSA", "proxy", "database", "mail"}
