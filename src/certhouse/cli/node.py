"""``certhouse node …``."""

import os
from pathlib import Path

import click

from certhouse.cli.output import output_option, show_list, show_object


@click.group()
def node() -> None:
    """Nodes of the cluster, and this machine's agent."""


def _data(data: str | None) -> Path:
    from certhouse.adapters.configuration import default_data

    return Path(data or os.environ.get("CERTHOUSE_DATA") or default_data()).expanduser().absolute()


@node.command("list")
@output_option
def list_nodes(output: str) -> None:
    """Who is in the cluster, and whether each has what it should.

    \b
    Example:
      certhouse node list
    """
    from certhouse.cli.client import Client

    page = Client().get("/nodes")
    columns = {
        "NAME": "name",
        "ROLE": "role",
        "PUBLISHER": "publisher",
        "REACHABLE": "reachable",
        "LAST SEEN": "last_seen",
    }
    show_list(page, columns, output)


@node.command()
@click.argument("name")
@output_option
def show(name: str, output: str) -> None:
    """One node, store by store."""
    from certhouse.cli.client import Client, quoted

    show_object(Client().get(f"/nodes/{quoted(name)}"), output)


@node.command()
@click.option("--data", metavar="DIR", help="Data directory (CERTHOUSE_DATA)")
@click.option("--name", default="", help="Name to join under, when a token is in CERTHOUSE_JOIN_TOKEN")
@click.option("--domain", default="", help="Domain of the node")
def run(data: str | None, name: str, domain: str) -> None:
    """Run this machine's agent until it is told to stop. `certhouse up` does this by itself."""
    from certhouse.processes.node_run import run_node

    run_node(_data(data), token=os.environ.pop("CERTHOUSE_JOIN_TOKEN", None), name=name, domain=domain)


class _Bindings(click.Group):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from certhouse.cli.node_bindings import check

        return check if cmd_name == "check" else None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["check"]


node.add_command(_Bindings("bindings", help="Which unit or command restarts which service on this machine."))
