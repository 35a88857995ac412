"""Running and coming back: run, attach, stop, replay."""

import json
import os
import select
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from console.commands.common import (
    arm_flags,
    arm_options,
    check_arm,
    check_isaac,
    check_screen,
    config_option,
    fail,
    isaac_flags,
    isaac_options,
    json_option,
    look,
    report_on,
    run_options,
    screen_options,
    session_errors,
    session_path,
    settings_from,
    store_option,
)
from engine import unix_signals
from engine.exits import NOT_CONNECTED, USAGE

if TYPE_CHECKING:
    from engine.config import Settings
    from engine.runs import Run


USUAL = 20.0  #: s, of a run without a screen
LONGEST = 86_400.0  #: s


@click.command()
@run_options
@arm_options
@isaac_options
@screen_options
@click.option("--demo", is_flag=True, default=None, help="A deterministic minute with hazards, in lock-step; of cosaw only.")
@click.option("--headless", is_flag=True, help="No screen: a scripted operator arms and grants.")
@click.option(
    "--duration",
    type=click.FloatRange(min=0.5),
    help=f"Seconds, with --headless [default: {USUAL:g}, or until --episodes or --max-steps are over].",
)
@click.option("--json", "as_json", is_flag=True, help="With --headless: a summary as the last line of stdout.")
def run(
    headless: bool, duration: float | None, as_json: bool, config: Path | None, theme: str | None, ascii_only: bool | None, **flags: Any
) -> None:
    """The live console, or the same engine without a screen."""
    unix_signals.block()
    if headless:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    flags = isaac_flags(arm_flags(flags))
    settings = settings_from(config, **flags, **look(theme, ascii_only))
    check_arm(settings, flags, config)
    check_isaac(settings, flags)
    if duration is None:
        duration = LONGEST if settings.isaaclab.episodes or settings.isaaclab.max_steps else USUAL
    if not duration <= LONGEST:
        fail(f"The duration {duration} is not a number of seconds up to {LONGEST:.0f}.", USAGE)
    if settings.demo and settings.robot != "cosaw":
        fail(f"The demonstration is of cosaw only: leave out --demo, or --robot {settings.robot}.", USAGE)
    if headless:
        if settings.robot == "so101" and not (settings.so101.emulated or settings.so101.dry_run):
            fail("Without a screen a script arms and grants, which a real arm is not left to: give --dry-run or --emulated.", USAGE)
        _run_headless(settings, duration, as_json)
    check_screen(settings, config)
    _need_terminal("The console needs a terminal; without one use --headless.")
    from engine import runs

    try:
        place = runs.create(settings)
    except (OSError, runs.RunError) as error:
        fail(f"The run's folder cannot be made: {error}", NOT_CONNECTED)
    _start_engine(place)
    sys.exit(_console(place, readonly=False, settings=settings))


def _need_terminal(otherwise: str) -> None:
    if not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        fail(otherwise, USAGE)
    if os.environ.get("TERM", "") in ("", "dumb"):
        fail("TERM says that this terminal moves no cursor. Set TERM to what it is, for example TERM=xterm-256color.", USAGE)


def _run_headless(settings: "Settings", duration: float, as_json: bool) -> NoReturn:
    from adapters.base import AdapterError
    from engine import demo, headless, runs
    from engine.session.layout import SessionError

    try:
        summary, code = demo.run(settings) if settings.demo else headless.run(settings, duration)
    except (AdapterError, SessionError, runs.RunError, OSError) as error:
        fail(str(error), NOT_CONNECTED)
    if as_json:
        click.echo(json.dumps(summary))
    else:
        for key, value in summary.items():
            click.echo(f"{key:20} {value}")
    if sys.stdout is not None:
        sys.stdout.flush()
    os._exit(code)  # a thread left behind in torch would abort an orderly exit of the interpreter


def _start_engine(place: "Run") -> None:
    """The engine gets a session of its own, so that it outlives this terminal."""
    import subprocess

    with (place.path / "engine.out").open("wb") as output:
        subprocess.Popen(
            [sys.executable, "-m", "engine", str(place.path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _console(place: "Run", *, readonly: bool, settings: "Settings") -> int:
    from console.start import run_live

    code, ends = run_live(place, readonly=readonly, settings=settings.console, store=settings.store, limits=settings.limits)
    deadline = time.monotonic() + 3.0
    while place.alive and ends and time.monotonic() < deadline:
        time.sleep(0.05)  # an engine that was asked to end is still committing
    if place.alive and not ends and select.select([], [sys.stdout], [], 0.0)[1]:  # a stalled terminal must not keep the program
        click.echo(
            f"The engine {place.name} goes on, and its robot stands while no console is in control. Come back: sawhorse attach {place.name}"
        )
    return code


@click.command()
@click.argument("name", required=False, metavar="[RUN]")
@click.option("--readonly", is_flag=True, help="Observe; may still stop.")
@config_option
@screen_options
def attach(name: str | None, readonly: bool, config: Path | None, theme: str | None, ascii_only: bool | None) -> None:
    """Come back to a running engine, or observe it. Theme and keys are yours, limits the run's."""
    unix_signals.block()
    own = settings_from(config, **look(theme, ascii_only))
    check_screen(own, config)
    _need_terminal("A console needs a terminal.")
    from engine.config import Settings
    from engine.runs import RunError, find

    try:
        place = find(name)
    except RunError as error:
        fail(str(error), NOT_CONNECTED)
    settings = Settings.model_validate_json(place.settings.read_text()).model_copy(update={"console": own.console})
    sys.exit(_console(place, readonly=readonly, settings=settings))


@click.command()
@click.argument("name", required=False, metavar="[RUN]")
def stop(name: str | None) -> None:
    """Stop a running engine's robot, from any shell."""
    from engine.runs import RunError, find
    from engine.stop import StopPage
    from engine.types import Writer

    try:
        place = find(name)
        with StopPage(place.page) as page:
            page.raise_stop(Writer.SHELL)
    except (RunError, OSError) as error:
        fail(str(error), NOT_CONNECTED)
    click.echo(f"Stop raised on {place.name}.")


@click.command()
@click.argument("session")
@click.option("--verify", is_flag=True, help="Compute every decision again from the recorded inputs and compare bit for bit.")
@json_option
@store_option
@config_option
@screen_options
def replay(
    session: str, verify: bool, as_json: bool, store: Path | None, config: Path | None, theme: str | None, ascii_only: bool | None
) -> None:
    """Play a recorded session on the same screen, or verify its decisions."""
    settings = settings_from(config, store=store, **look(theme, ascii_only))
    path = session_path(session, settings.store)
    if verify:
        from engine.session.verify import recompute

        with session_errors():
            report_on(recompute(path), as_json)
    check_screen(settings, config)
    unix_signals.block()
    _need_terminal("The replay needs a terminal; without one use --verify.")
    from console.start import run_replay

    with session_errors():
        sys.exit(run_replay(path, settings.console))
