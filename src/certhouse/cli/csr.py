"""``certhouse csr …``."""

from pathlib import Path

import click

from certhouse.cli.cert import write
from certhouse.cli.changing import follow, show_change
from certhouse.cli.client import Client, quoted
from certhouse.cli.output import dry_run_option, emit, node_option, output_option, plain, show_list, show_object


@click.group()
def csr() -> None:
    """Certificate signing requests. Keys are made on the node and stay there."""


@csr.command()
@click.argument("purpose")
@click.option("--multi-server", is_flag=True, help="One certificate for all nodes that carry the purpose")
@click.option("--common-name", help="Default: the node's name")
@click.option("--san", "sans", multiple=True, help="DNS name, IP address, URI or e-mail address; may be repeated")
@click.option(
    "--no-parent-domain", is_flag=True, help="Leave the parent domain out of the SANs (many public CAs drop it)"
)
@click.option("--subject", multiple=True, metavar="C=DE", help="C, ST, L, O or OU; may be repeated")
@click.option("--include-ou", is_flag=True, help="Keep the OU")
@click.option("--key-length", type=int)
@click.option("--hash", "hash_name", help="sha256, sha384, sha512")
@node_option
@dry_run_option
@output_option
def create(
    purpose: str,
    multi_server: bool,
    common_name: str | None,
    sans: tuple[str, ...],
    no_parent_domain: bool,
    subject: tuple[str, ...],
    include_ou: bool,
    key_length: int | None,
    hash_name: str | None,
    node: str | None,
    dry_run: bool,
    output: str,
) -> None:
    """Generate a CSR and print it. A CSR that waits for the purpose is replaced.

    \b
    Examples:
      certhouse csr create tomcat > tomcat.csr
      certhouse csr create tomcat --san www.example.com --key-length 4096 --subject O=Example --subject C=DE
    """
    attributes = {}
    for item in subject:
        name, equals, value = item.partition("=")
        if not equals:
            raise click.BadParameter(f"{item} is not NAME=VALUE", param_hint="--subject")
        attributes[name.upper()] = value
    body = {
        "purpose": purpose,
        "node": node,
        "distribution": "multi-server" if multi_server else "node",
        "common_name": common_name,
        "sans": list(sans),
        "parent_domain": not no_parent_domain,
        "subject": attributes,
        "include_ou": include_ou,
        "key_length": key_length,
        "hash": hash_name,
    }
    client = Client()
    change = follow(client, client.send("POST", "/csrs", body, [("dry_run", "true")] if dry_run else []))
    if dry_run or change["state"] != "done":
        show_change(change, output)
        return
    made = client.get(f"/csrs/{quoted(purpose)}", [("node", change["facts"]["node"])])
    if output != "table":
        emit({**made, "id": change["id"], "change": change}, output)
        return
    click.echo(made["csr"], nl=False)
    for warning in change["warnings"]:
        click.echo(f"! {plain(warning)}", err=True)
    names = plain(", ".join(made["sans"]))
    click.echo(
        f"CSR for {plain(made['purpose'])} on {made['node']}: CN={plain(made['common_name'])}, SANs {names}", err=True
    )
    click.echo(f"have it signed, then: certhouse cert upload {plain(made['purpose'])} FILE…", err=True)


@csr.command("list")
@click.option("--replaced", is_flag=True, help="Also those that were replaced and whose key is kept")
@output_option
def list_csrs(replaced: bool, output: str) -> None:
    """The CSRs that wait for a certificate."""
    page = Client().get("/csrs", [("replaced", "true")] if replaced else [])
    columns = {
        "PURPOSE": "purpose",
        "NODE": "node",
        "COMMON NAME": "common_name",
        "SANS": "sans",
        "CREATED": "created",
        "REPLACED": "replaced",
    }
    show_list(page, columns, output, empty="no CSR waits; `certhouse csr create PURPOSE` makes one")


@csr.command()
@click.argument("purpose")
@node_option
@output_option
def show(purpose: str, node: str | None, output: str) -> None:
    """The CSR that waits for a purpose."""
    show_object(Client().get(f"/csrs/{quoted(purpose)}", [("node", node)] if node else []), output)


@csr.command()
@click.argument("purpose")
@click.option("--format", "form", type=click.Choice(["pem", "der"]), default="pem", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path))
@node_option
def download(purpose: str, form: str, out: Path | None, node: str | None) -> None:
    """Download the CSR that waits.

    \b
    Example:
      certhouse csr download tomcat --out tomcat.csr
    """
    query = [("format", form)] + ([("node", node)] if node else [])
    write(Client().fetch("GET", f"/csrs/{quoted(purpose)}/download", query), out, secret=False, text=form == "pem")
