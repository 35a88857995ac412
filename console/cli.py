"""The command line. Imports nothing heavy before a command needs it."""

import contextlib
import difflib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from engine.config import Settings
    from engine.runs import Run

EXIT_USAGE, EXIT_CONNECT, EXIT_STOPPED = 2, 3, 4
HOMES = {"context_settings": {"help_option_names": ["-h", "--help"]}}


def fail(text: str, code: int) -> NoReturn:
    """One sentence for the operator, and the exit code."""
    click.echo(f"sawhorse: {text}", err=True)
    sys.exit(code)


class Commands(click.Group):
    """A group whose bare call, or a call that begins with an option, is ``run``; a mistyped command gets its nearest match."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h", "--version"}
        if self.name == "main" and (not args or (args[0].startswith("-") and args[0] not in own)):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            match = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            fail(f"Unknown command {name!r}: " + (f"did you mean {match[0]!r}?" if match else f"known: {', '.join(known)}."), EXIT_USAGE)
        return super().resolve_command(ctx, args)


@click.group("main", cls=Commands, **HOMES)
@click.version_option(package_name="sawhorse")
def main() -> None:
    """An operator's console for a robot that saws together with a person. NOT SAFETY-RATED.

    Without a command: the live console on the simulated cell.
    """


def settings_from(config: Path | None, **flags: Any) -> "Settings":
    from engine.config import ConfigError, load

    try:
        return load({key: value for key, value in flags.items() if value is not None}, config)
    except ConfigError as error:
        fail(str(error), EXIT_USAGE)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option("--robot", help="cosaw (simulated cell; default)."),
            click.option("--task", help="What to do; saw for the cosaw cell."),
            click.option("--policy", help="compact (shipped), scripted (placeholder), or a checkpoint folder."),
            click.option("--instruction", help="The sentence the policy is given."),
            click.option("--config", type=click.Path(path_type=Path), help="A TOML file of settings."),
            click.option("--device", help="cpu, cuda or cuda:N."),
            click.option("--record/--no-record", default=None, help="Record the session (default: on)."),
            click.option("--store", type=click.Path(path_type=Path), help="Where sessions are kept."),
            click.option("--seed", type=int, help="Of the cell: log, knots, colours, partner."),
        )
    ):
        command = option(command)
    return command


@main.command()
@run_options
@click.option("--demo", is_flag=True, default=None, help="A deterministic minute with hazards, in lock-step.")
@click.option("--headless", is_flag=True, help="No screen: a scripted operator arms and grants.")
@click.option("--duration", type=click.FloatRange(min=0.5), default=20.0, show_default=True, help="Seconds, with --headless.")
@click.option("--json", "as_json", is_flag=True, help="With --headless: a summary as the last line of stdout.")
def run(headless: bool, duration: float, as_json: bool, config: Path | None, **flags: Any) -> None:
    """The live console, or the same engine without a screen."""
    if headless:
        from engine import unix_signals

        unix_signals.block()
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    settings = settings_from(config, **flags)
    if headless:
        _run_headless(settings, duration, as_json)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("The console needs a terminal; without one use --headless.", EXIT_USAGE)
    from engine import runs

    place = runs.create(settings)
    _start_engine(place)
    sys.exit(_console(place, readonly=False, settings=settings))


def _run_headless(settings: "Settings", duration: float, as_json: bool) -> NoReturn:
    from adapters.base import AdapterError
    from engine import demo, headless
    from engine.session.layout import SessionError

    try:
        summary, code = demo.run(settings) if settings.demo else headless.run(settings, duration)
    except (AdapterError, SessionError, OSError) as error:
        fail(str(error), EXIT_CONNECT)
    if as_json:
        click.echo(json.dumps(summary))
    else:
        for key, value in summary.items():
            click.echo(f"{key:20} {value}")
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
    from console.app import run_live

    code = run_live(place, readonly=readonly, settings=settings.console, store=settings.store, limits=settings.limits)
    deadline = time.monotonic() + 3.0
    while place.alive and code == 0 and time.monotonic() < deadline:
        time.sleep(0.05)  # an engine that was asked to end is still committing
    if place.alive:
        click.echo(f"The engine {place.name} goes on without a console: the robot is stopped. Come back with: sawhorse attach {place.name}")
    return code


@main.command()
@click.argument("name", required=False, metavar="[RUN]")
@click.option("--readonly", is_flag=True, help="Observe; may still stop.")
def attach(name: str | None, readonly: bool) -> None:
    """Come back to a running engine, or observe it."""
    from engine.config import Settings
    from engine.runs import RunError, find

    try:
        place = find(name)
    except RunError as error:
        fail(str(error), EXIT_CONNECT)
    settings = Settings.model_validate_json(place.settings.read_text())
    sys.exit(_console(place, readonly=readonly, settings=settings))


@main.command()
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
        fail(str(error), EXIT_CONNECT)
    click.echo(f"Stop raised on {place.name}.")


@main.command()
@click.argument("session")
@click.option("--verify", is_flag=True, help="Compute every decision again from the recorded inputs and compare bit for bit.")
@click.option("--json", "as_json", is_flag=True)
@click.option("--store", type=click.Path(path_type=Path), help="Where sessions are kept.")
def replay(session: str, verify: bool, as_json: bool, store: Path | None) -> None:
    """Play a recorded session on the same screen, or verify its decisions."""
    path = _session(session, store)
    if verify:
        from engine.session.verify import recompute

        with session_errors():
            _report(recompute(path), as_json)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("The replay needs a terminal; without one use --verify.", EXIT_USAGE)
    from console.app import run_replay

    sys.exit(run_replay(path, settings_from(None).console))


def _session(name: str, store: Path | None) -> Path:
    """A path, an id (or a unique part of one) in the store, or "last"."""
    from engine.session.store import find

    with session_errors():
        return find(store or settings_from(None).store, name)


@contextlib.contextmanager
def session_errors() -> Iterator[None]:
    from engine.session.layout import SessionError

    try:
        yield
    except SessionError as error:
        fail(str(error), EXIT_CONNECT)


def _report(found: Any, as_json: bool) -> NoReturn:
    """A struct for programs or for people; exit 1 if it is not ok."""
    import msgspec

    tree = msgspec.to_builtins(found)
    _print(tree, as_json)
    sys.exit(0 if tree.get("ok", True) else 1)


def _print(tree: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(tree))
        return
    for key, value in tree.items():
        if key != "problems":
            click.echo(f"{key:20} {value}")
    for problem in tree.get("problems", []):
        click.echo(f"PROBLEM  {problem}")


@main.group(cls=Commands)
def sessions() -> None:
    """The store of recorded sessions."""


_store = click.option("--store", type=click.Path(path_type=Path), help="Where sessions are kept.")
_json = click.option("--json", "as_json", is_flag=True)


@sessions.command("list")
@_store
@_json
def sessions_list(store: Path | None, as_json: bool) -> None:
    """Every session, newest first."""
    import msgspec

    from engine.session.store import sessions as summaries

    found = summaries(store or settings_from(None).store)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found)))
        return
    if not found:
        click.echo("No sessions yet. Record one with: sawhorse run")
    for one in found:
        state = "recording" if one.recording else one.exit_reason or "; ".join(one.problems)
        click.echo(
            f"{one.id:22} {one.robot:8} {one.policy or '-':10} {one.length_s:7.1f} s {one.ticks:8d} ticks {one.inferences:6d} inferences "
            f"{one.stops:3d} stops {one.bytes / 1e6:7.1f} MB  {state}"
        )


@sessions.command("show")
@click.argument("session")
@_store
@_json
def sessions_show(session: str, store: Path | None, as_json: bool) -> None:
    """One session: what drove it, how long, how it ended."""
    from engine.session.store import summary

    with session_errors():
        _report(summary(_session(session, store)), as_json)


@sessions.command("verify")
@click.argument("session")
@_store
@_json
def sessions_verify(session: str, store: Path | None, as_json: bool) -> None:
    """Check that what is on disk is what was committed."""
    from engine.session.verify import verify

    with session_errors():
        _report(verify(_session(session, store)), as_json)


@sessions.command("repair")
@click.argument("session")
@_store
@_json
def sessions_repair(session: str, store: Path | None, as_json: bool) -> None:
    """Cut a session back to what was committed, and say what was lost."""
    from engine.session.repair import repair

    with session_errors():
        _report(repair(_session(session, store)), as_json)


@sessions.command("rm")
@click.argument("session")
@_store
@click.confirmation_option(prompt="Delete this session for good?")
def sessions_rm(session: str, store: Path | None) -> None:
    """Delete one session."""
    from engine.session.store import remove

    path = _session(session, store)
    with session_errors():
        remove(path)
    click.echo(f"Deleted {path}.")


@main.group(cls=Commands)
def config() -> None:
    """Settings, their values and where they came from."""


@config.command("show")
@run_options
@_json
def config_show(as_json: bool, config: Path | None, **flags: Any) -> None:
    """Every setting with its value and its source."""
    from engine.config import ConfigError, origins

    try:
        found = origins({key: value for key, value in flags.items() if value is not None}, config)
    except ConfigError as error:
        fail(str(error), EXIT_USAGE)
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


def progress(text: str) -> None:
    """What is under way, for whoever waits."""
    click.echo(f"  {text}", err=True)


@main.command()
@click.argument("topic")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="How long to measure (default: the topic's own time).")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file of settings.")
@_json
def bench(topic: str, seconds: float | None, config: Path | None, as_json: bool) -> None:
    """Measure: control, ensemble, recorder, sim or startup.

    Each figure stands beside its bar and beside a named alternative measured in the same run.
    """
    import msgspec

    from adapters.base import AdapterError
    from engine import bench as figures
    from engine.bench.figure import lines
    from engine.config import nearest
    from engine.policy.errors import PolicyError
    from engine.session.layout import SessionError

    if topic not in figures.TOPICS:
        fail(f"Unknown topic {topic!r}: {nearest(topic, figures.TOPICS)}", EXIT_USAGE)
    settings = settings_from(config)
    try:
        report = figures.measure(topic, settings, seconds, progress)
    except (figures.BenchError, AdapterError, PolicyError, SessionError, OSError) as error:
        fail(str(error), EXIT_CONNECT)
    click.echo(json.dumps(msgspec.to_builtins(report)) if as_json else "\n".join(lines(report)))


@main.command()
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file of settings.")
@_json
def doctor(config: Path | None, as_json: bool) -> None:
    """Look at everything the program stands on: what works, what does not, what to do. Exit 1 if something failed."""
    import msgspec

    from console.doctor import checks, lines

    found = list(checks(settings_from(config), progress))
    click.echo(json.dumps(msgspec.to_builtins(found)) if as_json else "\n".join(lines(found)))
    sys.exit(1 if any(one.status == "fail" for one in found) else 0)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a shell's completion script: eval "$(sawhorse completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(main, {}, "sawhorse", "_SAWHORSE_COMPLETE").source())


@main.group(cls=Commands)
def train() -> None:
    """Train a policy from simulation."""


@train.command("policy")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--episodes", type=click.IntRange(min=1), default=1500, show_default=True, help="Demonstrations of the scripted expert.")
@click.option("--steps", type=click.IntRange(min=1), default=6000, show_default=True, help="Optimiser steps of the prefix.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, help="Processes that simulate.")
@click.option("--resume", is_flag=True, help="Take up after the last stage that finished.")
def train_policy(out: Path, episodes: int, steps: int, device: str, workers: int, resume: bool) -> None:
    """Demonstrations, prefix, five experts, statistics and evaluation, written to OUT."""
    from engine.policy.errors import PolicyError
    from engine.policy.train import train as fit

    try:
        trained = fit(out, episodes, steps, device, workers, resume, progress).info
        click.echo(
            f"{out}: {trained.members} members, {trained.parameters_m:.2f} M parameters. Evaluate with: sawhorse evaluate policy {out}"
        )
    except (PolicyError, OSError) as error:
        fail(str(error), EXIT_CONNECT)


@main.group(cls=Commands)
def evaluate() -> None:
    """Evaluate a policy in closed loop."""


@evaluate.command("policy")
@click.argument("path", default="compact")
@click.option("--episodes", type=click.IntRange(min=1), default=50, show_default=True, help="Unseen seeds.")
@click.option("--seed", type=int, default=None, help="The first of them.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True)
@_json
def evaluate_policy(path: str, episodes: int, seed: int | None, device: str, workers: int, as_json: bool) -> None:
    """Closed-loop success of the expert, of the policy, and of the same policy seeing black pictures, on the same seeds."""
    from engine.policy import train as training
    from engine.policy.errors import PolicyError

    first = training.EVALUATION_SEED if seed is None else seed
    try:
        found = training.evaluate(path, episodes, first, device, workers=workers, progress=progress)
    except (PolicyError, OSError) as error:
        fail(str(error), EXIT_CONNECT)
    _print(found, as_json)


@main.command()
@click.argument("out", type=click.Path(path_type=Path), default=Path("screenshots"))
def screenshots(out: Path) -> None:
    """Play the demonstration without a screen and draw its pictures into OUT, at three sizes."""
    from console.screenshots import draw

    draw(settings_from(None), out, progress)
