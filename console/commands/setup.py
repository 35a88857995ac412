"""The installation: doctor, config, completion."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from console.commands.common import (
    Commands,
    arm_flags,
    arm_options,
    check_arm,
    check_simulated,
    config_option,
    fail,
    json_option,
    progress,
    run_options,
    settings_from,
)
from engine.exits import CLEAN, FAULT, INTERRUPTED, NOT_CONNECTED, USAGE

if TYPE_CHECKING:
    from engine.config import Settings


@click.command()
@click.option("--robot", help="Whose cell, policy and devices to look at.")
@arm_options
@config_option
@json_option
@click.option("--keyboard", is_flag=True, help="Ask for a held key, and measure its repeats and its release.")
@click.option("--faults", is_flag=True, help="Put every fault into the simulated robot, for minutes; exit 5 if one is not survived.")
@click.option("--only", metavar="NAME", help="With --faults: the faults whose names contain this.")
def doctor(config: Path | None, as_json: bool, keyboard: bool, faults: bool, only: str | None, **flags: Any) -> None:
    """Look at everything the program stands on: what works, what does not, what to do. Exit 1 if something failed."""
    import msgspec

    if only is not None and not faults:
        fail("--only chooses among the faults: give --faults too.", USAGE)
    flags = arm_flags(flags)
    settings = settings_from(config, **flags)
    check_arm(settings, flags, config)
    if faults:
        check_simulated(settings, "The faults are")
        _faults(settings, only or "", as_json)

    from console.doctor import checks, lines

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a terminal taken raw is given back
    try:
        found = list(checks(settings, progress, hold=keyboard))
    except KeyboardInterrupt:
        fail("Interrupted; the terminal is as it was.", INTERRUPTED)
    click.echo(json.dumps(msgspec.to_builtins(found)) if as_json else "\n".join(lines(found)))
    sys.exit(1 if any(one.status == "fail" for one in found) else 0)


def _faults(settings: "Settings", only: str, as_json: bool) -> NoReturn:
    """Try the faults, print the matrix, and end the program; whatever ends it takes every engine that was started with it."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    import msgspec

    from adapters.base import AdapterError
    from console.doctor.faults import fault_lines, faults, names
    from engine.config import nearest
    from engine.policy.errors import PolicyError
    from engine.session.layout import SessionError

    try:
        found = faults(settings, only, progress)
    except KeyboardInterrupt:
        fail("Interrupted; nothing that was started is left running.", INTERRUPTED)
    except (AdapterError, PolicyError, SessionError, OSError) as error:
        fail(str(error), NOT_CONNECTED)
    if not found:
        fail(f"No fault is called {only!r}: {nearest(only, names())}", USAGE)
    click.echo(json.dumps(msgspec.to_builtins(found)) if as_json else "\n".join(fault_lines(found)))
    sys.stdout.flush()
    os._exit(CLEAN if all(one.ok for one in found) else FAULT)  # a thread left behind in torch would abort an orderly exit


@click.group(cls=Commands)
def config() -> None:
    """Settings, their values and where they came from."""


@config.command("show")
@run_options
@arm_options
@json_option
def config_show(as_json: bool, config: Path | None, **flags: Any) -> None:
    """Every setting with its value and its source."""
    from engine.config import ConfigError, origins

    flags = {key: value for key, value in arm_flags(flags).items() if value is not None}
    try:
        found = origins(flags, config)
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
