"""Commands that change something: preview, question, progress, and what to do next."""

import sys
from collections.abc import Mapping
from typing import Any

import click

from certhouse.cli.client import Client, quoted, stdin_is_terminal
from certhouse.cli.output import emit, plain

_MARKS = {"done": "✓", "failed": "✗", "waiting": "…", "running": "▸", "planned": "·", "skipped": "-", "cancelled": "-"}


def ask(
    client: Client, method: str, path: str, body: Any, query: list[tuple[str, str]], *, yes: bool, question: str
) -> None:
    """Shows the preview of something destructive and asks. Without a terminal and without --yes it ends with code 2."""
    if yes:
        return
    if not stdin_is_terminal():
        click.echo(
            f"{question} Give --yes to do it without a question, or --dry-run to see what would happen.", err=True
        )
        sys.exit(2)
    show_plan(client.send(method, path, body, [*query, ("dry_run", "true")]), stderr=True)
    if not click.confirm(question, err=True):
        click.echo("nothing was changed", err=True)
        sys.exit(1)


def perform(
    client: Client, method: str, path: str, body: Any, query: list[tuple[str, str]], *, output: str, dry_run: bool
) -> dict[str, Any]:
    """Sends the change, waits until it is over or waits for a person, and prints it."""
    if dry_run:
        query = [*query, ("dry_run", "true")]
    change: dict[str, Any] = client.send(method, path, body, query)
    change = follow(client, change)
    show_change(change, output)
    return change


def follow(client: Client, change: dict[str, Any]) -> dict[str, Any]:
    """Waits for a change that still runs, saying in a terminal which step it is at."""
    told = ""
    while change.get("id") and change["state"] == "running":
        step = next((item for item in change["steps"] if item["state"] in ("running", "planned")), None)
        text = f"{step['action']} {step['target']} on {step['node']}" if step else "finishing"
        if text != told and sys.stderr.isatty():
            click.echo(f"▸ {plain(text)} …", err=True)
            told = text
        client.fetch("GET", f"/changes/{quoted(change['id'])}")
        change = _wait(client, change["id"])
    return change


def _wait(client: Client, change_id: str) -> dict[str, Any]:
    import threading

    threading.Event().wait(0.3)
    found: dict[str, Any] = client.get(f"/changes/{quoted(change_id)}")
    return found


def show_change(change: Mapping[str, Any], output: str) -> None:
    """Prints a change; exits with 1 where it failed."""
    if output != "table":
        emit(change, output)
    else:
        show_plan(change)
    if change.get("state") in ("failed", "rolled-back") and not change.get("rolled_back_by"):
        sys.exit(1)


def show_plan(change: Mapping[str, Any], *, stderr: bool = False) -> None:
    """Prints a change, or its preview, for people."""

    def say(text: str = "") -> None:
        click.echo(text, err=stderr)

    if change["id"]:
        say(f"change {change['id']}: {plain(change['summary'])} - {change['state']}")
    else:
        say(f"would do: {plain(change['summary'])}")
    for step in change["steps"]:
        detail = f" ({plain(step['detail'])})" if step.get("detail") else ""
        mark = _MARKS.get(step["state"], " ")
        say(
            f"  {mark} {step['number']}. {step['action']} {plain(step['target'])} on {step['node']}: {step['state']}{detail}"
        )
    for warning in change["warnings"]:
        say(f"  ! {plain(warning)}")
    if change["breaks"]:
        say("  stops validating:")
        for item in change["breaks"]:
            say(
                f"    {item['kind']} {plain(item['name'])}, through {' < '.join(plain(name) for name in item['lost_path'])}"
            )
    for fault in change.get("faults") or ():
        say(f"  ✗ {plain(fault['detail'])}")
        for name in ("found", "expected", "remedy"):
            if fault.get(name):
                say(f"      {name}: {plain(fault[name])}")
    for item in change["follow_ups"]:
        say(f"  → {plain(item['text'])}")
    if change["state"] == "waiting":
        services = ", ".join(
            dict.fromkeys(
                plain(step["target"])
                for step in change["steps"]
                if step["state"] == "waiting" and step["action"] == "restart"
            )
        )
        say(f"waits for restarts: {services}")
        say(f"  run them with: certhouse change apply {change['id']}")
