"""``certhouse completion SHELL``."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    Examples:
      certhouse completion bash > /etc/bash_completion.d/certhouse
      certhouse completion zsh > ~/.zfunc/_certhouse
    """
    from certhouse.cli.root import certhouse

    made = get_completion_class(shell)
    if made is not None:
        click.echo(made(certhouse, {}, "certhouse", "_CERTHOUSE_COMPLETE").source())
