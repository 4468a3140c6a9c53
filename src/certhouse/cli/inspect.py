"""``certhouse inspect FILE``."""

import sys
from pathlib import Path

import click

from certhouse.cli.output import emit, output_option, show_object


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Opens PKCS#12")
@output_option
def inspect(file: str, password_file: Path | None, output: str) -> None:
    """Show what a file holds: certificates, CSRs, PKCS#7, PKCS#12, CRLs, OCSP responses. Trusts none of it.

    \b
    Examples:
      certhouse inspect chain.p7b
      openssl s_client -connect host:443 </dev/null | certhouse inspect - -o json
    """
    from certhouse.errors import Fault, Unreadable
    from certhouse.x509.inspect import inspect as look

    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Unreadable(Fault(code="file-unreadable", detail=f"{file}: {error.strerror}")) from error
    found = look(content, password_file.read_text().strip().encode() if password_file else None)
    if output != "table":
        emit(found, output)
        return
    for kind, items in found.items():
        for item in items if isinstance(items, list) else [items]:
            click.echo(f"[{kind.rstrip('s').replace('_', ' ')}]")
            show_object(item, output)
            click.echo()
