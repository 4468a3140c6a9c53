"""``certhouse node bindings check``."""

import os
import sys
from pathlib import Path

import click

from certhouse.cli.output import emit, output_option, show_rows


@click.command()
@click.option("--data", metavar="DIR", help="Data directory (CERTHOUSE_DATA)")
@output_option
def check(data: str | None, output: str) -> None:
    """Try each binding of this machine: unit or command there, port answers, files readable by the service's user.

    \b
    Example:
      certhouse node bindings check
    """
    from certhouse.adapters.configuration import default_data
    from certhouse.adapters.control.checking import check_bindings

    folder = Path(data or os.environ.get("CERTHOUSE_DATA") or default_data()).expanduser().absolute()
    results = [
        {"service": item.service, "what": item.what, "result": item.result, "detail": item.detail}
        for item in check_bindings(folder)
    ]
    if output != "table":
        emit({"items": results, "next": None, "total": len(results)}, output)
    elif not results:
        click.echo("nothing is bound in bindings.toml; docs/bindings.md shows how", err=True)
    else:
        show_rows(results, {"SERVICE": "service", "WHAT": "what", "RESULT": "result", "DETAIL": "detail"})
    sys.exit(1 if any(item["result"] == "failed" for item in results) else 0)
