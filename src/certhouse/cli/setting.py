"""``certhouse setting …`` and ``certhouse catalog …``."""

from pathlib import Path

import click

from certhouse.cli.changing import perform
from certhouse.cli.client import Client, quoted
from certhouse.cli.output import dry_run_option, emit, output_option, plain, show_list


@click.group()
def setting() -> None:
    """Enterprise parameters and settings that the catalog's rows depend on."""


@setting.command("list")
@output_option
def list_settings(output: str) -> None:
    """All settings with values and ranges."""
    columns = {"NAME": "name", "VALUE": "value", "DEFAULT": "default", "ALLOWED": "allowed"}
    show_list(Client().get("/settings"), columns, output)


@setting.command()
@click.argument("name")
@output_option
def get(name: str, output: str) -> None:
    """One setting."""
    found = Client().get(f"/settings/{quoted(name)}")
    if output == "table":
        click.echo(plain(found["value"]))
    else:
        emit(found, output)


@setting.command("set")
@click.argument("name")
@click.argument("value")
@dry_run_option
@output_option
def set_(name: str, value: str, dry_run: bool, output: str) -> None:
    """Set a value; the change says what has to restart for it.

    \b
    Example:
      certhouse setting set https-ciphers rsa-and-ec
    """
    perform(Client(), "PUT", f"/settings/{quoted(name)}", {"value": value}, [], output=output, dry_run=dry_run)


@click.group()
def catalog() -> None:
    """Purposes, trust stores, services and what restarts for what: the manual's tables, and your own rows."""


@catalog.command("show")
@output_option
def show_catalog(output: str) -> None:
    """The catalog in force."""
    found = Client().get("/catalog")
    if output != "table":
        emit(found, output)
        return
    for kind in ("variants", "stores", "services", "settings"):
        rows = found[kind] if isinstance(found[kind], list) else list(found[kind].values())
        names = dict.fromkeys(plain(row["name"]) for row in rows)
        click.echo(f"{'purposes' if kind == 'variants' else kind}: {', '.join(names)}")
    click.echo("all rows: -o json or -o yaml", err=True)


@catalog.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Whether a file of your own rows fits; faults name their lines. Changes nothing."""
    Client().send("POST", "/catalog/check", {"name": file.name, "text": file.read_text("utf-8")})
    click.echo(f"{file.name} fits", err=True)


@catalog.command("apply")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@dry_run_option
@output_option
def apply_catalog(file: Path, dry_run: bool, output: str) -> None:
    """Put your own rows in force; the same file name again takes the place of its former rows.

    \b
    Example:
      certhouse catalog apply examples/catalogs/web.toml
    """
    body = {"name": file.name, "text": file.read_text("utf-8")}
    perform(Client(), "POST", "/catalog/apply", body, [], output=output, dry_run=dry_run)
