"""``certhouse cert …``."""

import base64
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from certhouse.cli.changing import ask, perform
from certhouse.cli.client import Client, quoted
from certhouse.cli.output import (
    dry_run_option,
    emit,
    node_option,
    output_option,
    plain,
    show_list,
    show_object,
    yes_option,
)

_COLUMNS = {
    "PURPOSE/STORE": "where",
    "NODE": "node",
    "COMMON NAME": "common_name",
    "TYPE": "type",
    "KEY": "key",
    "EXPIRES": "expires",
    "LEFT": "left",
    "SERVED": "served",
    "ID": "short_id",
}


@click.group()
def cert() -> None:
    """Certificates of nodes and trust stores."""


def add_columns(page: dict[str, Any]) -> dict[str, Any]:
    """Adds what a table shows and JSON does not need."""
    for item in page["items"]:
        item["where"] = item["purpose"] or item["store"]
        item["key"] = f"{item['key_type']} {item['key_length']}"
        item["expires"] = (item["not_after"] or "")[:10]
        item["left"] = left(item["not_after"])
        item["short_id"] = (item["id"] or "")[:16]
    return page


def left(not_after: str | None) -> str:
    if not not_after:
        return ""
    from certhouse.adapters.clock import SystemClock

    days = (datetime.fromisoformat(not_after).astimezone(UTC) - SystemClock().now()).days
    return f"{days}d" if days >= 0 else f"expired {-days}d"


def list_options(
    where: tuple[str, ...], node: str | None, sort: str, order: str, limit: int, cursor: str | None
) -> list[tuple[str, str]]:
    query = [("where", text) for text in where] + [("sort", sort), ("order", order), ("limit", str(limit))]
    return query + [(name, value) for name, value in (("node", node), ("cursor", cursor)) if value]


@cert.command("list")
@click.option("--where", multiple=True, metavar="'FIELD OP VALUE'", help="Filter; several hold together")
@click.option("--usage", type=click.Choice(["identity", "trust"]))
@click.option("--node", metavar="NAME")
@click.option(
    "--sort", default="common-name", show_default=True, metavar="FIELD", help="Any field; -FIELD for descending"
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--cursor", metavar="CURSOR", help="Continue after a former page")
@click.option("--all", "everything", is_flag=True, help="Every match, as lines of JSON")
@output_option
def list_certificates(
    where: tuple[str, ...],
    usage: str | None,
    node: str | None,
    sort: str,
    limit: int,
    cursor: str | None,
    everything: bool,
    output: str,
) -> None:
    """Find certificates.

    Fields: common-name subject issuer san purpose store node usage type key-type key-length signature-algorithm serial
    fingerprint expires. Operators: is begins-with ends-with contains is-empty; for expires: before after within.

    \b
    Examples:
      certhouse cert list --usage identity
      certhouse cert list --where 'expires within 30d' --sort expires
      certhouse cert list --where 'issuer contains example' --where 'key-type is rsa' -o json
    """
    order, field = ("desc", sort[1:]) if sort.startswith("-") else ("asc", sort)
    query = list_options(where, node, field, order, limit, cursor) + ([("usage", usage)] if usage else [])
    if everything:
        for block in Client().lines(
            "/certificates/export", [item for item in query if item[0] not in ("limit", "cursor")]
        ):
            sys.stdout.buffer.write(block)
        return
    page = Client().get("/certificates", query)
    show_list(add_columns(page) if output == "table" else page, _COLUMNS, output, empty="no certificate fits")


@cert.command()
@click.argument("identifier", metavar="ID|PURPOSE")
@node_option
@output_option
def show(identifier: str, node: str | None, output: str) -> None:
    """Everything about one certificate: tags, extensions, chain, services, versions.

    \b
    Examples:
      certhouse cert show tomcat
      certhouse cert show 3b0c…  -o json
    """
    found = Client().get(f"/certificates/{quoted(identifier)}", [("node", node)] if node else [])
    show_object(found, output)


@cert.command()
@click.argument("identifier", metavar="ID|PURPOSE")
@click.option("--format", "form", type=click.Choice(["pem", "der", "p7b", "p12"]), default="pem", show_default=True)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to a file (p12 and der need one in a terminal)",
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="For p12; else it is asked for",
)
@node_option
def download(identifier: str, form: str, out: Path | None, password_file: Path | None, node: str | None) -> None:
    """Take a certificate away. With its key (p12) only on the node itself, by the owner of its data directory.

    \b
    Examples:
      certhouse cert download tomcat > tomcat.pem
      certhouse cert download tomcat --format p7b --out chain.p7b
      certhouse cert download tomcat --format p12 --out tomcat.p12
    """
    if form == "p12":
        content = _with_key(identifier, password_file)
    else:
        query = [("format", form)] + ([("node", node)] if node else [])
        content = Client().fetch("GET", f"/certificates/{quoted(identifier)}/download", query)
    write(content, out, secret=form == "p12", text=form == "pem")


def _with_key(purpose: str, password_file: Path | None) -> bytes:
    from certhouse.cli.client import data_directory
    from certhouse.wiring.cli import export_identity

    password = read_password(password_file, "CERTHOUSE_P12_PASSWORD", "Password for the PKCS#12", confirm=True)
    return export_identity(data_directory(), purpose, password)


def read_password(file: Path | None, variable: str, prompt: str, *, confirm: bool) -> str:
    """Gives a password from a file, the environment or the terminal; never from the command line."""
    if file is not None:
        return file.read_text().strip()
    if variable in os.environ:
        return os.environ[variable]
    if not sys.stdin.isatty():
        click.echo(f"give the password in a file (--password-file) or in {variable}", err=True)
        sys.exit(2)
    text: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
    return text


def write(content: bytes, out: Path | None, *, secret: bool, text: bool) -> None:
    if out is not None:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        click.echo(f"wrote {out}", err=True)
        return
    if not text and sys.stdout.isatty():
        click.echo("this is binary: give --out FILE, or send it on", err=True)
        sys.exit(2)
    sys.stdout.buffer.write(content)


@cert.command()
@click.argument("target", metavar="PURPOSE|STORE")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The private key, to adopt a certificate made elsewhere",
)
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Opens PKCS#12 and an encrypted key",
)
@click.option("--description", default="")
@click.option("--restart", is_flag=True, help="Run the restarts at once")
@node_option
@dry_run_option
@output_option
def upload(
    target: str,
    files: tuple[Path, ...],
    key: Path | None,
    password_file: Path | None,
    description: str,
    restart: bool,
    node: str | None,
    dry_run: bool,
    output: str,
) -> None:
    """Upload what the CA sent: PEM, DER, PKCS#7 or PKCS#12, leaf and CAs in any order.

    \b
    Examples:
      certhouse cert upload tomcat chain.p7b
      certhouse cert upload tomcat-trust root.pem intermediate.pem
      certhouse cert upload tomcat old.p12 --password-file pw     (adopts certificate and key)
      certhouse cert upload tomcat cert.pem chain.pem --key key.pem --dry-run
    """
    contents = [sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes() for path in files]
    password = os.environ.get("CERTHOUSE_P12_PASSWORD")
    if password_file is not None:
        password = password_file.read_text().strip()
    body = {
        "target": target,
        "node": node,
        "files": [
            {"name": path.name, "content": base64.b64encode(content).decode()}
            for path, content in zip(files, contents, strict=True)
        ],
        "key": base64.b64encode(key.read_bytes()).decode() if key else None,
        "password": password,
        "description": description,
        "restart": restart,
    }
    perform(Client(), "POST", "/certificates", body, [], output=output, dry_run=dry_run)


def _overwrites(client: Client, purpose: str, node: str | None) -> bool:
    """Says whether a CA-signed identity would be replaced: only then it is worth a question."""
    where = [("where", f"purpose is {purpose}"), ("usage", "identity"), ("where", "type is ca-signed")]
    return bool(client.get("/certificates", where + ([("node", node)] if node else []))["items"])


@cert.command()
@click.argument("purpose")
@click.option("--restart", is_flag=True, help="Run the restarts at once")
@node_option
@yes_option
@dry_run_option
@output_option
def regenerate(purpose: str, restart: bool, node: str | None, yes: bool, dry_run: bool, output: str) -> None:
    """Replace an identity by a self-signed one: new key of the same type and length, same names.

    \b
    Example:
      certhouse cert regenerate tomcat --dry-run
    """
    client, path = Client(), f"/identities/{quoted(purpose)}/regenerate"
    body = {"node": node, "restart": restart}
    if not dry_run and _overwrites(client, purpose, node):
        ask(client, "POST", path, body, [], yes=yes, question=f"Replace the CA-signed certificate of {plain(purpose)}?")
    perform(client, "POST", path, body, [], output=output, dry_run=dry_run)


@cert.command("self-sign")
@click.argument("purpose")
@click.option("--key-length", type=int, help="2048, 3072, 4096; or 256, 384, 521 for EC")
@click.option("--hash", "hash_name", help="sha256, sha384, sha512")
@click.option("--days", type=int, help="Validity in days")
@click.option("--common-name")
@click.option("--san", "sans", multiple=True, help="DNS name, IP address, URI or e-mail address; may be repeated")
@click.option("--restart", is_flag=True, help="Run the restarts at once")
@node_option
@yes_option
@dry_run_option
@output_option
def self_sign(
    purpose: str,
    key_length: int | None,
    hash_name: str | None,
    days: int | None,
    common_name: str | None,
    sans: tuple[str, ...],
    restart: bool,
    node: str | None,
    yes: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Replace an identity by a self-signed one of your choice.

    \b
    Example:
      certhouse cert self-sign tomcat --key-length 4096 --days 365 --san www.example.com
    """
    client, path = Client(), f"/identities/{quoted(purpose)}/self-sign"
    body = {
        "node": node,
        "common_name": common_name,
        "sans": list(sans),
        "key_length": key_length,
        "hash": hash_name,
        "days": days,
        "restart": restart,
    }
    if not dry_run and _overwrites(client, purpose, node):
        ask(client, "POST", path, body, [], yes=yes, question=f"Replace the CA-signed certificate of {plain(purpose)}?")
    perform(client, "POST", path, body, [], output=output, dry_run=dry_run)


@cert.command()
@click.argument("entry", metavar="ENTRY|PURPOSE|ID")
@click.argument("text")
@node_option
@output_option
def describe(entry: str, text: str, node: str | None, output: str) -> None:
    """Edit the description of a certificate.

    \b
    Example:
      certhouse cert describe tomcat 'renewed by the network team'
    """
    client = Client()
    found = client.get(f"/certificates/{quoted(entry)}", [("node", node)] if node else [])
    edited = client.send("PATCH", f"/entries/{quoted(found['entry'])}", {"description": text})
    if output == "table":
        click.echo(f"{plain(edited['entry'])}: {plain(edited['description'])}")
    else:
        emit(edited, output)
