"""The forecast of failures: `train forecast`, `evaluate forecast`."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.commands.common import fail, json_option, progress, told
from console.commands.study import SEED, device_option
from engine.exits import INTERRUPTED, USAGE

if TYPE_CHECKING:
    from engine.forecast.card import Forecast
    from engine.forecast.dataset import Dataset

data_option = click.option(
    "--data", type=click.Path(path_type=Path), multiple=True, help="Folders of collections, packed .npz files; may be repeated [shipped]."
)


def _gathered(paths: tuple[Path, ...]) -> "tuple[Dataset, dict[str, int]]":
    """The episodes that were named, or the shipped ones, and how many of them were left out, by the reason."""
    from engine.forecast.card import SHIPPED
    from engine.forecast.evaluate import DATA
    from engine.forecast.gather import gather

    data, report = gather(paths or (SHIPPED / DATA,), progress)
    return data, report.left_out


def _known(task: str | None, data: "Dataset") -> None:
    """End the program where the data have no such task."""
    from engine.config import nearest

    if task and task not in data.tasks:
        fail(f"The data have no task {task!r}: {nearest(task, data.tasks)}", USAGE)


@contextlib.contextmanager
def _kept(work: Path) -> Iterator[None]:
    """An interrupted training says that its state is in ``work``, if it is."""
    try:
        yield
    except KeyboardInterrupt:
        if any(work.glob("*.safetensors")):
            fail(f"interrupted; what is learned so far is in {work}, go on with the same command and --resume.", INTERRUPTED)
        with contextlib.suppress(OSError):
            work.rmdir()
        raise


@click.command("forecast")
@click.argument("out", type=click.Path(path_type=Path, resolve_path=True))
@data_option
@click.option("--steps", type=click.IntRange(min=1), help="Optimiser steps of each loss.")
@device_option
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--without", default="", metavar="ROBOT/TASK", help="A task to leave out, to see how well the forecast does on the unseen.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted training stood.")
@json_option
def train(out: Path, data: tuple[Path, ...], steps: int | None, device: str, seed: int, without: str, resume: bool, as_json: bool) -> None:
    """Learn from recorded episodes to foresee failures.

    How likely each is within 0.6 to 1.6 s, and whether that is proven; written to OUT. The state of the training is kept in OUT.work.
    """
    from engine.forecast import card

    with told(out, "; nothing is learned yet, and nothing is kept"), _kept(card.work(out)):
        card.check(out)
        progress("loading the data")
        from engine.forecast import train as training

        episodes, _ = _gathered(data)
        _known(without, episodes)
        wanted = training.STEPS if steps is None else steps
        training.train(episodes, out, steps=wanted, device=device, seed=seed, without=without, resume=resume, progress=progress)
    with told(out, f"; the forecast is in {out}, and not judged: it is proven for no task"):
        from engine.forecast import evaluate

        tree = evaluate.evaluate(episodes, card.load(out), progress).tree
        card.prove(out, evaluate.gates(tree))
    gate = tree["tasks"][evaluate.POOLED]["gate"]
    if as_json:
        click.echo(
            json.dumps({"forecast": str(out), "gate": gate, "proven": {task: one.proven for task, one in evaluate.gates(tree).items()}})
        )
        return
    proven = [task for task, one in evaluate.gates(tree).items() if one.proven]
    click.echo(f"{out}: proven for {', '.join(proven) or 'no task'}. See all figures with: sawhorse evaluate forecast {out}")


@click.command("forecast")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@data_option
@click.option(
    "--bootstrap", type=click.IntRange(100, 100_000), default=1000, show_default=True, help="Draws of the episodes, for intervals."
)
@click.option("--unseen", metavar="ROBOT/TASK", help="Train anew without this task, now, and judge that on it.")
@click.option("--pictures", type=click.Path(path_type=Path), help="A folder for SVGs: reliability, ROC, precision and recall, lead times.")
@json_option
def evaluate(path: Path | None, data: tuple[Path, ...], bootstrap: int, unseen: str | None, pictures: Path | None, as_json: bool) -> None:
    """What a forecast is worth, beside all that it must beat.

    Of the one in PATH, or the shipped one, on episodes it never saw. The clock, the chunk's phase, each signal alone, shuffled labels
    and time, and an oracle stand in the same table. Exit 1 if the forecast does not lead the clock and the phase by enough.
    """
    with told(path or "the shipped forecast"):
        from console.forecast_pictures import draw
        from engine.forecast import card, pictured, telling
        from engine.forecast import evaluate as evaluation

        folder = path or card.SHIPPED
        forecast = card.load(folder)
        episodes, left_out = _gathered(data)
        _known(unseen, episodes)
        others = evaluation.trained_without(folder)
        if unseen:
            others.append(_without(unseen, episodes, forecast))
        found = evaluation.evaluate(episodes, forecast, progress, unseen=others, draws=bootstrap, left_out=left_out)
        if pictures:
            written = draw(pictures, pictured.pictures(found.test))
            progress(f"{len(written)} pictures in {pictures}")
    click.echo(json.dumps(found.tree) if as_json else "\n".join(telling.lines(found.tree)))
    sys.exit(0 if found.tree["ok"] else 1)


def _without(task: str, data: "Dataset", like: "Forecast") -> "Forecast":
    """A forecast trained as ``like`` was, without one task."""
    import tempfile

    from engine.forecast import card
    from engine.forecast.train import train as trained

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "forecast"
        trained(data, out, steps=like.card.steps, seed=like.card.seed, without=task, progress=progress)
        return card.load(out)
