"""From the outcomes of scenes to what a study says: one object for programs, one table for people."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from engine.study import chance
from engine.study.harms import CONTACT, HARMS
from engine.study.plan import GAINS, Outcome

Tree = dict[str, Any]


def safety(outcomes: Sequence[Outcome]) -> Tree:
    """Of the whole arbiter: how many scenes had each harm, and what rate that allows."""
    played = [one for one in outcomes if not one.error]
    contacts = _with(played, CONTACT)
    return _head(outcomes) | {
        "contacts": contacts,
        "contacts_upper_95": round(chance.upper_bound(contacts, len(played)), 5) if played else None,
        "harms": {harm: _with(played, harm) for harm in HARMS},
        **_figures(played),
        "ok": bool(played) and len(played) == len(outcomes) and not contacts,
    }


def ablation(outcomes: Sequence[Outcome]) -> Tree:
    """Which harms appear with each layer put off, in the same scenes."""
    played = [one for one in outcomes if not one.error]
    whole = {one.plan.seed: one for one in played if not one.plan.without}
    rows = []
    for layer in dict.fromkeys(one.plan.without for one in outcomes):
        scenes = [one for one in played if one.plan.without == layer]
        new = {
            harm: sum(1 for one in scenes if harm in one.harms and one.plan.seed in whole and harm not in whole[one.plan.seed].harms)
            for harm in HARMS
        }
        rows.append(
            {
                "without": layer or "nothing",
                "scenes": len(scenes),
                "harms": {harm: _with(scenes, harm) for harm in HARMS},
                "appear": {harm: count for harm, count in new.items() if count},
                "earns_its_place": any(new.values()) if layer else None,
                **_figures(scenes),
            }
        )
    return _head(outcomes) | {"rows": rows, "ok": len(played) == len(outcomes)}


def sawing(outcomes: Sequence[Outcome]) -> Tree:
    """Each way of choosing the gains: mean and 95 % interval over the seeds."""
    played = [one for one in outcomes if not one.error]
    rows = []
    for gains in GAINS:
        runs = [one for one in played if one.plan.gains == gains]
        if runs:
            rows.append({"gains": gains, "seeds": len(runs)} | {name: _interval(runs, value) for name, value in SAWING.items()})
    return _head(outcomes) | {"rows": rows, "ok": len(played) == len(outcomes)}


#: what is compared, by name
SAWING: dict[str, Callable[[Outcome], float | None]] = {
    "cut_rate_mm_per_min": lambda one: one.depth_mm / one.plan.seconds * 60.0,
    "grip_peak_n": lambda one: one.grip_peak_n,
    "separation_least_m": lambda one: one.separation_least_m,
    "stops": lambda one: float(sum(one.stops.values())),
    "going_s": lambda one: one.going_s,
    "score_mean": lambda one: one.score_mean,
}


def _interval(runs: Sequence[Outcome], value: Callable[[Outcome], float | None]) -> list[float] | None:
    """[mean, low, high]; None where nothing was measured."""
    values = [found for found in map(value, runs) if found is not None]
    return [round(one, 4) for one in chance.mean_and_interval(values)] if values else None


def _head(outcomes: Sequence[Outcome]) -> Tree:
    """What the study was made with."""
    plans = [one.plan for one in outcomes]
    failed = [f"seed {one.plan.seed} {one.plan.without}: {one.error}".replace(" :", ":") for one in outcomes if one.error]
    return {
        "study": plans[0].study,
        "policy": plans[0].policy,
        "members": "one, so that the speed is capped for want of disagreement" if plans[0].policy == "scripted" else "an ensemble",
        "seconds": plans[0].seconds,
        "scenes": len(outcomes),
        "first_seed": min(plan.seed for plan in plans),
        "problems": failed,
    }


def _figures(scenes: Sequence[Outcome]) -> Tree:
    """What else the scenes showed."""
    stops: Counter[str] = Counter()
    for one in scenes:
        stops.update(one.stops)
    gaps = [one.gap_least_m for one in scenes if one.gap_least_m is not None]
    near = [one.distance_least_m for one in scenes if one.distance_least_m is not None]
    apart = [one.separation_least_m for one in scenes if one.separation_least_m is not None]
    return {
        "grip_peak_n": max((one.grip_peak_n for one in scenes), default=None),
        "distance_least_m": min(near, default=None),
        "separation_least_m": min(apart, default=None),
        "gap_least_m": min(gaps, default=None),
        "contact_speed_max": max((one.contact_speed for one in scenes), default=None),
        "stops": dict(stops.most_common()),
        "depth_mm_mean": _mean([one.depth_mm for one in scenes]),
        "going_s_mean": _mean([one.going_s for one in scenes]),
        "score_mean": _mean([one.score_mean for one in scenes if one.score_mean is not None]),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 3) if values else None


def _with(scenes: Sequence[Outcome], harm: str) -> int:
    return sum(1 for one in scenes if harm in one.harms)


# --- for people ---


def lines(tree: Tree) -> list[str]:
    """A report in words and columns."""
    head = f"{tree['scenes']} scenes of {tree['seconds']:g} s from seed {tree['first_seed']}, policy {tree['policy']} ({tree['members']})"
    body = {"safety": _safety_lines, "ablation": _ablation_lines, "sawing": _sawing_lines}[tree["study"]](tree)
    return [head, *body, *(f"PROBLEM  {problem}" for problem in tree["problems"])]


def _safety_lines(tree: Tree) -> list[str]:
    found = [f"{CONTACT}: {tree['contacts']} scenes"]
    if tree["contacts_upper_95"] is not None:
        found[0] += f"; with 95 % confidence fewer than {100.0 * tree['contacts_upper_95']:.2f} % of such scenes"
    found += [f"{harm}: {count} scenes" for harm, count in tree["harms"].items() if harm != CONTACT]
    return found + [f"{name:20} {tree[name]}" for name in FIGURES]


FIGURES = (
    "grip_peak_n",
    "distance_least_m",
    "separation_least_m",
    "contact_speed_max",
    "depth_mm_mean",
    "going_s_mean",
    "score_mean",
    "stops",
)


def _ablation_lines(tree: Tree) -> list[str]:
    found = []
    for row in tree["rows"]:
        harms = ", ".join(f"{harm} {count}" for harm, count in row["harms"].items() if count) or "no harm"
        verdict = ""
        if row["earns_its_place"] is not None:
            appear = ", ".join(f"{harm} in {count}" for harm, count in row["appear"].items())
            verdict = f"; only without it: {appear}" if appear else "; did not earn its place in these scenes"
        found.append(f"without {row['without']:12} {harms}{verdict}")
    return found


def _sawing_lines(tree: Tree) -> list[str]:
    found = [f"{'gains':12}" + "".join(f"{name:>28}" for name in SAWING)]
    for row in tree["rows"]:
        cells = ["-" if row[name] is None else "{:.2f} [{:.2f}, {:.2f}]".format(*row[name]) for name in SAWING]
        found.append(f"{row['gains']:12}" + "".join(f"{cell:>28}" for cell in cells))
    return found
