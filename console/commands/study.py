"""Policies, studies, figures and pictures: train, evaluate, bench, screenshots."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from console.commands.common import Commands, check_simulated, config_option, fail, json_option, progress, put, settings_from, told
from engine.exits import FAULT, INTERRUPTED, NOT_CONNECTED, USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.study.plan import Outcome, Plan


class Finite(click.FloatRange):
    """A number in a range; never inf, nor nan, which every range lets through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return found


def _device(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Whether there may be such a device, before anything is begun."""
    from engine.policy import devices

    if value is not None and not devices.is_name(value):
        fail(f"There is no --device {value!r}: {devices.EXPECTED}.", USAGE)
    return value


SEED = click.IntRange(0, 2**31 - 10_000)
SECONDS = Finite(min=1.0)
device_option = click.option("--device", default="cpu", show_default=True, callback=_device)
workers_option = click.option("--workers", type=click.IntRange(1, 256), default=2, show_default=True, help="Processes that simulate.")


@click.group(cls=Commands)
def train() -> None:
    """Train a policy, its sight or the forecast."""


robot_option = click.option("--robot", default="cosaw", show_default=True, help="cosaw, pickplace or so101-sim.")


@train.command("policy")
@click.argument("out", type=click.Path(path_type=Path, resolve_path=True))
@robot_option
@click.option("--episodes", type=click.IntRange(min=1), default=3000, show_default=True, help="Demonstrations of the scripted expert.")
@click.option("--steps", type=click.IntRange(min=1), default=5000, show_default=True, help="Optimiser steps of the prefix.")
@click.option("--expert-steps", type=click.IntRange(min=1), default=4000, show_default=True, help="Optimiser steps of the five experts.")
@click.option("--practice", type=click.IntRange(min=0), default=256, show_default=True, help="Episodes led by the policy itself; 0 = none.")
@click.option("--nominal", type=click.IntRange(min=1), default=48, show_default=True, help="Undisturbed episodes that tell what is usual.")
@click.option("--batch", type=click.IntRange(min=1), default=256, show_default=True)
@device_option
@workers_option
@click.option("--resume", is_flag=True, help="Take up after the last stage that finished.")
@click.option("--demonstrations-only", is_flag=True, help="Stop after the first stage, which needs no accelerator.")
def train_policy(out: Path, robot: str, resume: bool, demonstrations_only: bool, **sizes: Any) -> None:
    """Demonstrations, prefix, practice, five experts and statistics of a robot's tasks, written to OUT; stages are kept in OUT.work."""
    work = out.with_name(f"{out.name}.work")
    with told(out, f"; the stages that finished are in {work}, go on with the same command and --resume"):
        from engine.policy import courses
        from engine.policy import train as training

        plan = training.Plan(courses.course(robot), **sizes)
        if demonstrations_only:
            click.echo(f"{training.demonstrate(out, plan, resume, progress)} episodes. Go on with the same command and --resume.")
            return
        trained = training.train(out, plan, resume, progress).info
        click.echo(
            f"{out}: {trained.members} members, {trained.parameters_m:.2f} M parameters. "
            f"Evaluate with: sawhorse evaluate policy {out} --robot {robot}"
        )


@train.command("signals")
@click.argument("path", type=click.Path(path_type=Path))
@robot_option
@click.option("--episodes", "nominal", type=click.IntRange(min=1), default=48, show_default=True, help="Undisturbed, led by the ensemble.")
@device_option
@workers_option
@json_option
def train_signals(path: Path, robot: str, as_json: bool, **sizes: Any) -> None:
    """Find anew what is usual for the signals of the ensemble in PATH, from its own successful episodes; weights and noise stay.

    Written into PATH.
    """
    with told(path, f"; {path} is as it was"):
        from engine.policy import courses
        from engine.policy import train as training

        found = training.signals(path, training.Plan(courses.course(robot), **sizes), progress)
    put(found, as_json)


@train.command("sight")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--episodes", type=click.IntRange(min=1), default=1600, show_default=True, help="Whose moments the heads learn from.")
@click.option("--sequences", type=click.IntRange(min=2), default=256, show_default=True, help="That the smoother learns from.")
@click.option("--steps", type=click.IntRange(min=1), default=8000, show_default=True, help="Optimiser steps of the heads.")
@click.option("--turns", type=click.IntRange(min=1), default=1200, show_default=True, help="Optimiser steps of the smoother.")
@click.option("--seconds", type=SECONDS, default=12.0, show_default=True, help="Of an episode.")
@click.option("--batch", type=click.IntRange(min=1), default=256, show_default=True)
@device_option
@workers_option
@json_option
def train_sight(path: Path, as_json: bool, **sizes: Any) -> None:
    """Teach the sawing policy in PATH what it sees: heads on its frozen prefix, the smoother over time, and their calibration.

    Written into PATH. Sight whose calibration keeps its bounds feeds the arbiter; any other is disabled.
    """
    with told(path, f"; {path} is as it was"):
        from engine.policy import seeing

        found = seeing.train(path, seeing.Plan(**sizes), progress)
    put(found, as_json)


@click.group(cls=Commands)
def evaluate() -> None:
    """Evaluate a policy, the safety core or the forecast."""


@evaluate.command("policy")
@click.argument("path", default="compact")
@robot_option
@click.option("--episodes", type=click.IntRange(min=1), default=100, show_default=True, help="Unseen seeds, for every task and variant.")
@click.option("--seed", type=SEED, default=10_000, show_default=True, help="The first of them.")
@click.option("--flow-steps", type=click.IntRange(1, 50), multiple=True, help="The ensemble at so many flow steps too; may be repeated.")
@click.option("--spread", type=Finite(1.0, 10.0, min_open=True), default=1.5, show_default=True, help="Of the far starts.")
@device_option
@workers_option
@json_option
def evaluate_policy(path: str, robot: str, as_json: bool, **sizes: Any) -> None:
    """Closed-loop success of the ensemble, its expert, one member, black pictures and a wrong instruction, on the same seeds.

    And how well the members' disagreement tells starts outside the trained range.
    """
    import msgspec

    with told(path):
        from engine.policy import courses
        from engine.policy import evaluate as evaluation

        found = evaluation.evaluate(courses.course(robot), path, progress=progress, **sizes)
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(evaluation.lines(found)))


@evaluate.command("sight")
@click.argument("path", default="compact")
@click.option("--episodes", type=click.IntRange(min=2), default=100, show_default=True, help="Unseen seeds, half of them with hazards.")
@click.option("--seed", type=SEED, default=60_000, show_default=True, help="The first of them.")
@click.option("--seconds", type=SECONDS, default=12.0, show_default=True, help="Of an episode.")
@device_option
@workers_option
@json_option
def evaluate_sight(path: str, as_json: bool, **sizes: Any) -> None:
    """What the sawing policy sees against the truth: errors, calibration and false alarms, with the smoother and without.

    In nominal light and tints and in such far from it; 95 % intervals by drawing the episodes again.
    """
    with told(path):
        from engine.policy import checkpoint, judging

        folder = checkpoint.shipped("cosaw") if path == "compact" else Path(path).expanduser()
        found = judging.evaluate(folder, progress=progress, **sizes)
    click.echo(json.dumps(found) if as_json else "\n".join(judging.lines(found)))


def _study_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that studies of the safety core share."""
    for option in reversed(
        (
            click.option("--seed", type=SEED, default=0, show_default=True, help="The first of the seeds."),
            click.option("--policy", default="compact", show_default=True, help="scripted is fast, and has one member only."),
            device_option,
            workers_option,
            click.option("--out", type=click.Path(path_type=Path), help="JSON lines, one a scene; those in it are not played again."),
            json_option,
        )
    ):
        command = option(command)
    return command


@evaluate.command("safety")
@click.option("--scenes", type=click.IntRange(1, 10_000), help="Drawn scenes of 15 s [default: 200, or 50 with --without].")
@click.option("--without", help="Put off latch, validity, limits, separation, contact, uncertainty, vision, operator, all; or each alone.")
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
@click.option("--seconds", type=Finite(min=0.1), help="How long to measure (default: the topic's own time).")
@click.option("--model", type=click.Choice(["compact", "smolvla"]), help="Of ensemble: shipped, or SmolVLA-450M with random weights.")
@click.option("--device", callback=_device, help="Of ensemble: cpu, cuda or cuda:N.")
@click.option("--members", type=click.IntRange(min=1), help="Of ensemble: how many (default 5).")
@click.option("--perturbations", type=click.IntRange(min=0), help="Of ensemble: perturbed passes beside the clean one (default 3).")
@config_option
@json_option
def bench(topic: str, seconds: float | None, config: Path | None, as_json: bool, **choices: str | int | None) -> None:
    """Measure: console, control, ensemble, isaaclab, recorder, sim, so101, startup or stop.

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
    given = {name: value for name, value in choices.items() if value is not None}
    if given and topic != "ensemble":
        fail(f"--{next(iter(given))} belongs to `bench ensemble`, not to `bench {topic}`.", USAGE)
    settings = settings_from(config)
    if topic != "so101":
        check_simulated(settings, "The figures are")
    try:
        report = figures.measure(topic, settings, seconds, progress, **given)
    except KeyboardInterrupt:
        fail("interrupted.", INTERRUPTED)
    except (figures.BenchError, AdapterError, PolicyError, SessionError, OSError) as error:
        fail(str(error), NOT_CONNECTED)
    click.echo(json.dumps(msgspec.to_builtins(report)) if as_json else "\n".join(lines(report)))


@click.command()
@click.argument("out", type=click.Path(path_type=Path), default=Path("screenshots"))
def screenshots(out: Path) -> None:
    """Draw the program's own pictures into OUT.

    At three sizes, of the demonstration and of an episode in which the forecast acts, and of an SO-101 with emulated servos, all played
    without a screen.
    """
    from adapters.base import AdapterError
    from console.screenshots import draw
    from engine.collect.plan import CollectError
    from engine.policy.errors import PolicyError

    settings = settings_from(None)
    check_simulated(settings, "The pictures are")
    try:
        draw(settings, out, progress)
    except (AdapterError, CollectError, PolicyError) as error:
        fail(str(error), NOT_CONNECTED)
    except OSError as error:
        fail(f"The pictures cannot be written to {out}: {error.strerror}.", NOT_CONNECTED)
