"""What several commands share: how they fail, read settings, find a session and print what they found."""

import contextlib
import difflib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from engine.exits import INTERRUPTED, NOT_CONNECTED, USAGE
from engine.unix_signals import interrupting

if TYPE_CHECKING:
    from engine.config import Settings


config_option = click.option("--config", type=click.Path(path_type=Path), help="A TOML file of settings.")
store_option = click.option("--store", type=click.Path(path_type=Path), help="Where sessions are kept.")
json_option = click.option("--json", "as_json", is_flag=True)


def fail(text: str, code: int) -> NoReturn:
    """One sentence for the operator, and the exit code."""
    click.echo(f"sawhorse: {text}", err=True)
    sys.exit(code)


@contextlib.contextmanager
def told(path: Path | str, kept: str = "") -> Iterator[None]:
    """What ends a training or an evaluation is told in a sentence; ``kept`` says what an interrupt leaves of it."""
    from engine.forecast.errors import ForecastError
    from engine.policy.errors import PolicyError

    try:
        with interrupting():
            yield
    except KeyboardInterrupt:
        fail(f"interrupted{kept}.", INTERRUPTED)
    except (ForecastError, PolicyError) as error:
        fail(str(error), NOT_CONNECTED)
    except OSError as error:
        fail(f"{error.filename or path} cannot be used: {error.strerror or error}.", NOT_CONNECTED)


class Commands(click.Group):
    """A group that answers a mistyped command with its nearest match."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            match = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            fail(f"Unknown command {name!r}: " + (f"did you mean {match[0]!r}?" if match else f"known: {', '.join(known)}."), USAGE)
        return super().resolve_command(ctx, args)


def settings_from(config: Path | None, **flags: Any) -> "Settings":
    """The settings with what the command line says on top; ends the program with a sentence where they cannot be used."""
    from engine.config import ConfigError, load

    try:
        return load({key: value for key, value in flags.items() if value is not None}, config)
    except ConfigError as error:
        fail(str(error), USAGE)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is run: robot, task, policy, settings."""
    for option in reversed(
        (
            click.option(
                "--robot",
                help="cosaw (simulated cell; default), pickplace or so101-sim (simulated at a table), isaaclab, or so101 (real).",
            ),
            click.option("--task", help="What to do: saw; pickplace, lift or reach; of isaaclab, the id of its task."),
            click.option(
                "--policy",
                help="compact (shipped), scripted (placeholder), a checkpoint folder, or a hub id: owner/name; of isaaclab "
                "[default: lerobot/smolvla_base].",
            ),
            click.option("--instruction", help="The sentence the policy is given."),
            config_option,
            click.option("--device", help="cpu, cuda or cuda:N."),
            click.option("--record/--no-record", default=None, help="Record the session (default: on)."),
            store_option,
            click.option("--seed", type=int, help="Of the cell: log, knots, colours, partner."),
        )
    ):
        command = option(command)
    return command


def arm_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a real SO-101; ``arm_flags`` makes settings of them."""
    for option in reversed(
        (
            click.option("--port", help="Of so101: the serial port of its servos [default: the only one there is]."),
            click.option("--id", help="Of so101: what the arm is called, which names its calibration."),
            click.option(
                "--calibration", type=click.Path(path_type=Path), help="Of so101: its file's folder [default: LeRobot's own place]."
            ),
            click.option("--camera", "cameras", multiple=True, metavar="NAME=INDEX[:WxH@FPS]", help="Of so101, for each camera."),
            click.option("--rate", type=float, metavar="HZ", help="Of so101: inferences a second, at most."),
            click.option("--dry-run/--no-dry-run", default=None, help="Of so101: show and record actions, and move nothing."),
            click.option("--emulated/--no-emulated", default=None, help="Of so101: servos that a program plays, and no real ones."),
            click.option("--fallback", help="Of so101: scripted, where the policy cannot be loaded [default: nothing drives]."),
            click.option("--synthetic-camera/--no-synthetic-camera", default=None, help="Of so101: a test picture; it only jogs."),
        )
    ):
        command = option(command)
    return command


def arm_flags(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags of a command with ``arm_options``, those of the arm in their section."""
    names = ("port", "id", "calibration", "cameras", "dry_run", "emulated", "fallback", "synthetic_camera")
    arm = {name: flags.pop(name) for name in names}
    given = {name: value for name, value in arm.items() if value not in (None, ())}
    rate = flags.pop("rate")
    return {**flags, **({"so101": given} if given else {}), **({"camera": {"hz": rate}} if rate is not None else {})}


def check_arm(settings: "Settings", flags: dict[str, Any], config: Path | None) -> None:
    """End the program with a sentence where ``arm_flags`` are given to another robot, or name a port that would not be opened."""
    arm: dict[str, Any] = flags.get("so101", {})
    if settings.robot != "so101":
        given = ["rate"] * ("camera" in flags) + [{"cameras": "camera"}.get(name, name.replace("_", "-")) for name in arm]
        if given:
            fail(f"Of so101 only: {', '.join(f'--{name}' for name in given)}; leave that out, or give --robot so101.", USAGE)
        return
    if arm.get("port") and settings.so101.emulated:
        from engine.config import origin

        source = origin("so101.emulated", flags, config)
        fail(f"The port {arm['port']} would not be opened: so101.emulated is true from {source}; leave out one of them.", USAGE)


def isaac_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of Isaac Lab; ``isaac_flags`` makes settings of them."""
    for option in reversed(
        (
            click.option("--num-envs", type=int, help="Of isaaclab: environments; the first is shown, all are driven and counted."),
            click.option("--max-steps", type=int, help="Of isaaclab: environment steps of 10 ms, after which an episode or the run ends."),
            click.option("--episodes", type=int, help="Of isaaclab: how many in all environments, after which the run ends."),
            click.option("--robot-name", help="Of isaaclab: the arm's name in the scene [default: robot]."),
            click.option("--ee-link-name", help="Of isaaclab: the end effector's link [default: gripper_link]."),
            click.option("--ee-in-obs/--no-ee-in-obs", default=None, help="Of isaaclab: its state is among what is observed."),
            click.option("--isaac-python", help="Of isaaclab: an interpreter that has Isaac Lab [default: uv makes one]."),
        )
    ):
        command = option(command)
    return command


def isaac_flags(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags of a command with ``isaac_options``, those of Isaac Lab in their section."""
    names = ("num_envs", "max_steps", "episodes", "robot_name", "ee_link_name", "ee_in_obs", "isaac_python")
    given = {name: value for name in names if (value := flags.pop(name)) is not None}
    return {**flags, **({"isaaclab": given} if given else {})}


def check_isaac(settings: "Settings", flags: dict[str, Any]) -> None:
    """End the program with a sentence where ``isaac_flags`` are given to another robot."""
    given = [name.replace("_", "-") for name in flags.get("isaaclab", {})]
    if given and settings.robot != "isaaclab":
        fail(f"Of isaaclab only: {', '.join(f'--{name}' for name in given)}; leave that out, or give --robot isaaclab.", USAGE)


def check_simulated(settings: "Settings", what: str) -> None:
    """End the program with a sentence where ``what`` would be done to a robot that does not play in lock-step."""
    if settings.robot == "so101":
        fail(f"{what} of simulated robots only: give another --robot than so101, which is real.", USAGE)
    if settings.robot == "isaaclab":
        fail(f"{what} in lock-step, which isaaclab does not play here: give another --robot, such as so101-sim.", USAGE)


def screen_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how a screen looks; ``look`` makes settings of them."""
    for option in reversed(
        (
            click.option("--theme", help="dark, light, colour-blind, monochrome, or one of yours."),
            click.option("--ascii/--no-ascii", "ascii_only", default=None, help="Draw with ASCII characters only."),
        )
    ):
        command = option(command)
    return command


def look(theme: str | None, ascii_only: bool | None) -> dict[str, Any]:
    """What ``screen_options`` were given, as flags of ``settings_from``."""
    given = {name: value for name, value in (("theme", theme), ("ascii", ascii_only)) if value is not None}
    return {"console": given} if given else {}


def check_screen(settings: "Settings", config: Path | None) -> None:
    """End the program with a sentence where a keymap or a theme of the user's own cannot be used."""
    from console.keymap import Keymap, KeymapError
    from console.theme import ThemeError, palettes_from
    from engine.config import origin

    try:
        palettes_from(settings.console.themes)
        Keymap(settings.console.keymap)
    except (KeymapError, ThemeError) as error:
        kind, key = ("keymap", f"console.keymap.{error.action}") if isinstance(error, KeymapError) else ("theme", error.key)
        fail(f"The {kind} from {origin(key, {}, config)} cannot be used: {error}" + ("" if str(error).endswith("?") else "."), USAGE)


def session_path(name: str, store: Path | None) -> Path:
    """A path, an id (or a unique part of one) in the store, or "last"."""
    from engine.session.store import find

    with session_errors():
        return find(store or settings_from(None).store, name)


@contextlib.contextmanager
def session_errors() -> Iterator[None]:
    """A session that cannot be used ends the program with a sentence."""
    from engine.session.layout import SessionError

    try:
        yield
    except SessionError as error:
        fail(str(error), NOT_CONNECTED)


def report_on(found: Any, as_json: bool) -> NoReturn:
    """A struct for programs or for people; exit 1 if it is not ok."""
    import msgspec

    tree = msgspec.to_builtins(found)
    put(tree, as_json)
    sys.exit(0 if tree.get("ok", True) else 1)


def put(tree: dict[str, Any], as_json: bool) -> None:
    """Names and values, for programs or for people; problems last."""
    if as_json:
        click.echo(json.dumps(tree))
        return
    for key, value in tree.items():
        if key != "problems":
            click.echo(f"{key:20} {value}")
    for problem in tree.get("problems", []):
        click.echo(f"PROBLEM  {problem}")


def progress(text: str) -> None:
    """What is under way, for whoever waits."""
    click.echo(f"  {text}", err=True)
