"""``certhouse trust …``."""

import base64
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from certhouse.cli.cert import add_columns, list_options, read_password, write
from certhouse.cli.changing import ask, follow, perform, show_change
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

_BLOCK = re.compile(rb"-----BEGIN [A-Z0-9 ]*CERTIFICATE-----.*?-----END [A-Z0-9 ]*CERTIFICATE-----", re.DOTALL)
BATCH = 500


@click.group()
def trust() -> None:
    """Trust stores: whose certificates nodes accept."""


@trust.command("list")
@click.argument("store", required=False)
@click.option("--where", multiple=True, metavar="'FIELD OP VALUE'")
@click.option("--sort", default="common-name", show_default=True, metavar="FIELD")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--cursor", metavar="CURSOR")
@click.option("--node", metavar="NAME")
@output_option
def list_trust(
    store: str | None, where: tuple[str, ...], sort: str, limit: int, cursor: str | None, node: str | None, output: str
) -> None:
    """The trust stores; with STORE, what it holds.

    \b
    Examples:
      certhouse trust list
      certhouse trust list tomcat-trust --where 'expires within 90d'
    """
    client = Client()
    if store is None:
        columns = {
            "STORE": "name",
            "REPLICATES": "replicates_on_import",
            "DELETES EVERYWHERE": "deletes_everywhere",
            "COPIED TO": "also_copied_to",
            "WHAT": "description",
        }
        show_list(client.get("/trust"), columns, output)
        return
    order, field = ("desc", sort[1:]) if sort.startswith("-") else ("asc", sort)
    page = client.get(f"/trust/{quoted(store)}", list_options(where, node, field, order, limit, cursor))
    columns = {
        "COMMON NAME": "common_name",
        "ISSUER": "issuer",
        "TYPE": "type",
        "EXPIRES": "expires",
        "LEFT": "left",
        "ID": "id",
    }
    show_list(add_columns(page) if output == "table" else page, columns, output, empty=f"{plain(store)} is empty")


@trust.command()
@click.argument("store")
@click.argument("identifier", metavar="ID")
@node_option
@output_option
def show(store: str, identifier: str, node: str | None, output: str) -> None:
    """One certificate of a trust store."""
    key = f"{store}/{identifier.lower()}" + (f"@{node}" if node else "")
    show_object(Client().get(f"/certificates/{quoted(key)}"), output)


@trust.command()
@click.argument("store")
@click.argument("identifier", metavar="ID")
@node_option
@yes_option
@dry_run_option
@output_option
def delete(store: str, identifier: str, node: str | None, yes: bool, dry_run: bool, output: str) -> None:
    """Delete a trust certificate. The preview says what stops validating.

    \b
    Example:
      certhouse trust delete tomcat-trust 3b0c… --dry-run
    """
    client, path = Client(), f"/trust/{quoted(store)}/{quoted(identifier)}"
    query = [("node", node)] if node else []
    if not dry_run:
        ask(client, "DELETE", path, None, query, yes=yes, question=f"Delete it from {plain(store)}?")
    perform(client, "DELETE", path, None, query, output=output, dry_run=dry_run)


@trust.command()
@click.argument("store")
@click.argument("identifier", metavar="ID")
@node_option
@dry_run_option
@output_option
def restore(store: str, identifier: str, node: str | None, dry_run: bool, output: str) -> None:
    """Bring a deleted trust certificate back, byte for byte."""
    query = [("node", node)] if node else []
    perform(
        Client(),
        "POST",
        f"/trust/{quoted(store)}/{quoted(identifier)}/restore",
        None,
        query,
        output=output,
        dry_run=dry_run,
    )


def batches(content: bytes) -> Iterator[bytes]:
    """Cuts a PEM bundle into batches that the server takes; anything else goes as it is."""
    blocks = _BLOCK.findall(content)
    if len(blocks) <= BATCH:
        yield content
        return
    for start in range(0, len(blocks), BATCH):
        yield b"\n".join(blocks[start : start + BATCH])


@trust.command("import")
@click.argument("store")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--description", default="")
@node_option
@dry_run_option
@output_option
def import_(store: str, file: Path, description: str, node: str | None, dry_run: bool, output: str) -> None:
    """Import a bundle of any size. Each batch of 500 enters whole or not at all.

    \b
    Example:
      certhouse trust import tomcat-trust /etc/ssl/certs/ca-certificates.crt
    """
    client = Client()
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    parts = list(batches(content))
    query = [("dry_run", "true")] if dry_run else []
    changes = []
    with click.progressbar(
        parts, label=f"import to {plain(store)}", file=sys.stderr, hidden=len(parts) < 2
    ) as progress:
        for part in progress:
            body = {"content": base64.b64encode(part).decode(), "node": node, "description": description}
            changes.append(follow(client, client.send("POST", f"/trust/{quoted(store)}/import", body, query)))
    if len(changes) == 1:
        show_change(changes[0], output)
    elif output != "table":
        emit({"items": changes, "next": None, "total": len(changes)}, output)
    else:
        for change in changes:
            click.echo(f"change {change['id']}: {plain(change['summary'])} - {change['state']}")


@trust.command("export")
@click.argument("store")
@click.option("--format", "form", type=click.Choice(["pem", "p12"]), default="pem", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@node_option
def export(store: str, form: str, out: Path | None, password_file: Path | None, node: str | None) -> None:
    """Take a whole trust store away, as PEM bundle or PKCS#12.

    \b
    Example:
      certhouse trust export tomcat-trust > bundle.pem
    """
    client = Client()
    if form == "p12":
        password = read_password(password_file, "CERTHOUSE_P12_PASSWORD", "Password for the PKCS#12", confirm=True)
        body = {"format": "p12", "password": password, "node": node}
        content = client.fetch("POST", f"/trust/{quoted(store)}/export", None, body)
    else:
        content = client.fetch("GET", f"/trust/{quoted(store)}/export", [("node", node)] if node else [])
    write(content, out, secret=False, text=form == "pem")
