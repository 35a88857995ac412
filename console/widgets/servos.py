"""Servos that follow positions: the joints and where they were told to be, the chunk that this comes from, voltage and temperature."""

import math
from typing import NamedTuple

from adapters.so101.motors import MOTORS
from adapters.so101.status import HOT, LOW, Trouble, numbers
from console.rows import Row, Span, beside, number, row, width_of
from console.widgets.signals import quantile_role, quantile_text
from engine.types import SIGNALS, Mode, Snapshot

BRIEF = {
    "shoulder_pan": "pan",
    "shoulder_lift": "lift",
    "elbow_flex": "elbow",
    "wrist_flex": "wrist",
    "wrist_roll": "roll",
    "gripper": "grip",
}
SHORT, LONG = 16, 26  #: cells of a joint's row in whole degrees, and with its number and decimals
ALL_OF_IT = 40  #: cells from which a servo's row has everything


class Target(NamedTuple):
    """One joint or the gripper, with where it was told to be."""

    name: str
    now: float  #: degrees, or % closed
    told: float
    unit: str


def approximate(s: Snapshot) -> bool:
    """Whether stiffness and force come about by the servos' own gain and torque limit; simulated ones have neither."""
    return not (s.energy.present or s.run.simulated)


def measured(s: Snapshot) -> bool:
    """Whether the servos say what feeds them and how warm they are."""
    return any(map(math.isfinite, s.spring.volts))


def names(s: Snapshot) -> tuple[str, ...]:
    """Of the joints and the gripper."""
    joints = len(s.inputs.q)
    return MOTORS if joints == len(MOTORS) - 1 else (*(f"joint {n + 1}" for n in range(joints)), MOTORS[-1])


def targets(s: Snapshot) -> list[Target]:
    """Every joint that was told of a place, and the gripper where there is one."""
    *joints, grip = names(s)
    found = [
        Target(name, math.degrees(q), math.degrees(told), "°") for name, q, told in zip(joints, s.inputs.q, s.spring.target, strict=False)
    ]
    if math.isfinite(s.inputs.gripper):
        found.append(Target(grip, 100.0 * s.inputs.gripper, 100.0 * s.command.gripper_d, "%"))
    return found


def target_rows(s: Snapshot, width: int, height: int) -> list[Row]:
    """The chunk in force, then a row each, or two in a row where there is no room for that; nothing for what was told of no place."""
    found = targets(s)
    if not any(math.isfinite(one.told) for one in found):
        return []
    head = chunk_row(s)
    if height > len(found) and width >= LONG:
        return [head, *(_target(number, one, width) for number, one in enumerate(found, 1))]
    short = [_short(one) for one in found]
    half = -(-len(short) // 2) if width >= 2 * SHORT + 2 else len(short)
    return [head, *beside(short[:half], short[half:], SHORT)][: max(0, height)]


def _target(place: int, one: Target, width: int) -> Row:
    room = 14 if width >= ALL_OF_IT else 6
    is_joint = one.unit == "°"
    return row(
        (f"{place if is_joint else ' '} ", "dim"),
        (f"{one.name if room > 6 else BRIEF.get(one.name, one.name):{room}.{room}}", "text"),
        (number(one.now, 6, 1 if is_joint else 0, sign=is_joint), "text"),
        (" → ", "dim"),
        (number(one.told, 6, 1 if is_joint else 0, sign=is_joint), "value"),
        (f" {one.unit}", "dim"),
    )


def _short(one: Target) -> Row:
    signed = one.unit == "°"
    return row(
        (f"{BRIEF.get(one.name, one.name):5.5}", "text"),
        (number(one.now, 4, 0, sign=signed), "text"),
        ("→", "dim"),
        (number(one.told, 5, 0, sign=signed), "value"),
        (one.unit, "dim"),
    )


def chunk_row(s: Snapshot) -> Row:
    """How far the chunk is that the targets come from, and how sure of it the ensemble is."""
    inference = s.inference
    if inference is None:
        return row(("target  ", "dim"), ("no chunk yet", "dim"))
    doubt = inference.quantile[SIGNALS.index("epistemic")]
    sure = quantile_text(inference.confidence).strip() or "—"
    role = quantile_role(doubt)
    return row(("target  ", "dim"), *_phase(s), ("  confidence ", "dim"), (sure, "value" if role == "info" else role), _word(doubt))


def _phase(s: Snapshot) -> Row:
    inference = s.inference
    assert inference is not None
    if not (s.decision.going and s.operator.mode == Mode.CUT):
        return row(("by hand" if s.inputs.jogging else "held", "value"))
    if not math.isfinite(inference.due):
        return row(("—", "dim"))
    if inference.due > inference.horizon:
        return row(("ran out", "bad"))
    return row((f"{min(int(inference.due) + 1, inference.horizon)}/{inference.horizon}", "value"))


def _word(doubt: float) -> Span:
    """What an unusual doubt is, for those who see no colour."""
    return (" low", quantile_role(doubt)) if quantile_role(doubt) != "info" else ("", "dim")


# --- what feeds them ---


def _troubles(s: Snapshot, servo: int) -> list[Trouble]:
    """Of voltage and temperature, by the limits that stop the arm."""
    supply = s.spring.supply if math.isfinite(s.spring.supply) else None
    return list(numbers(MOTORS[servo], s.spring.celsius[servo], s.spring.volts[servo], supply))


def _role(troubles: list[Trouble], *about: str) -> str:
    mine = [trouble for trouble in troubles if trouble.what in about]
    return "text" if not mine else "bad" if any(trouble.stops for trouble in mine) else "warn"


def _volts(s: Snapshot, servo: int) -> Row:
    return row((number(s.spring.volts[servo], 5, 1), _role(_troubles(s, servo), "sagging", "low voltage")), (" V", "dim"))


def _celsius(s: Snapshot, servo: int) -> Row:
    return row((number(s.spring.celsius[servo], 4, 0), _role(_troubles(s, servo), "warm", "hot")), (" °C", "dim"))


def _said(s: Snapshot, servo: int) -> list[Span]:
    """What is wrong with it, in a word each."""
    return [(trouble.what.upper(), "bad" if trouble.stops else "warn") for trouble in _troubles(s, servo)]


def feed_rows(s: Snapshot, width: int, height: int) -> list[Row]:
    """Voltage and temperature of each, what they stop at, and in words which is beyond what is usual."""
    each = range(len(MOTORS))
    head = row(
        (f"stops at {HOT:.0f} °C" + (f", {LOW * s.spring.supply:.1f} V" if math.isfinite(s.spring.supply) else ""), "dim"),
    )
    if width >= ALL_OF_IT and height > len(MOTORS):
        rows = [row((f"{name:14}", "text"), *_volts(s, n), *_celsius(s, n), "  ") for n, name in enumerate(MOTORS)]
        return [head, *((*line, *(_apart(_said(s, n)) or _torque(s, n))) for n, line in enumerate(rows))]
    cells = [row((f"{BRIEF[MOTORS[n]]:5}", "text"), *_narrow(s, n)) for n in each]
    half = len(cells) // 2
    rows = [head, *beside(cells[:half], cells[half:], width_of(cells[0]))]
    wrong = [(f"{BRIEF[MOTORS[n]]} {text}", role) for n in each for text, role in _said(s, n)]
    wrong.sort(key=lambda span: span[1] != "bad")
    return [*rows[: height - bool(wrong)], *([_apart(wrong)] if wrong else [])][:height]


def _torque(s: Snapshot, servo: int) -> Row:
    """Of a joint's servo, as far as its load tells."""
    return row((number(s.inputs.tau[servo], 5, 2, sign=True), "text"), (" N m", "dim")) if servo < len(s.inputs.tau) else ()


def _narrow(s: Snapshot, servo: int) -> Row:
    (volts, one), (celsius, other) = _volts(s, servo)[0], _celsius(s, servo)[0]
    return row((volts[1:], one), ("V", "dim"), (celsius[1:], other), ("°", "dim"))


def _apart(spans: list[Span]) -> Row:
    return tuple((" " * bool(i) + text, role) for i, (text, role) in enumerate(spans))


def feed_spans(s: Snapshot) -> Row:
    """The least voltage and the highest temperature, and what is wrong in a word, for the line of a small screen."""
    low = min(range(len(MOTORS)), key=lambda n: s.spring.volts[n])
    hot = max(range(len(MOTORS)), key=lambda n: s.spring.celsius[n])
    spans: Row = (("  servos", "dim"), *_volts(s, low), *_celsius(s, hot))
    wrong = [(f" {BRIEF[MOTORS[n]]} {text}", role) for n in range(len(MOTORS)) for text, role in _said(s, n)]
    return (*spans, *sorted(wrong, key=lambda span: span[1] != "bad")[:1])
