"""``certhouse user …`` and ``certhouse audit``."""

from pathlib import Path

import click

from certhouse.cli.cert import read_password
from certhouse.cli.client import Client, quoted
from certhouse.cli.output import emit, output_option, plain, show_list

_PASSWORD_FILE = click.option("--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def user() -> None:
    """Users and API tokens."""


@user.command("list")
@output_option
def list_users(output: str) -> None:
    """All users."""
    columns = {"NAME": "name", "ROLE": "role", "CREATED": "created", "DISABLED": "disabled"}
    show_list(Client().get("/users"), columns, output, empty="no user yet; `certhouse user add NAME` adds one")


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["administrator", "auditor"]), default="administrator", show_default=True)
@_PASSWORD_FILE
@output_option
def add(name: str, role: str, password_file: Path | None, output: str) -> None:
    """Add a user. The password is asked for, or read from a file or CERTHOUSE_PASSWORD.

    \b
    Example:
      certhouse user add alice --role auditor
    """
    password = read_password(password_file, "CERTHOUSE_PASSWORD", "Password", confirm=True)
    made = Client().send("POST", "/users", {"name": name, "password": password, "role": role})
    if output == "table":
        click.echo(f"added {plain(made['name'])}, {made['role']}")
    else:
        emit(made, output)


@user.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask")
def remove(name: str, yes: bool) -> None:
    """Remove a user with all log-ins and tokens."""
    if not yes:
        click.confirm(f"Remove {plain(name)}?", abort=True, err=True)
    Client().send("DELETE", f"/users/{quoted(name)}")
    click.echo(f"removed {plain(name)}", err=True)


@user.command()
@click.argument("name")
@_PASSWORD_FILE
def password(name: str, password_file: Path | None) -> None:
    """Set a user's password."""
    text = read_password(password_file, "CERTHOUSE_PASSWORD", "New password", confirm=True)
    Client().send("PUT", f"/users/{quoted(name)}/password", {"password": text})
    click.echo(f"the password of {plain(name)} is set", err=True)


@user.group()
def token() -> None:
    """API tokens."""


@token.command("list")
@output_option
def list_tokens(output: str) -> None:
    """Tokens, without their secrets."""
    columns = {"ID": "id", "USER": "user", "WHAT": "description", "EXPIRES": "expires", "LAST USED": "last_used"}
    show_list(Client().get("/tokens"), columns, output, empty="no token yet")


@token.command("create")
@click.argument("name")
@click.option("--description", default="")
@click.option("--expires-in", default="90d", show_default=True)
@output_option
def create_token(name: str, description: str, expires_in: str, output: str) -> None:
    """Make a token for a user; it is shown this once.

    \b
    Example:
      certhouse user token create alice --description backup --expires-in 30d
    """
    body = {"user": name, "description": description, "expires_in": expires_in}
    made = Client().send("POST", "/tokens", body)
    if output == "table":
        click.echo(made["token"])
        click.echo(f"valid until {made['expires']}; it is not shown again", err=True)
    else:
        emit(made, output)


@token.command("revoke")
@click.argument("identifier", metavar="ID")
def revoke_token(identifier: str) -> None:
    """Revoke a token."""
    Client().send("DELETE", f"/tokens/{quoted(identifier)}")
    click.echo(f"revoked {plain(identifier)}", err=True)


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--cursor", metavar="CURSOR")
@output_option
def audit(limit: int, cursor: str | None, output: str) -> None:
    """Who did what, newest first."""
    page = Client().get("/audit", [("limit", str(limit))] + ([("cursor", cursor)] if cursor else []))
    columns = {
        "AT": "at",
        "ACTOR": "actor",
        "ACTION": "action",
        "TARGET": "target",
        "OUTCOME": "outcome",
        "DETAIL": "detail",
    }
    show_list(page, columns, output)
