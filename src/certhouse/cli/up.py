"""``certhouse up`` and ``certhouse server``."""

from pathlib import Path

import click

_DATA = click.option("--data", metavar="DIR", help="Data directory (CERTHOUSE_DATA)")
_CONFIG = click.option("--config", type=click.Path(dir_okay=False, path_type=Path), help="Configuration, one TOML file")
_LISTEN = click.option("--listen", metavar="HOST:PORT", help="Web and API (CERTHOUSE_LISTEN, default 127.0.0.1:8443)")
_GATEWAY = click.option(
    "--gateway-listen", metavar="HOST:PORT", help="Node agents (CERTHOUSE_GATEWAY_LISTEN, default 127.0.0.1:8444)"
)


@click.command()
@_CONFIG
@_DATA
@_LISTEN
@_GATEWAY
@click.option("--catalog", metavar="uc|services|FILE", help="The catalog to begin with (first start only; default uc)")
@click.option("--node-name", metavar="NAME", help="This machine's name in the cluster (default: its host name)")
def up(
    config: Path | None,
    data: str | None,
    listen: str | None,
    gateway_listen: str | None,
    catalog: str | None,
    node_name: str | None,
) -> None:
    """Run everything on this machine until Ctrl-C.

    \b
    Examples:
      certhouse up
      certhouse up --catalog services
      CERTHOUSE_DATA=/tmp/try certhouse up --listen 127.0.0.1:9443 --gateway-listen 127.0.0.1:9444
    """
    import os

    from certhouse.adapters.configuration import load_configuration
    from certhouse.processes.up import up as run_up

    flags = {"data": data, "listen": listen, "gateway_listen": gateway_listen, "node_name": node_name}
    run_up(load_configuration(flags, os.environ, config), catalog=catalog)


@click.command()
@_CONFIG
@_DATA
@_LISTEN
@_GATEWAY
def server(config: Path | None, data: str | None, listen: str | None, gateway_listen: str | None) -> None:
    """Run a control-plane replica: web, API, worker and gateway, without a node of its own.

    \b
    Example:
      CERTHOUSE_DATABASE_URL=postgresql://certhouse@db/certhouse certhouse server
    """
    import os

    from certhouse.adapters.configuration import load_configuration
    from certhouse.processes.up import up as run_up

    flags = {"data": data, "listen": listen, "gateway_listen": gateway_listen}
    run_up(load_configuration(flags, os.environ, config), agent=False)
