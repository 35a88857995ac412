"""How the work is likely to fail and how soon: a probability by type and horizon, the alarm, what is done about it, and why."""

import math
from collections.abc import Sequence
from typing import ClassVar

from console.draw import bar, graph, spark
from console.panel import Panel
from console.rows import NONE, Row, Span, cut, row, width_of, wrapped
from console.view import SIGNAL_SAMPLES, View, greatest
from console.widgets.signals import SHORT, SHORTEST, is_old
from engine.safety.forecast import IN_FORCE, UNPROVEN
from engine.types import FAILURES, FORECAST_STEP_S, HORIZONS, SIGNALS, InferenceBrief, Intervention, Snapshot

SECONDS = tuple(FORECAST_STEP_S * steps for steps in HORIZONS)
LIKELY = 0.5  #: probability from which on a failure is more likely than not
HEAT = (0.05, 0.15, 0.30, 0.50, 0.75)  #: probabilities from which on a cell is one step hotter
TELLS = 0.05  #: probability below which no failure is named in one line
FINE = 10  #: % up to which a probability is shown to the nearest, above to the nearest two: what it is worth
REASON = 0.01  #: probability that a signal must have moved to be named
NAMED = 3  #: signals at most
PAST = 12  #: cells of the alarm's past in the frame
CURVED = len(FAILURES) + NAMED + 4  #: rows from which that past is a curve below the table
DOING = {
    Intervention.SLOW: "SLOWS",
    Intervention.RETRY: "RETRIES",
    Intervention.ASK: "ASKS",
    Intervention.STOP: "STOPS",
}
NAME = 9  #: cells of a failure's name


def configured(snapshot: Snapshot | None) -> bool:
    """Whether there is a forecast to show."""
    return snapshot is not None and snapshot.inputs.forecast_state > 0


def forecast_of(snapshot: Snapshot | None) -> InferenceBrief | None:
    """The newest inference, where it brought a forecast."""
    if snapshot is None or not configured(snapshot) or snapshot.inference is None:
        return None
    return snapshot.inference if any(math.isfinite(risk) for risk in snapshot.inference.forecast) else None


def risks(inference: InferenceBrief, failure: int) -> tuple[float, ...]:
    """Probability of one of FAILURES by each of HORIZONS."""
    return inference.forecast[failure * len(HORIZONS) : (failure + 1) * len(HORIZONS)]


def soonest(row_of_risks: Sequence[float]) -> tuple[float, float]:
    """Probability and s: the first horizon by which it is more likely than not, else the last."""
    return next(
        ((risk, seconds) for risk, seconds in zip(row_of_risks, SECONDS, strict=True) if risk >= LIKELY), (row_of_risks[-1], SECONDS[-1])
    )


def likeliest(snapshot: Snapshot, inference: InferenceBrief) -> int:
    """The failure that is acted on, else the likeliest one by the last horizon."""
    if snapshot.decision.foreseen >= 0:
        return snapshot.decision.foreseen
    last = [risks(inference, failure)[-1] for failure in range(len(FAILURES))]
    return max(range(len(FAILURES)), key=lambda failure: last[failure] if math.isfinite(last[failure]) else -1.0)


def percent(probability: float) -> int:
    """Two digits: finely where it is small, by twos above, so that noise moves nothing on the screen."""
    exact = 100.0 * min(max(probability, 0.0), 1.0)
    return min(99, round(exact) if exact < FINE else 2 * round(exact / 2.0))


def told(snapshot: Snapshot) -> str:
    """The failure that is foreseen, how likely and how soon: "drop 62 % in 1.0 s"; only its name where no figures came with it."""
    failure = snapshot.decision.foreseen
    if not 0 <= failure < len(FAILURES):
        return ""
    inference = forecast_of(snapshot)
    if inference is None:
        return FAILURES[failure]
    probability, seconds = soonest(risks(inference, failure))
    return f"{FAILURES[failure]} {percent(probability)} % in {seconds:.1f} s" if math.isfinite(probability) else FAILURES[failure]


def reasons(inference: InferenceBrief, names: Sequence[str] = SIGNALS) -> list[str]:
    """The signals that moved it, largest first, each with how many points of probability."""
    moved = [(value, index) for index, value in enumerate(inference.forecast_because) if value >= REASON]
    return [f"{names[index]} +{percent(value)}" for value, index in sorted(moved, key=lambda pair: (-percent(pair[0]), pair[1]))[:NAMED]]


def remedy(view: View, failure: int) -> str:
    """What the configuration does about a failure."""
    return str(getattr(view.limits, f"on_{FAILURES[failure]}"))


def acts(snapshot: Snapshot, failure: int) -> bool:
    """Whether something is being done about it now."""
    return snapshot.decision.foreseen == failure and snapshot.decision.intervention != Intervention.NONE


def alarming(inference: InferenceBrief, failure: int) -> bool:
    """Whether its probability is over its threshold."""
    return inference.forecast_alarm[failure] >= 1.0


def _heat(probability: float) -> str:
    step = sum(probability >= level for level in HEAT)
    return f"heat {step}" if step else "text"


def _cell(probability: float, width: int) -> Span:
    if not math.isfinite(probability):
        return f"{NONE:>{width - 1}} ", "dim"
    return f"{percent(probability):>{width - 1}} ", _heat(probability)


def _bar(view: View, inference: InferenceBrief, failure: int, width: int) -> tuple[Span, ...]:
    """The share of the alarm's threshold."""
    share = inference.forecast_alarm[failure]
    if not math.isfinite(share):
        return ((NONE.ljust(width), "dim"),)
    proven = view.snapshot is not None and view.snapshot.inputs.forecast_state == IN_FORCE
    return bar(share, width, "bad" if share >= 1.0 and proven else "warn" if share >= view.limits.forecast_release else "bar")


def _remedy(view: View, s: Snapshot, failure: int, width: int) -> Span:
    if acts(s, failure):
        doing = Intervention(s.decision.intervention)
        said = f" {DOING[doing]}"
        return (said if len(said) <= width else f" {doing.name}").ljust(width), "state warn"
    return f" {remedy(view, failure) if s.inputs.forecast_state == IN_FORCE else NONE}".ljust(width), "dim"


def failure_row(view: View, s: Snapshot, inference: InferenceBrief, failure: int, width: int) -> Row:
    """One type: a mark where it acts or alarms, its probability by each horizon, its alarm, its remedy."""
    acting, alarm = acts(s, failure), alarming(inference, failure)
    mark = "▶" if acting else "!" if alarm else " "
    cell, gauge, said = _widths(width)
    return row(
        (f"{mark}{FAILURES[failure]:{NAME}}", "value" if acting or alarm else "text"),
        *(_cell(risk, cell) for risk in risks(inference, failure)),
        *_bar(view, inference, failure, gauge),
        _remedy(view, s, failure, said),
    )


def _widths(width: int) -> tuple[int, int, int]:
    """Cells of a probability, of the bar and of the remedy."""
    cell, said = (4, 6) if width < 44 else (5, 9)
    return cell, max(0, width - NAME - 1 - len(HORIZONS) * cell - said), said


def head_row(width: int) -> Row:
    """What the columns are: the horizons, and the bar that is full at the alarm."""
    cell, gauge, _ = _widths(width)
    heads = "".join(f"{seconds:>{cell - 1}.1f} " for seconds in SECONDS)
    return row((f" {'% in s':{NAME}}{heads}{'alarm' if gauge >= 5 else '':{gauge}} then", "dim"))


def why_row(inference: InferenceBrief, width: int) -> Row:
    """The signals that moved it, as many as fit."""
    moved = reasons(inference, SHORTEST if width < 44 else SHORT)
    spans: Row = (("why " if moved else "why no signal stands out", "dim"),)
    for i, said in enumerate(moved):
        more = row((", " if i else "", "dim"), (said, "value"))
        if width_of(spans) + width_of(more) > width:
            break
        spans += more
    return () if moved and len(spans) == 1 else spans


def table_rows(view: View, s: Snapshot, inference: InferenceBrief, width: int) -> list[Row]:
    return [head_row(width), *(failure_row(view, s, inference, failure, width) for failure in range(len(FAILURES)))]


def absent(view: View) -> str:
    """Why there is no forecast to show."""
    s = view.snapshot
    if s is None or s.run.policy is None:
        return "no forecast yet: no policy"
    if not configured(s):
        note = s.run.policy.forecast_note
        return f"not configured: {note or 'no forecast was trained for this policy'}"
    return "no forecast yet: it begins with the first inference"


def forecast_rows(view: View, width: int, height: int) -> list[Row]:
    """The table, why, and where there is room the past of the greatest alarm as a curve."""
    s, inference = view.snapshot, forecast_of(view.snapshot)
    if s is None or inference is None:
        return [row((line, "dim")) for line in wrapped(absent(view), width)][:height]
    rows = table_rows(view, s, inference, width)
    if height < CURVED:
        return [*rows, why_row(inference, width)][:height]
    rows += [(), *because_rows(inference, width)]
    return [*rows, *past_rows(view, width, height - len(rows))]


def because_rows(inference: InferenceBrief, width: int) -> list[Row]:
    """The signals that moved the likeliest failure, one a row."""
    rows = [row(("why, in points of probability" if width >= 32 else "why, in points", "dim"))]
    for said in reasons(inference, SIGNALS if width >= 28 else SHORT):
        name, _, points = said.rpartition(" ")
        rows.append(row((f" {name:{max(1, width - 5)}.{max(1, width - 5)}}", "text"), (f"{points:>4}", "value")))
    return rows if len(rows) > 1 else [*rows, row((" no signal stands out", "dim"))]


def past_rows(view: View, width: int, height: int) -> list[Row]:
    """The greatest alarm of late as a curve, to whose upper edge it rises when it is one."""
    label = "alarm "
    lines = graph(view.history.alarms, width - len(label), height)
    return [row((" " * len(label) if i else label, "dim"), (line, "info")) for i, line in enumerate(lines)]


def alarm_spark(view: View, cells: int) -> str:
    """The past of the greatest alarm, the worst of each stretch, full at its threshold; "" before there is any."""
    stretch = -(-SIGNAL_SAMPLES // cells)
    alarms = list(view.history.alarms)
    ends = range(len(alarms), 0, -stretch)
    return spark([greatest(alarms[max(0, end - stretch) : end]) for end in ends][::-1], cells).strip()


def state_note(view: View) -> Row:
    """Whether it is acted on, in a word."""
    s = view.snapshot
    inference = forecast_of(s)
    if s is None or not configured(s):
        return ()
    if inference is not None and is_old(view, inference):
        return row(("STALE", "bad"))
    if s.inputs.forecast_state == UNPROVEN:
        return row(("UNPROVEN", "warn"))
    if s.decision.intervention != Intervention.NONE:
        return row((DOING[Intervention(s.decision.intervention)], "warn"))
    return row(("in force", "dim"))


class ForecastPanel(Panel):
    TITLE: ClassVar[str] = "FORECAST"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return forecast_rows(view, width, height)

    def title(self, view: View) -> Row:
        past = "" if self.size.height - 2 >= CURVED else alarm_spark(view, PAST)
        return row((self.TITLE, "title"), (f" {past}" if past else "", "curve"))

    def note(self, view: View) -> Row:
        return state_note(view)


def forecast_line(view: View, width: int) -> list[Row]:
    """One line for small screens: the likeliest failure, its probability and horizon, its alarm, its remedy, and why."""
    s, inference = view.snapshot, forecast_of(view.snapshot)
    if s is None or inference is None:
        return [cut(row((f"  {absent(view)}", "dim")), width)]
    failure = likeliest(s, inference)
    probability, seconds = soonest(risks(inference, failure))
    quiet = not (probability >= TELLS or acts(s, failure))
    name, role = ("at most", "dim") if quiet else (FAILURES[failure], "value")
    unproven = s.inputs.forecast_state == UNPROVEN
    spans = row(
        ("  UNPROVEN  " if unproven else "  forecast  ", "warn" if unproven else "dim"),
        (f"{name:9} ", role),
        (f"{percent(probability):2d} %" if math.isfinite(probability) else f"{NONE:>4}", role if quiet else _heat(probability)),
        (f" in {seconds:.1f} s ", "dim"),
        *_bar(view, inference, failure, 6),
        _remedy(view, s, failure, 9) if not (quiet or unproven) else (" " * 9, "text"),
        (" ", "text"),
    )
    return [cut(row(*spans, *(why_row(inference, width - width_of(spans)) if not quiet else ())), width)]


class ForecastLine(Panel):
    FRAMED: ClassVar[bool] = False

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return forecast_line(view, width)
