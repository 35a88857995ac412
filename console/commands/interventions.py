"""`evaluate interventions`: whether what is learned helps, on the same seeds with it and without."""

import json
import sys
from pathlib import Path

import click

from console.commands.common import config_option, fail, json_option, progress, settings_from
from console.commands.study import SEED, device_option, workers_option
from engine.exits import FAULT, INTERRUPTED, NOT_CONNECTED, USAGE
from engine.unix_signals import interrupting

TASKS = ("pickplace/pickplace", "so101-sim/reach")


@click.command("interventions")
@click.option("--task", "tasks", multiple=True, default=TASKS, show_default=True, metavar="ROBOT/TASK", help="May be repeated.")
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    metavar="NAME",
    help="nothing, published, uncertainty, forecast or all (of them at once). May be repeated; without it every one.",
)
@click.option("--seeds", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Of every task, unseen by any training.")
@click.option("--seed", type=SEED, default=900_000, show_default=True, help="The first of them.")
@click.option("--policy", default="compact", show_default=True)
@click.option("--forecast", default="shipped", show_default=True, help="shipped, or a folder that `sawhorse train forecast` wrote.")
@config_option
@device_option
@workers_option
@click.option(
    "--side-by-side", type=click.IntRange(1, 256), default=8, show_default=True, help="Episodes that share a batch of the policy."
)
@click.option("--out", type=click.Path(path_type=Path), help="JSON lines, one an episode; those in it are not played again.")
@json_option
def interventions(
    tasks: tuple[str, ...],
    conditions: tuple[str, ...],
    seeds: int,
    seed: int,
    policy: str,
    forecast: str,
    config: Path | None,
    device: str,
    workers: int,
    side_by_side: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Whether the forecast helps, on the same disturbed seeds.

    Nothing (always), a published score, uncertainty, the forecast, and all of them are tried on each. Success, failures by type, time,
    asks and false alarms an hour, with 95 % intervals, and the difference to nothing, seed by seed. A scripted operator answers an ask
    after 3 s by letting the robot go on, three times an episode, and then gives up; after each stop they arm it again, as late. They
    never touch the work. What is done about which failure comes from the configuration.
    """
    from adapters.base import AdapterError
    from engine.collect.plan import CollectError
    from engine.config import nearest
    from engine.forecast import card
    from engine.forecast.errors import ForecastError
    from engine.policy.errors import PolicyError
    from engine.safety.forecast import IN_FORCE
    from engine.study import interventions as study
    from engine.study import paired
    from engine.study.crew import StudyError
    from engine.tasks import KINDS

    known = [f"{robot}/{task}" for robot, kind in KINDS.items() for task in kind.tasks if not kind.twin]
    for task in tasks:
        if task not in known:
            fail(f"Unknown task {task!r}: {nearest(task, known)}", USAGE)
    for condition in conditions:
        if condition not in study.CONDITIONS:
            fail(f"Unknown condition {condition!r}: {nearest(condition, list(study.CONDITIONS))}", USAGE)
    settings = settings_from(config, policy=policy, device=device)
    try:
        foreseen = card.load(card.SHIPPED if forecast == "shipped" else Path(forecast))
        plans = study.plans(
            tasks, seeds, seed, policy, settings.limits, study.version(foreseen.card), conditions or tuple(study.CONDITIONS)
        )
        with interrupting():
            found = study.outcomes(
                plans, device=device, workers=workers, side_by_side=side_by_side, forecast=forecast, out=out, tell=progress
            )
    except KeyboardInterrupt:
        fail(f"interrupted{f'; what was played is in {out}, go on with the same command' if out else ''}.", INTERRUPTED)
    except (ForecastError, PolicyError, AdapterError) as error:
        fail(str(error), NOT_CONNECTED)
    except (CollectError, StudyError) as error:
        fail(str(error), FAULT)
    except OSError as error:
        fail(f"{error.filename or out} cannot be used: {error.strerror or error}.", NOT_CONNECTED)
    tree = paired.report(found)
    for task, hashes in tree["policies"].items():
        why = [foreseen.for_policy(one) for one in hashes if foreseen.for_policy(one)]
        if why:
            tree["problems"].append(f"{task} was played without a forecast: {why[0]}.")
        elif foreseen.state(task) != IN_FORCE:
            tree["problems"].append(f"The forecast is not proven on {task}: nothing was done about it.")
    click.echo(json.dumps(tree) if as_json else "\n".join(paired.lines(tree)))
    sys.exit(0 if tree["ok"] else FAULT)
