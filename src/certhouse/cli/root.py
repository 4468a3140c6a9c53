"""The root command. Each noun's module is imported when it is used: the start stays short."""

import importlib
import sys
from typing import Any

import click

from certhouse import __version__
from certhouse.errors import CerthouseError, Refused

_NOUNS = {
    "up": ("certhouse.cli.up", "Run everything on this machine: web, API, worker, gateway and this node"),
    "server": ("certhouse.cli.up", "Run a control-plane replica on PostgreSQL"),
    "cert": ("certhouse.cli.cert", "Certificates: list, show, download, upload, regenerate, self-sign"),
    "csr": ("certhouse.cli.csr", "Certificate signing requests: create, list, show, download"),
    "trust": ("certhouse.cli.trust", "Trust stores: list, show, import, export, delete, restore"),
    "service": ("certhouse.cli.service", "Services: list, start, stop, restart"),
    "change": ("certhouse.cli.change", "Changes: list, show, apply, cancel, rollback"),
    "follow-up": ("certhouse.cli.change", "What only a person can do: list, done"),
    "setting": ("certhouse.cli.setting", "Settings: list, get, set"),
    "catalog": ("certhouse.cli.setting", "The catalog: show, check, apply"),
    "user": ("certhouse.cli.user", "Users and API tokens"),
    "node": ("certhouse.cli.node", "Nodes: list, show, run, join, bindings"),
    "verify": ("certhouse.cli.verify", "Verify a chain; needs no server"),
    "inspect": ("certhouse.cli.inspect", "Show what a file holds, without trusting it; needs no server"),
    "audit": ("certhouse.cli.user", "The audit trail"),
    "completion": ("certhouse.cli.completion", "Print the completion script of a shell"),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_NOUNS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _NOUNS:
            return None
        module = importlib.import_module(_NOUNS[cmd_name][0])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _NOUNS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="certhouse")
def certhouse() -> None:
    """Manage the certificates of a cluster.

    \b
    First steps:
      certhouse up                        start everything (SQLite, https://127.0.0.1:8443)
      certhouse cert list                 what there is
      certhouse csr create tomcat         a CSR; the key stays on its node
      certhouse cert upload tomcat FILE   what the CA sent, in any form and order
      certhouse change apply ID           run the restarts it waits for
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line. Exit codes: 0 done, 1 failed or refused, 2 usage."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        certhouse.main(args=words, prog_name="certhouse", standalone_mode=True)
    except CerthouseError as error:
        show_error(error, _form(words))
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read the output has seen enough of it, as in `certhouse cert list | head`.
        sys.stderr.close()
        sys.exit(0)


def _form(words: list[str]) -> str:
    """Gives the form of output that the words ask for; an error has the same one."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("-o", "--output"):
            return following
        if word.startswith(("-o", "--output=")) and not word.startswith("--out="):
            return word.removeprefix("--output=").removeprefix("-o")
    return "table"


def show_error(error: CerthouseError, form: str) -> None:
    """Shows every fault with what was found, what was expected, and the way out; as RFC 9457 document where data is asked for."""
    faults: tuple[Any, ...] = error.faults if isinstance(error, Refused) else ()
    if form in ("json", "yaml"):
        from certhouse.cli.output import emit

        parts = ("code", "detail", "found", "expected", "remedy")
        document = {
            "type": f"urn:certhouse:{error.code}",
            "title": "Refused" if faults else "Failed",
            "detail": str(error),
            "faults": [{name: getattr(fault, name) for name in parts} for fault in faults],
        }
        emit({**document, **getattr(error, "document", {})}, form)
        return
    if not faults:
        click.echo(f"error: {error}", err=True)
    for fault in faults:
        click.echo(f"error: {fault.detail}", err=True)
        for name in ("found", "expected", "remedy"):
            if value := getattr(fault, name):
                click.echo(f"  {name}: {value}", err=True)
