"""The evaluation of a forecast as a table for people, at most 100 columns wide."""

from collections.abc import Callable, Mapping, Sequence
from textwrap import wrap
from typing import Any

from engine.forecast import gate
from engine.types import FORECAST_STEP_S, HORIZONS

WIDTH = 100
NAME, CELL = 27, 18  #: characters of a row's name and of each horizon's cell
BASELINES = (
    ("clock", "clock: time since the start"),
    ("since_go", "time since the go"),
    ("phase", "phase: age of the chunk"),
    ("best_signal", "best single signal"),
    ("logistic", "logistic, all signals"),
    ("shuffled_labels", "shuffled labels"),
    ("shuffled_time", "shuffled time"),
    ("length", "episode length (a leak)"),
    ("oracle", "oracle: simulator's state"),
)
BRIEF = ("clock", "phase", "best_signal", "oracle")  #: in the tables of single tasks

LOSS = 11  #: characters of a loss's figure
LOSSES = (
    ("temperature", "temp."),
    ("nll", "log loss"),
    ("nll_raw", "untempered"),
    ("ece", "cal. error"),
    ("ece_raw", "untempered"),
    ("brier_skill", "skill"),
    ("brier_skill_raw", "untempered"),
    ("auroc", "AUROC"),
)

Figures = Mapping[str, Any]


def lines(tree: Figures) -> list[str]:
    """From the tree of ``engine.forecast.evaluate``: the data, every scope's table, and whether the gate was passed."""
    found = [*_about(tree), "", *_table("all tasks", tree["tasks"]["pooled"], tree["persistence_s"], BASELINES)]
    found += ["", "AUROC of single signals, all tasks", _heading(""), *_signals(tree["tasks"]["pooled"])]
    brief = [one for one in BASELINES if one[0] in BRIEF]
    for task, scope in tree["tasks"].items():
        if task != "pooled":
            found += ["", *_table(task, scope, tree["persistence_s"], brief)]
    for task, scope in tree["unseen"].items():
        found += ["", *_table(f"{task}, never trained on", scope, tree["persistence_s"], brief)]
    found += ["", *_losses(tree["forecast"]["figures"]), "", *_notes(tree)]
    return [*found, "", _verdict(tree["tasks"]["pooled"]["gate"])]


def _about(tree: Figures) -> list[str]:
    card, data = tree["forecast"], tree["data"]
    same = "these data" if data["trained_on_these"] else "other data"
    failures = ", ".join(f"{name} {count}" for name, count in data["failures"].items())
    rows = [
        f"Forecast fitted by {card['loss']} to {same}: {', '.join(card['tasks'])}.",
        f"{sum(data['episodes'].values())} episodes, {data['inferences']} inferences; they fail by {failures}.",
        "Split by episode, task and seed: " + ", ".join(f"{count} {part}" for part, count in data["episodes"].items()) + ".",
        f"[95 % intervals] by drawing the test episodes again, {tree['draws']} times.",
    ]
    return rows + [f"Left out: {reason[0].lower()}{reason[1:]}: {count}." for reason, count in data["left_out"].items()]


def _table(title: str, scope: Figures, lasting_s: float, beside: Sequence[tuple[str, str]]) -> list[str]:
    kinds = ", ".join(f"{name} {count}" for name, count in scope["failures"].items() if count)
    verdict = "PASSED" if scope["gate"]["passed"] else "FAILED"
    horizons = [scope["horizons"][str(horizon)] for horizon in HORIZONS]

    def row(name: str, cell: Callable[[Figures], str]) -> str:
        return f"{name:{NAME}}" + "".join(f"{cell(one):>{CELL}}" for one in horizons)

    rows = [
        f"{title}: gate {verdict}",
        f"{scope['episodes']} test episodes, {scope['failing']} fail{f' ({kinds})' if kinds else ''}",
        _heading("AUROC"),
        row("forecast", _interval("auroc")),
        *(
            row(f"  of {name}", _interval("auroc", "by_type", name))
            for name in scope["failures"]
            if any(name in one["by_type"] for one in horizons)
        ),
        *(row(text, _interval("auroc", "baselines", name)) for name, text in beside),
        row("lead over time and phase", lambda one: f"{_number(one['gate']['lead'])}, ≥ {_number(one['gate']['low'])}"),
        row("way from clock to oracle", _interval("oracle_share")),
        row("average precision", _interval("ap")),
        row("  share that fails", lambda one: _number(one["prevalence"])),
        row("calibration error", _interval("ece")),
        row("Brier skill", _interval("brier_skill")),
        row("recall at 5 % false alarms", lambda one: _number(one["recall_at_5pct"])),
        row("  within the horizon", lambda one: _number(one["recall_in_horizon"])),
        row("  median lead, s", lambda one: _number(one["lead_s"], 2)),
        row("  false alarms an hour", lambda one: _number(one["false_alarms_per_h"], 1)),
        row(f"  that last {lasting_s:g} s", lambda one: _number(one["false_alarms_per_h_persistent"], 1)),
        row(
            f"error of {scope['alarms']['alpha']:.0%} coverage",
            lambda one: _number(one["coverage_error"]) + ("" if one["coverage_inside"] else " out"),
        ),
        row("balanced accuracy", lambda one: _number(one["balanced_accuracy"])),
    ]
    return [*rows, *_alarms(scope, lasting_s)]


def _alarms(scope: Figures, lasting_s: float) -> list[str]:
    """The alarms as they are in force, in three lines."""
    said, covered = scope["alarms"], scope["alarms"]["coverage"]
    inside = "inside" if covered["inside"] else "OUTSIDE"
    return [
        f"alarms in force: {covered['alarmed']} of {covered['episodes']} nominal episodes alarmed; "
        f"{said['alpha']:.0%} promised, {inside} [{_number(covered['low'])}, {_number(covered['high'])}]",
        f"  recall {_number(said['recall'])}, {_number(said['recall_in_horizon'])} within the horizon; "
        f"median lead {_number(said['lead_s'], 2)} s; balanced accuracy {_number(said['balanced_accuracy'])}",
        f"  {_number(said['false_alarms_per_h'], 1)} false alarms an hour, "
        f"{_number(said['false_alarms_per_h_persistent'], 1)} that last {lasting_s:g} s, in {scope['nominal_h']:.2f} h of nominal work",
    ]


def _signals(scope: Figures) -> list[str]:
    names = scope["horizons"][str(HORIZONS[0])]["signals"]
    cells = {name: [_number(scope["horizons"][str(horizon)]["signals"][name]) for horizon in HORIZONS] for name in names}
    return [f"{name:{NAME}}" + "".join(f"{cell:>{CELL}}" for cell in row) for name, row in cells.items()]


def _losses(figures: Mapping[str, Figures]) -> list[str]:
    """Both losses on the test episodes, with their temperature and without."""
    heading = f"{'loss':12}" + "".join(f"{text:>{LOSS}}" for _, text in LOSSES)
    return [heading, *(f"{name:12}" + "".join(f"{_share(one.get(key), 3):>{LOSS}}" for key, _ in LOSSES) for name, one in figures.items())]


def _notes(tree: Figures) -> list[str]:
    """What stands in the table."""
    told = [f"{text.partition(':')[0]}: {tree['how'][name]}." for name, text in BASELINES] + [
        "recall: of the failures, with an alarm at least 0.3 s before; within the horizon: with one that stood at most the horizon before.",
        "alarms: at 5 % false alarms where that share of these test episodes without failure has one; coverage and balanced accuracy at "
        "a threshold found on the calibration part; in force at the thresholds that the forecast carries.",
    ]
    return [line for note in told for line in wrap(note, WIDTH, subsequent_indent="  ")]


def _heading(name: str) -> str:
    return f"{name:{NAME}}" + "".join(f"{f'{horizon * FORECAST_STEP_S:.1f} s':>{CELL}}" for horizon in HORIZONS)


def _verdict(found: Figures) -> str:
    verdict = "PASSED" if found["passed"] else "FAILED"
    return (
        f"{verdict}: at its worst horizon the forecast leads time and phase by {_number(found['lead'])} in AUROC, "
        f"{_number(found['low'])} at least;\n        {gate.MEAN:.2f} and {gate.LOW:.2f} are asked."
    )


def _interval(name: str, *within: str) -> Callable[[Figures], str]:
    """A cell with the figure of that name and its interval, found ``within`` parts of the horizon's figures."""

    def cell(figures: Figures) -> str:
        for part in within:
            figures = figures.get(part, {})
        low, high = figures.get(f"{name}_ci", (None, None))
        return f"{_share(figures.get(name), 3)} [{_share(low, 2)},{_share(high, 2)}]"

    return cell


def _share(value: float | None, digits: int) -> str:
    """A number that is seldom beyond 1, and then of a few digits only."""
    beyond = 0.0 if value is None else abs(value)
    return _number(value, 0 if beyond >= 9.95 else 1 if beyond >= 1.0 else digits)


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}f}".replace("0.", ".", 1) if abs(value) < 1.0 else f"{value:.{digits}f}"
