"""What people and programs read: tables, JSON, YAML."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="Form of the output",
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask")
dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would happen")
node_option = click.option("--node", metavar="NAME", help="The node (the only one there is, by default)")


def plain(value: object) -> str:
    """Gives text that cannot steer the terminal: control characters are written out."""
    text = "" if value is None else str(value)
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def emit(value: Any, output: str) -> None:
    """Prints data as JSON or YAML."""
    if output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)
    else:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def cell(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(plain(item) for item in value)
        case _:
            return plain(value)


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Prints rows as an aligned table; in a terminal with colours, unless NO_COLOR is set."""
    if not sys.stdout.isatty():
        cells = [[cell(row.get(key)) for key in columns.values()] for row in rows]
        widths = [max([len(name), *(len(line[at]) for line in cells)]) for at, name in enumerate(columns)]
        for line in [list(columns), *cells]:
            click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(
            name, overflow="fold" if name in ("ID", "WHAT", "TEXT") else "ellipsis", no_wrap=name in ("ID", "EXPIRES")
        )
    for row in rows:
        table.add_row(*(Text(cell(row.get(key)), style=_style(key, row.get(key))) for key in columns.values()))
    Console(no_color="NO_COLOR" in os.environ).print(table)


def _style(key: str, value: object) -> str:
    good, bad, wait = "green", "red", "yellow"
    styles = {
        "same": good,
        "running": good,
        "done": good,
        "differs": bad,
        "failed": bad,
        "expired": bad,
        "revoked": bad,
        "stopped": bad,
        "waiting": wait,
        "unknown": wait,
        "undetermined": wait,
        "soon": wait,
    }
    if key == "left":
        return (
            bad
            if str(value).startswith("expired")
            else wait
            if str(value).rstrip("d").isdigit() and int(str(value)[:-1]) <= 30
            else ""
        )
    return styles.get(str(value), "")


def show_list(
    page: Mapping[str, Any], columns: Mapping[str, str], output: str, *, empty: str = "nothing to show"
) -> None:
    if output != "table":
        emit(page, output)
        return
    items = page["items"]
    if not items:
        click.echo(empty, err=True)
        return
    show_rows(items, columns)
    total = page.get("total")
    if page.get("next"):
        of = f"of {total}" if total is not None else f"of more than {page.get('total_at_least', len(items))}"
        click.echo(f"{len(items)} {of}; the next ones: --cursor {page['next']}", err=True)


def show_object(value: Mapping[str, Any], output: str) -> None:
    """Prints one thing, a line each."""
    if output != "table":
        emit(value, output)
        return
    width = max(len(name) for name in value)
    for name, item in value.items():
        if isinstance(item, dict):
            click.echo(f"{name.replace('_', ' ')}:")
            for inner, text in item.items():
                click.echo(f"  {inner}: {cell(text)}")
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            click.echo(f"{name.replace('_', ' ')}:")
            for line in item:
                click.echo(
                    "  - " + ", ".join(f"{key} {cell(text)}" for key, text in line.items() if text not in ("", None))
                )
        elif isinstance(item, str) and "\n" in item:
            click.echo(f"{name.replace('_', ' ')}:\n{item.rstrip()}")
        else:
            click.echo(f"{(name.replace('_', ' ') + ':').ljust(width + 2)}{cell(item)}")
