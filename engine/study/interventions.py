"""Does a learned judgement help? The same seeds with nothing, with a published score, with doubt, with a forecast, and with all of them."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from hashlib import blake2b
from itertools import groupby
from pathlib import Path

import msgspec

from engine.collect.plan import Outcome, Plan
from engine.config import ForecastSettings, Settings
from engine.forecast.card import Card
from engine.limits import Limits
from engine.loops.foresight import Foresight
from engine.study import crew
from engine.types import FAILURES, PolicyInfo

#: which learned judgement may limit the robot (``Limits.judged_by``); the first is what the others are held against
CONDITIONS: dict[str, str] = {
    "nothing": "none",
    "published": "published",
    "uncertainty": "uncertainty",
    "forecast": "forecast",
    "all": "all",
}
NOTHING = next(iter(CONDITIONS))
FORESEEING = ("forecast", "all")  #: conditions in which a forecast limits the robot, and that are played anew with another one
SECONDS = 40.0  #: that an episode may take from the go on, twice what it takes untouched: being asked costs time before it costs success

#: limits that say what is done about a failure that is foreseen
REMEDIES = (*(f"on_{failure}" for failure in FAILURES), "forecast_persistence", "forecast_release", "forecast_cooldown")


def plans(
    tasks: Sequence[str],
    seeds: int,
    seed: int,
    policy: str,
    limits: Limits,
    version: str,
    conditions: Sequence[str] = tuple(CONDITIONS),
) -> list[Plan]:
    """The conditions on the same seeds of every task ("robot/task"), all conditions of one seed after each other.

    ``limits`` holds the remedies; ``version`` is the forecast's. What the others are held against is always among the conditions.
    """
    return [
        Plan(
            robot=robot,
            task=task,
            seed=seed + i,
            policy=policy,
            seconds=SECONDS,
            judged_by=judge,
            limits={name: getattr(limits, name) for name in REMEDIES},
            on_to_the_end=True,
            tag=f"{condition}@{version}" if condition in FORESEEING else condition,
        )
        for robot, task in (name.split("/") for name in tasks)
        for i in range(seeds)
        for condition, judge in CONDITIONS.items()
        if condition in (NOTHING, *conditions)
    ]


def outcomes(
    plans: Sequence[Plan],
    *,
    device: str,
    workers: int,
    side_by_side: int,
    forecast: str,
    out: Path | None,
    tell: Callable[[str], None],
) -> list[Outcome]:
    """What came of every plan, in their order. What ``out`` already holds is not played again; what is played is added to it.

    Raises StudyError, CollectError, PolicyError, AdapterError, OSError, KeyboardInterrupt; what was finished before is then in ``out``.
    """
    known = {_text(one.plan): one for one in crew.read(out, Outcome)} if out is not None else {}
    missing = [plan for plan in plans if _text(plan) not in known]
    if len(missing) < len(plans):
        tell(f"{len(plans) - len(missing)} of {len(plans)} episodes are in {out} already")
    began, count = time.monotonic(), 0
    for (robot, task), alike in groupby(missing, lambda plan: (plan.robot, plan.task)):
        from engine.collect.play import play
        from engine.study.helping import Attending

        playing = play(
            alike,
            device=device,
            workers=workers,
            side_by_side=side_by_side,
            operator=Attending,
            foresight=partial(foresight, robot, task, forecast),
            progress=tell,
        )
        with closing(playing):
            for ended in playing:
                one = _refused(ended)
                known[_text(one.plan)] = one
                if out is not None:
                    crew.append(out, one)
                count += 1
                left = (time.monotonic() - began) / count * (len(missing) - count) / 60.0
                tell(f"{count} of {len(missing)} episodes, about {left:.0f} min left: {_line(one)}")
    return [known[_text(plan)] for plan in plans]


def _refused(one: Outcome) -> Outcome:
    """A judgement that never lets the robot go is an outcome, and no reason to play it again."""
    return msgspec.structs.replace(one, error="") if one.told.get("never_went") else one


def foresight(robot: str, task: str, path: str, policy: PolicyInfo) -> Foresight:
    """The forecast in ``path``, as an episode's engine takes it; a function that can be handed to the worker that plays it."""
    from engine import host

    return host.foresight_loader(Settings(robot=robot, task=task, forecast=ForecastSettings(path=path)))(policy)


def version(card: Card) -> str:
    """What tells forecasts apart, their thresholds and their gates too."""
    return blake2b(msgspec.json.encode(card), digest_size=4).hexdigest()


def _text(plan: Plan) -> bytes:
    """What tells plans apart."""
    return msgspec.json.encode(plan, order="sorted")


def _line(one: Outcome) -> str:
    came = one.error or ("never let go" if one.go_s is None else "success" if one.success_s is not None else "no success")
    return f"{one.plan.name}: {', '.join([came, *(failure.what for failure in one.failures)])}"
