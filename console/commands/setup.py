"""The installation: doctor, config, completion."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from console.commands.common import Commands, config_option, fail, json_option, progress, run_options, settings_from
from engine.exits import USAGE


@click.command()
@config_option
@json_option
def doctor(config: Path | None, as_json: bool) -> None:
    """Look at everything the program stands on: what works, what does not, what to do. Exit 1 if something failed."""
    import msgspec

    from console.doctor import checks, lines

    found = list(checks(settings_from(config), progress))
    click.echo(json.dumps(msgspec.to_builtins(found)) if as_json else "\n".join(lines(found)))
    sys.exit(1 if any(one.status == "fail" for one in found) else 0)


@click.group(cls=Commands)
def config() -> None:
    """Settings, their values and where they came from."""


@config.command("show")
@run_options
@json_option
def config_show(as_json: bool, config: Path | None, **flags: Any) -> None:
    """Every setting with its value and its source."""
    from engine.config import ConfigError, origins

    try:
        found = origins({key: value for key, value in flags.items() if value is not None}, config)
    except ConfigError as error:
        fail(str(error), USAGE)
    if as_json:
        click.echo(json.dumps({name: {"value": value, "source": source} for name, (value, source) in found.items()}, default=str))
        return
    for name, (value, source) in found.items():
        click.echo(f"{name:32} {value!s:40} {source}")


@config.command("path")
def config_path() -> None:
    """Where settings, sessions and running engines are kept."""
    from engine.config import config_path as path
    from engine.config import runs_path

    click.echo(f"config    {path()}")
    click.echo(f"sessions  {settings_from(None).store}")
    click.echo(f"runs      {runs_path()}")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell's completion script: eval "$(sawhorse completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(click.get_current_context().find_root().command, {}, "sawhorse", "_SAWHORSE_COMPLETE").source())
