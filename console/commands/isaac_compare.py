"""Same physics? `isaac compare`: what the same commands come to in so101-sim and in Isaac Lab, as a table and as a picture."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.chart import HEIGHT, WIDTH, Line, line_chart
from console.commands.common import fail, json_option, progress
from console.commands.study import SEED
from engine.exits import INTERRUPTED, NOT_CONNECTED
from engine.unix_signals import interrupting

if TYPE_CHECKING:
    from adapters.isaaclab.compare import Comparison

COLUMNS = 2  #: of charts in a picture
BOTH = ("so101-sim", "isaaclab")
ROLES = ("warn", "good")  #: of Isaac Lab's curves


@click.command()
@click.option("--task", type=click.Choice(("reach", "lift")), default="reach", show_default=True, help="What the scripted expert does.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of where things lie.")
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="An SVG to write: the traces over each other.")
@click.option("--isaac-python", default="", help="An interpreter that has Isaac Lab [default: uv makes one].")
@json_option
def compare(task: str, seed: int, picture: Path | None, isaac_python: str, as_json: bool) -> None:
    """Play the same commands to so101-sim and to Isaac Lab, and tell how far apart the arms go.

    The scripted expert moves so101-sim's arm; what it told the servos is repeated in Isaac Lab, which nothing corrects there.
    """
    from adapters.base import AdapterError
    from adapters.isaaclab.compare import compare as compared

    try:
        with interrupting():
            if picture:
                _make_room(picture)
            found = compared(task, seed, progress, isaac_python)
            if picture:
                picture.write_text(drawn(found), encoding="utf-8")
    except KeyboardInterrupt:
        fail("interrupted; nothing is compared.", INTERRUPTED)
    except AdapterError as error:
        fail(str(error), NOT_CONNECTED)
    except OSError as error:
        fail(f"{error.filename or picture} cannot be written: {error.strerror or error}.", NOT_CONNECTED)
    click.echo(json.dumps(tree(found)) if as_json else "\n".join(lines(found)))


def _make_room(picture: Path) -> None:
    """Raises OSError where it could not be written; else nothing is there that was not before, but for its folder."""
    picture.parent.mkdir(parents=True, exist_ok=True)
    fresh = not picture.exists()
    with picture.open("ab"):
        pass
    if fresh:
        picture.resolve().unlink()


def tree(found: "Sequence[Comparison]") -> dict[str, Any]:
    """All that was found, SI units."""
    first = found[0]

    def told(one: "Comparison") -> dict[str, Any]:
        joints, tool, cube, widest = one.joints(), one.tool(), one.cube(), one.widest()
        return {
            "physics_step_s": one.step,
            "largest": {"joint": widest, "rad": joints[widest].largest},
            "joints": {name: {"largest_rad": gap.largest, "at_s": gap.at, "rms_rad": gap.rms} for name, gap in joints.items()},
            "tool": {"largest_m": tool.largest, "at_s": tool.at, "rms_m": tool.rms},
            "cube": {"largest_m": cube.largest, "at_s": cube.at, "rms_m": cube.rms},
            "raised_m": dict(zip(BOTH, one.raised(), strict=True)),
            "done_at_s": {name: None if math.isnan(at) else at for name, at in zip(BOTH, one.done_at(), strict=True)},
        }

    return {
        "task": first.task,
        "seed": first.seed,
        "commands": len(first.times),
        "seconds": float(first.times[-1]),
        "isaaclab": [told(one) for one in found],
    }


def lines(found: "Sequence[Comparison]") -> list[str]:
    """The same as a table for each of Isaac Lab's physics steps, the short one first."""
    first = found[0]
    told = [
        f"{first.task}, seed {first.seed}: {len(first.times)} commands in {first.times[-1]:.2f} s, the same for so101-sim and Isaac Lab"
    ]
    for one in found:
        joints, tool, widest = one.joints(), one.tool(), one.widest()
        told += ["", f"Isaac Lab in physics steps of {_ms(one)}" + (", as so101-sim" if one is first else ", as it usually has here")]
        told += [f"  {'':14}{'largest':>14}{'at':>9}{'rms':>14}"]
        told += [f"  {name:14}{gap.largest:10.5f} rad{gap.at:7.2f} s{gap.rms:10.5f} rad" for name, gap in joints.items()]
        told += [f"  {'tool':14}{1e3 * tool.largest:11.3f} mm{tool.at:7.2f} s{1e3 * tool.rms:11.3f} mm"]
        told += [f"  {one.task} done: {', '.join(f'{name} {_when(at)}' for name, at in zip(BOTH, one.done_at(), strict=True))}"]
        if one.task == "lift":
            here, there = one.raised()
            told += [f"  cube raised: so101-sim {1e3 * here:.1f} mm, isaaclab {1e3 * there:.1f} mm"]
        told += [f"  largest difference: {joints[widest].largest:.5f} rad ({widest}), and {1e3 * tool.largest:.3f} mm of the tool"]
    return told


def drawn(found: "Sequence[Comparison]") -> str:
    """SVG: a chart of each joint with the traces over each other, one of how far the tools are apart, and of a lifted cube's height."""
    first = found[0]
    times = first.times.tolist()

    def chart(title: str, y: str, ours: Sequence[float] | None, theirs: Sequence[Sequence[float]]) -> str:
        own = [] if ours is None else [Line(name="so101-sim", xs=times, ys=ours)]
        others = [
            Line(name=f"Isaac Lab, steps of {_ms(one)}", xs=times, ys=ys, role=role)
            for one, ys, role in zip(found, theirs, ROLES, strict=True)
        ]
        return line_chart(title, "time (s)", y, [*own, *others])

    charts = [
        chart(name, "joint (rad)", first.mujoco.joints[:, i].tolist(), [one.isaac.joints[:, i].tolist() for one in found])
        for i, name in enumerate(first.joints())
    ]
    charts.append(chart("the tools apart", "distance (mm)", None, [(1e3 * one.tool_apart()).tolist() for one in found]))
    if first.task == "lift":
        heights = [(1e3 * one.isaac.cube[:, 2]).tolist() for one in found]
        charts.append(chart("the cube's middle", "height (mm)", (1e3 * first.mujoco.cube[:, 2]).tolist(), heights))
    rows = -(-len(charts) // COLUMNS)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * WIDTH} {rows * HEIGHT}">'
    placed = [one.replace("<svg ", f'<svg x="{i % COLUMNS * WIDTH}" y="{i // COLUMNS * HEIGHT}" ', 1) for i, one in enumerate(charts)]
    return "\n".join((head, *placed, "</svg>", ""))


def _ms(one: "Comparison") -> str:
    return f"{1e3 * one.step:g} ms"


def _when(at: float) -> str:
    return "never" if math.isnan(at) else f"after {at:.2f} s"
