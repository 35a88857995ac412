"""What each condition of a study of interventions came to, beside nothing at all on the same seeds."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from engine.collect.plan import Outcome
from engine.collect.together import key
from engine.policy.intervals import wilson
from engine.study.chance import mean_and_interval, paired_shares, rate_and_interval
from engine.study.helping import ANSWER, BORNE
from engine.study.interventions import CONDITIONS, FORESEEING, NOTHING, SECONDS
from engine.types import FAILURES

Tree = dict[str, Any]


def condition(one: Outcome) -> str:
    """Under which of CONDITIONS an episode was played."""
    return one.plan.tag.partition("@")[0]


def failed(one: Outcome, what: str | None = None) -> bool:
    """Whether a failure, or this one, began before any success, which ends the work."""
    return any(
        (what is None or failure.what == what) and (one.success_s is None or failure.t_s <= one.success_s) for failure in one.failures
    )


def _taken(one: Outcome) -> float | None:
    return None if one.success_s is None or one.go_s is None else one.success_s - one.go_s


#: in an episode, as a number; None where it has none
FIGURES: dict[str, Callable[[Outcome], float | None]] = {
    "success": lambda one: float(one.success_s is not None),
    "clean_success": lambda one: float(one.success_s is not None and not failed(one)),
    **{failure: partial(failed, what=failure) for failure in FAILURES},
    "never_went": lambda one: float(one.go_s is None),
    "gave_up": lambda one: float(one.told.get("gave_up", False)),
    "time_to_success_s": _taken,
    "halted_s": lambda one: float(one.told.get("halted_s", 0.0)),
    "stops": lambda one: float(sum(one.stops.values())),
}
SHARES = ("success", "clean_success", *FAILURES, "never_went", "gave_up")


def report(outcomes: Sequence[Outcome]) -> Tree:
    """Of every task a row for each condition, with 95 % intervals and the paired difference to the condition "nothing".

    Shares have Wilson's interval, their differences Newcombe's for pairs, all else the bootstrap's over seeds. Only seeds that were
    played under every condition count, so that all rows speak of the same episodes.
    """
    played = [one for one in outcomes if not one.error]
    tasks = dict.fromkeys(key(one) for one in outcomes)
    policies = {task: sorted({one.policy_hash for one in played if key(one) == task}) for task in tasks}
    problems = [f"{key(one)} seed {one.plan.seed} {condition(one)}: {one.error}" for one in outcomes if one.error]
    problems += [
        f"{task} was played with {len(found)} policies; name another file with --out." for task, found in policies.items() if len(found) > 1
    ]
    return {
        "policy": outcomes[0].plan.policy,
        "policies": policies,
        "forecast": next((one.plan.tag.partition("@")[2] for one in outcomes if condition(one) in FORESEEING), ""),
        "remedies": dict(outcomes[0].plan.limits),
        "first_seed": min(one.plan.seed for one in outcomes),
        "seconds": SECONDS,
        "answer_s": ANSWER,
        "answers": BORNE,
        "tasks": {task: _task([one for one in played if key(one) == task]) for task in tasks},
        "problems": problems,
        "ok": not problems,
    }


def _task(played: Sequence[Outcome]) -> Tree:
    tried = {condition(one) for one in played}
    by_condition = {name: {one.plan.seed: one for one in played if condition(one) == name} for name in CONDITIONS if name in tried}
    seeds = sorted(set.intersection(*(set(found) for found in by_condition.values()))) if NOTHING in by_condition else []
    rows = {name: [found[seed] for seed in seeds] for name, found in by_condition.items()}
    without = rows.get(NOTHING, [])
    return {
        "seeds": len(seeds),
        "disturbed": sum(bool(one.disturbances) for one in without),
        "conditions": {name: _row(row, without) for name, row in rows.items()} if seeds else {},
    }


def _row(row: Sequence[Outcome], without: Sequence[Outcome]) -> Tree:
    """One condition's outcomes beside those of "nothing" on the same seeds, in the same order."""
    found: Tree = {name: _share(row, value) if name in SHARES else _mean(row, value) for name, value in FIGURES.items()}
    sound = [one for one, bare in zip(row, without, strict=True) if not failed(bare)]
    counts: Counter[str] = Counter()
    for one in row:
        counts.update(one.interventions)
    found |= {
        "alarms_per_hour": _rate(row, _alarms),
        "asks_per_hour": _rate(row, lambda one: one.asks),
        "false_alarms_per_hour": _rate(sound, _alarms),
        "false_alarms_episodes": len(sound),
        "interventions": dict(counts),
    }
    if row is not without:
        found["difference"] = {name: _difference(row, without, name) for name in FIGURES}
    return found


def _alarms(one: Outcome) -> int:
    return int(one.told.get("alarms", 0))


def _share(row: Sequence[Outcome], value: Callable[[Outcome], float | None]) -> list[float]:
    """[share, low, high], Wilson's."""
    count = sum(bool(value(one)) for one in row)
    return [round(number, 4) for number in (count / len(row), *wilson(count, len(row)))]


def _mean(row: Sequence[Outcome], value: Callable[[Outcome], float | None]) -> list[float] | None:
    """[mean, low, high] over the seeds that have the figure; None where none has."""
    return _interval([number for number in map(value, row) if number is not None])


def _difference(row: Sequence[Outcome], without: Sequence[Outcome], name: str) -> list[float] | None:
    """[difference, low, high] of a share, or [mean, low, high] of the differences over the seeds that have the figure both times."""
    value = FIGURES[name]
    pairs = [(value(one), value(bare)) for one, bare in zip(row, without, strict=True)]
    if name in SHARES:
        return [round(number, 4) for number in paired_shares([(bool(here), bool(there)) for here, there in pairs])]
    return _interval([here - there for here, there in pairs if here is not None and there is not None])


def _interval(values: Sequence[float]) -> list[float] | None:
    return [round(number, 4) for number in mean_and_interval(values)] if values else None


def _rate(row: Sequence[Outcome], count: Callable[[Outcome], int]) -> list[float] | None:
    """[per hour, low, high] of the hours from the go to the end; None of no episodes."""
    hours = [(one.end_s - (one.go_s or 0.0)) / 3600.0 for one in row]
    return [round(number, 2) for number in rate_and_interval([count(one) for one in row], hours)] if row else None


# --- for people ---

#: what is told, in this order, and its unit
_TOLD = {
    "success": "%",
    "clean_success": "%",
    **dict.fromkeys(FAILURES, "%"),
    "never_went": "%",
    "gave_up": "%",
    "time_to_success_s": "s",
    "halted_s": "s",
    "stops": "",
    "alarms_per_hour": "1/h",
    "false_alarms_per_hour": "1/h",
    "asks_per_hour": "1/h",
}


def lines(tree: Tree) -> list[str]:
    """The report in words and columns: what each condition came to, and below it by how much that differs from "nothing"."""
    found = [
        f"policy {tree['policy']}, forecast {tree['forecast'] or 'none'}, seeds from {tree['first_seed']}, {tree['seconds']:g} s each; "
        f"the operator answers after {tree['answer_s']:g} s, {tree['answers']} times",
        f"[95 % interval]; +- is the difference to {NOTHING!r}, seed by seed",
    ]
    for task, of_task in tree["tasks"].items():
        found += ["", f"{task}: {of_task['seeds']} seeds, {of_task['disturbed']} of them disturbed"]
        if of_task["conditions"]:
            found += _table(of_task["conditions"])
    return [*found, *(f"PROBLEM  {problem}" for problem in tree["problems"])]


def _table(conditions: Tree) -> list[str]:
    rows = [["", *conditions]]
    for figure, unit in _TOLD.items():
        name = f"{figure.replace('_', ' ').removesuffix(' s').removesuffix(' per hour')} {unit}".rstrip()
        rows.append([name, *(_cell(unit, row[figure]) for row in conditions.values())])
        if figure in FIGURES:
            rows.append(["  +-", *(_cell(unit, row.get("difference", {}).get(figure), signed=True) for row in conditions.values())])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]


def _cell(unit: str, value: list[float] | None, *, signed: bool = False) -> str:
    if value is None:
        return "" if signed else "-"
    digits, factor = (".0f", 100.0) if unit == "%" else (".1f", 1.0)
    middle, low, high = (f"{factor * number:{'+' if signed else ''}{digits}}" for number in value)
    return f"{middle} [{low}, {high}]"
