"""``certhouse change …`` and ``certhouse follow-up …``."""

import click

from certhouse.cli.changing import ask, perform, show_change
from certhouse.cli.client import Client, quoted
from certhouse.cli.output import dry_run_option, emit, output_option, plain, show_list, yes_option


@click.group()
def change() -> None:
    """Changes: what was done, what waits, and undo."""


@change.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--cursor", metavar="CURSOR")
@output_option
def list_changes(limit: int, cursor: str | None, output: str) -> None:
    """Changes, newest first."""
    page = Client().get("/changes", [("limit", str(limit))] + ([("cursor", cursor)] if cursor else []))
    columns = {"ID": "id", "STATE": "state", "KIND": "kind", "WHAT": "summary", "BY": "actor", "CREATED": "created"}
    show_list(page, columns, output, empty="no change yet")


@change.command()
@click.argument("identifier", metavar="ID")
@output_option
def show(identifier: str, output: str) -> None:
    """One change, step by step."""
    found = Client().get(f"/changes/{quoted(identifier)}")
    if output == "table":
        from certhouse.cli.changing import show_plan

        show_plan(found)
    else:
        emit(found, output)


@change.command()
@click.argument("identifier", metavar="ID")
@dry_run_option
@output_option
def apply(identifier: str, dry_run: bool, output: str) -> None:
    """Run the restarts that a change waits for, each with a look at what is served afterwards."""
    perform(Client(), "POST", f"/changes/{quoted(identifier)}/apply", None, [], output=output, dry_run=dry_run)


@change.command()
@click.argument("identifier", metavar="ID")
@dry_run_option
@output_option
def cancel(identifier: str, dry_run: bool, output: str) -> None:
    """End a change that has altered nothing yet."""
    query = [("dry_run", "true")] if dry_run else []
    show_change(Client().send("POST", f"/changes/{quoted(identifier)}/cancel", None, query), output)


@change.command()
@click.argument("identifier", metavar="ID")
@yes_option
@dry_run_option
@output_option
def rollback(identifier: str, yes: bool, dry_run: bool, output: str) -> None:
    """Undo a change: what was before is put back, and services that were restarted restart again."""
    client, path = Client(), f"/changes/{quoted(identifier)}/rollback"
    if not dry_run:
        ask(client, "POST", path, None, [], yes=yes, question=f"Roll back {plain(identifier)}?")
    perform(client, "POST", path, None, [], output=output, dry_run=dry_run)


@click.group("follow-up")
def follow_up() -> None:
    """What only a person can do after a change."""


@follow_up.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are done")
@output_option
def list_follow_ups(everything: bool, output: str) -> None:
    """Follow-ups that are open."""
    page = Client().get("/follow-ups", [("all", "true")] if everything else [])
    columns = {"ID": "id", "STATE": "state", "NODE": "node", "TEXT": "text", "CHANGE": "change"}
    show_list(page, columns, output, empty="nothing is left to do")


@follow_up.command()
@click.argument("identifier", metavar="ID")
@output_option
def done(identifier: str, output: str) -> None:
    """Tick a follow-up off."""
    closed = Client().send("POST", f"/follow-ups/{quoted(identifier)}/done")
    if output == "table":
        click.echo(f"done: {plain(closed['text'])}")
    else:
        emit(closed, output)
