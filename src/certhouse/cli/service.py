"""``certhouse service …``: the Control Center."""

import click

from certhouse.cli.changing import ask, perform
from certhouse.cli.client import Client, quoted
from certhouse.cli.output import dry_run_option, node_option, output_option, plain, show_list, yes_option


@click.group()
def service() -> None:
    """Feature and network services of the nodes."""


@service.command("list")
@click.option("--node", metavar="NAME")
@output_option
def list_services(node: str | None, output: str) -> None:
    """Services, whether they run, and whether a restart waits. Unbound: bindings.toml does not name it."""
    page = Client().get("/services", [("node", node)] if node else [])
    columns = {
        "SERVICE": "name",
        "NODE": "node",
        "KIND": "kind",
        "STATUS": "status",
        "CONTROLLER": "controller",
        "RESTART PENDING": "restart_pending",
        "WHAT": "detail",
    }
    show_list(page, columns, output)


def _control(action: str, name: str, node: str | None, yes: bool, dry_run: bool, output: str) -> None:
    client, path = Client(), f"/services/{quoted(name)}/{action}"
    body = {"node": node}
    if action == "stop" and not dry_run:
        ask(client, "POST", path, body, [], yes=yes, question=f"Stop {plain(name)}?")
    perform(client, "POST", path, body, [], output=output, dry_run=dry_run)


def _command(action: str, text: str) -> click.Command:
    @click.command(action, help=text)
    @click.argument("name")
    @node_option
    @yes_option
    @dry_run_option
    @output_option
    def run(name: str, node: str | None, yes: bool, dry_run: bool, output: str) -> None:
        _control(action, name, node, yes, dry_run, output)

    return run


service.add_command(_command("start", "Start a service.\n\n\b\nExample:\n  certhouse service start 'Cisco TFTP'"))
service.add_command(_command("stop", "Stop a service.\n\n\b\nExample:\n  certhouse service stop 'Cisco TFTP'"))
service.add_command(
    _command(
        "restart",
        "Restart a service and look at what it serves.\n\n\b\nExample:\n  certhouse service restart 'Cisco Tomcat' --node all",
    )
)
