"""Collections of episodes in which things go wrong: collect."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.commands.common import fail, json_option, progress, put
from console.commands.study import SEED, device_option, workers_option
from engine.exits import FAULT, INTERRUPTED, NOT_CONNECTED, USAGE
from engine.unix_signals import interrupting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.collect.collection import Collection
    from engine.collect.plan import Outcome, Plan

TELL_EVERY = 2.0  #: s between two lines of progress


def _shard(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    """I/N as numbers."""
    number, _, of = value.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        fail(f"There is no --shard {value!r}: use I/N with I from 1 to N, such as 2/4.", USAGE)
    return int(number), int(of)


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--robot", default="pickplace", show_default=True, help="pickplace, so101-sim or cosaw.")
@click.option("--task", help="Of the robot [default: its usual one].")
@click.option("--episodes", type=click.IntRange(min=1), default=100, show_default=True, help="How many.")
@click.option("--seed", type=SEED, default=1_000_000, show_default=True, help="The first episode's; the others count on from it.")
@click.option("--policy", default="compact", show_default=True, help="As of run.")
@device_option
@workers_option
@click.option(
    "--side-by-side", type=click.IntRange(1, 4096), default=8, show_default=True, help="Episodes that share a batch of the policy."
)
@click.option(
    "--images",
    type=click.Choice(["none", "jpeg", "lossless"]),
    default="none",
    show_default=True,
    help="How pictures are kept; simulated ones take no more room lossless.",
)
@click.option(
    "--shard", default="1/1", callback=_shard, help="I/N: every N-th episode, from the I-th on; each shard into a folder of its own."
)
@click.option("--resume", is_flag=True, help="Go on with what OUT holds.")
@json_option
def collect(
    out: Path, robot: str, task: str | None, episodes: int, seed: int, policy: str, device: str, resume: bool, as_json: bool, **given: Any
) -> None:
    """Record episodes in which things go wrong, into OUT.

    The engine runs in lock-step on simulated robots, which are disturbed at random times. Equal seeds give equal episodes. An
    interrupt keeps what is finished; the same command with --resume goes on.
    """
    from engine.collect import collection
    from engine.collect.plan import CollectError, Plan
    from engine.config import ConfigError, load
    from engine.tasks import KINDS

    flags = {"robot": robot, "policy": policy, "device": device} | ({"task": task} if task else {})
    try:
        settings = load(flags)
    except ConfigError as error:
        fail(str(error), USAGE)
    first = Plan(robot=robot, task=task or KINDS[robot].tasks[0], seed=seed, policy=settings.policy, images=given["images"])
    from adapters.base import AdapterError
    from engine.policy.errors import PolicyError
    from engine.session.layout import SessionError

    try:
        with interrupting():
            collection.check(out, collection.asked(first, episodes, given["shard"], device), resume)
            progress(f"collecting {episodes} episodes of {first.robot}/{first.task} into {out}")
            _collect(out, first, episodes, device, given["shard"], resume, as_json, given["workers"], given["side_by_side"])
    except KeyboardInterrupt:
        if not (out / collection.SNAPSHOT).exists():
            fail("interrupted; no episode is finished yet, and nothing is kept.", INTERRUPTED)
        fail(f"interrupted; what is finished is in {out}, go on with the same command and --resume.", INTERRUPTED)
    except (CollectError, PolicyError, AdapterError, SessionError) as error:
        fail(str(error), NOT_CONNECTED)
    except OSError as error:
        fail(f"{error.filename or out} cannot be used: {error.strerror or error}.", NOT_CONNECTED)


def _collect(
    out: Path, first: "Plan", episodes: int, device: str, shard: tuple[int, int], resume: bool, as_json: bool, workers: int, side: int
) -> None:
    from engine.collect import collection
    from engine.collect.episode import settings_of
    from engine.collect.play import play
    from engine.collect.play import policy_hash as hash_of

    settings = settings_of(first, device, None).model_dump(mode="json")
    made_with = collection.snapshot(first, settings, hash_of(first), episodes, shard, device)
    with collection.Collection(out, made_with, resume) as found:
        missing, line = found.missing, _Line(found, as_json)
        before = len(found.outcomes)
        playing = play(
            missing, device=device, workers=workers, side_by_side=min(side, max(1, len(missing))), store=found.sessions, progress=progress
        )
        try:
            for outcome in playing:
                found.add(outcome)
                line.tell()
        finally:
            playing.close()
        outcomes = found.outcomes
    tree = {**collection.totals(outcomes), "episodes_per_hour": line.rate(len(outcomes) - before), "path": str(out)}
    put(tree, as_json)
    _report_errors(outcomes)


def _report_errors(outcomes: "Sequence[Outcome]") -> None:
    wrong = [outcome for outcome in outcomes if outcome.error]
    if wrong:
        fail(
            f"{len(wrong)} of {len(outcomes)} episodes did not go as planned, the first (seed {wrong[0].plan.seed}): {wrong[0].error}.",
            FAULT,
        )


class _Line:
    """How far a collection is, told now and then."""

    def __init__(self, found: "Collection", as_json: bool) -> None:
        self._found, self._as_json = found, as_json
        self._began = self._told = time.monotonic()
        self._before = len(found.outcomes)
        self._whole = self._before + len(found.missing)

    def rate(self, done: int) -> float:
        """Episodes an hour."""
        return round(3600.0 * done / max(1e-9, time.monotonic() - self._began), 1)

    def tell(self) -> None:
        now, done = time.monotonic(), len(self._found.outcomes)
        if now - self._told < TELL_EVERY and done < self._whole:
            return
        from engine.collect.collection import totals

        self._told = now
        rate = self.rate(done - self._before)
        left = 3600.0 * (self._whole - done) / rate if rate else 0.0
        failures = ", ".join(f"{name} {count}" for name, count in totals(self._found.outcomes)["failures_by_type"].items()) or "none"
        progress(f"{done} of {self._whole} episodes; {rate:.0f} an hour, {left / 60.0:.1f} min left; failures: {failures}")
