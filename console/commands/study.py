"""Policies, figures and pictures: train, evaluate, bench, screenshots."""

import json
from pathlib import Path

import click

from console.commands.common import Commands, config_option, fail, json_option, progress, put, settings_from
from engine.exits import NOT_CONNECTED, USAGE


@click.group(cls=Commands)
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
    except PolicyError as error:
        fail(str(error), NOT_CONNECTED)
    except OSError as error:
        fail(f"{error.filename or out} cannot be used: {error.strerror}.", NOT_CONNECTED)


@click.group(cls=Commands)
def evaluate() -> None:
    """Evaluate a policy in closed loop."""


@evaluate.command("policy")
@click.argument("path", default="compact")
@click.option("--episodes", type=click.IntRange(min=1), default=50, show_default=True, help="Unseen seeds.")
@click.option("--seed", type=int, default=None, help="The first of them.")
@click.option("--device", default="cpu", show_default=True)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True)
@json_option
def evaluate_policy(path: str, episodes: int, seed: int | None, device: str, workers: int, as_json: bool) -> None:
    """Closed-loop success of the expert, of the policy, and of the same policy seeing black pictures, on the same seeds."""
    from engine.policy import train as training
    from engine.policy.errors import PolicyError

    first = training.EVALUATION_SEED if seed is None else seed
    try:
        found = training.evaluate(path, episodes, first, device, workers=workers, progress=progress)
    except PolicyError as error:
        fail(str(error), NOT_CONNECTED)
    except OSError as error:
        fail(f"{error.filename or path} cannot be used: {error.strerror}.", NOT_CONNECTED)
    put(found, as_json)


@click.command()
@click.argument("topic")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="How long to measure (default: the topic's own time).")
@config_option
@json_option
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
        fail(f"Unknown topic {topic!r}: {nearest(topic, figures.TOPICS)}", USAGE)
    settings = settings_from(config)
    try:
        report = figures.measure(topic, settings, seconds, progress)
    except (figures.BenchError, AdapterError, PolicyError, SessionError, OSError) as error:
        fail(str(error), NOT_CONNECTED)
    click.echo(json.dumps(msgspec.to_builtins(report)) if as_json else "\n".join(lines(report)))


@click.command()
@click.argument("out", type=click.Path(path_type=Path), default=Path("screenshots"))
def screenshots(out: Path) -> None:
    """Play the demonstration without a screen and draw its pictures into OUT, at three sizes."""
    from console.screenshots import draw

    try:
        draw(settings_from(None), out, progress)
    except OSError as error:
        fail(f"The pictures cannot be written to {out}: {error.strerror}.", NOT_CONNECTED)
