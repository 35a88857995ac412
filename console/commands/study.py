"""Policies, studies, figures and pictures: train, evaluate, bench, screenshots."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from console.commands.common import Commands, config_option, fail, json_option, progress, put, settings_from
from engine.exits import FAULT, INTERRUPTED, NOT_CONNECTED, USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.study.plan import Outcome, Plan


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
    """Evaluate a policy, or the safety core, in closed loop."""


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


def _study_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that studies of the safety core share."""
    for option in reversed(
        (
            click.option("--seed", type=click.IntRange(0, 2**31 - 10_000), default=0, show_default=True, help="The first of the seeds."),
            click.option("--policy", default="compact", show_default=True, help="scripted is fast, and has one member only."),
            click.option("--device", default="cpu", show_default=True),
            click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Processes, one scene each."),
            click.option("--out", type=click.Path(path_type=Path), help="JSON lines, one a scene; those in it are not played again."),
            json_option,
        )
    ):
        command = option(command)
    return command


@evaluate.command("safety")
@click.option("--scenes", type=click.IntRange(1, 10_000), help="Drawn scenes of 15 s [default: 200, or 50 with --without].")
@click.option("--without", help="Put off latch, validity, limits, separation, contact, uncertainty, operator, all, or each in turn.")
@_study_options
def evaluate_safety(scenes: int | None, without: str | None, as_json: bool, **options: Any) -> None:
    """Hazard scenes on the real engine in lock-step: contacts, forces, stops; and what each layer is good for.

    With the shipped limits, whatever the configuration says. Exit 1 if a moving blade touched a person.
    """
    from engine.config import nearest
    from engine.study import plan, report

    if without is None:
        _study(lambda policy, seed, device: plan.safety_plans(scenes or 200, seed, policy, device), report.safety, as_json, **options)
    known = (*plan.LAYERS, plan.ALL, "each")
    if without not in known:
        fail(f"Unknown layer {without!r}: {nearest(without, known)}", USAGE)
    layers = (*plan.LAYERS, plan.ALL) if without == "each" else (without,)
    _study(
        lambda policy, seed, device: plan.ablation_plans(layers, scenes or 50, seed, policy, device), report.ablation, as_json, **options
    )


@evaluate.command("sawing")
@click.option("--seeds", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Logs and people to saw with, 25 s each.")
@_study_options
def evaluate_sawing(seeds: int, as_json: bool, **options: Any) -> None:
    """Fixed gains against the score's, with and without the energy tank: cut rate, force on the partner, separation, stops."""
    from engine.study import plan, report

    _study(lambda policy, seed, device: plan.sawing_plans(seeds, seed, policy, device), report.sawing, as_json, **options)


def _study(
    planned: Callable[[str, int, str], "list[Plan]"],
    told: "Callable[[Sequence[Outcome]], dict[str, Any]]",
    as_json: bool,
    *,
    policy: str,
    seed: int,
    device: str,
    workers: int,
    out: Path | None,
) -> NoReturn:
    """Play the plans, print the report, end the program."""
    from engine.study import crew, report

    settings_from(None, policy=policy, device=device)  # a policy or a device that there is not ends here, in a sentence
    try:
        found = crew.outcomes(planned(policy, seed, device), workers, out, progress)
    except KeyboardInterrupt:
        kept = f"; what was played is in {out}, go on with the same command" if out else ""
        fail(f"interrupted{kept}.", INTERRUPTED)
    except crew.StudyError as error:
        fail(str(error), FAULT)
    except OSError as error:
        fail(f"{error.filename or out} cannot be used: {error.strerror}.", NOT_CONNECTED)
    tree = told(found)
    click.echo(json.dumps(tree) if as_json else "\n".join(report.lines(tree)))
    sys.exit(FAULT if tree["problems"] else 0 if tree["ok"] else 1)


@click.command()
@click.argument("topic")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="How long to measure (default: the topic's own time).")
@config_option
@json_option
def bench(topic: str, seconds: float | None, config: Path | None, as_json: bool) -> None:
    """Measure: console, control, ensemble, recorder, sim, startup or stop.

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
