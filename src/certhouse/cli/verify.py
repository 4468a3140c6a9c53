"""``certhouse verify chain``: needs no server, and answers in JSON always."""

import json
import sys
from pathlib import Path
from typing import Any

import click


@click.group()
def verify() -> None:
    """Verify chains on their own merits; no server is asked."""


@verify.command()
@click.option("--leaf", required=True, metavar="FILE", help="The certificate in question, PEM or DER")
@click.option("--intermediate", "intermediates", multiple=True, metavar="FILE", help="CAs in between; may be repeated")
@click.option(
    "--anchor",
    "anchors",
    multiple=True,
    required=True,
    metavar="FILE",
    help="What is trusted as given; may be repeated",
)
@click.option("--at", metavar="TIME", help="RFC 3339; default now")
@click.option("--name", metavar="DNS", help="The DNS name it has to be for")
@click.option("--ip", metavar="IP", help="The address it has to be for")
@click.option("--eku", type=click.Choice(["server", "client", "any"]), default="server", show_default=True)
@click.option("--allow-sha1", is_flag=True, help="Accept SHA-1 signatures (old data)")
@click.option("-o", "--output", type=click.Choice(["json"]), default="json")
def chain(
    leaf: str,
    intermediates: tuple[str, ...],
    anchors: tuple[str, ...],
    at: str | None,
    name: str | None,
    ip: str | None,
    eku: str,
    allow_sha1: bool,
    output: str,
) -> None:
    """Say whether a leaf chains to an anchor. Exit 0 for valid, 1 otherwise.

    \b
    Example:
      certhouse verify chain --leaf www.pem --intermediate sub.pem --anchor root.pem --name www.example.com
    """
    from datetime import UTC, datetime

    from certhouse.adapters.clock import SystemClock
    from certhouse.x509.verify import verify_chain

    moment = SystemClock().now()
    if at is not None:
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            raise click.BadParameter(f"{at} is not an RFC 3339 time", param_hint="--at") from None
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    faults: list[dict[str, str]] = []
    leaves = _read(leaf, faults)
    between = [facts for path in intermediates for facts in _read(path, faults)]
    trusted = [facts for path in anchors for facts in _read(path, faults)]
    if not faults:
        verdict = verify_chain(
            leaves[0], [*leaves[1:], *between], trusted, at=moment, dns_name=name, ip=ip, eku=eku, allow_sha1=allow_sha1
        )
        faults = [{"code": fault.code, "detail": fault.detail} for fault in verdict.faults]
    click.echo(json.dumps({"result": "invalid" if faults else "valid", "faults": faults}, indent=2))
    sys.exit(1 if faults else 0)


def _read(path: str, faults: list[dict[str, str]]) -> list[Any]:
    """Gives the certificates of a file; what cannot be read is a fault."""
    from certhouse.errors import Refused
    from certhouse.x509.material import read_material

    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        material = read_material([content], max_bytes=16 << 20, max_certificates=2000)
    except OSError as error:
        faults.append({"code": "file-unreadable", "detail": f"{path}: {error.strerror}"})
        return []
    except Refused as error:
        faults.extend({"code": fault.code, "detail": f"{path}: {fault.detail}"} for fault in error.faults)
        return []
    faults.extend({"code": fault.code, "detail": f"{path}: {fault.detail}"} for fault in material.faults)
    if not material.certificates and not material.faults:
        faults.append({"code": "not-a-certificate", "detail": f"{path}: it holds no certificate"})
    return list(material.certificates)
