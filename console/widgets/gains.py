"""The chain: score, normalised, the spring that is permitted and the one in effect, force and speed, and the motion that follows."""

import math

from console.draw import bar
from console.panel import Panel
from console.rows import Row, number, row, wrapped
from console.view import View
from console.widgets.layers import score_role
from console.widgets.servos import approximate, target_rows
from engine.types import Snapshot

LEGEND = ("The score sets the norm, the norm permits;", "the task asks for no more, and the tank", "lets it come about. The slowest wins.")
SETTLED = 1.01  #: a spring stiffer than this many times what is permitted is still being softened


def gains_rows(view: View, width: int, height: int) -> list[Row]:
    """From top to bottom in the order of the chain; what does not fit is left out, never what is permitted."""
    if view.snapshot is None:
        return [row((line, "dim")) for line in wrapped("no limits yet: the robot may do nothing", max(1, width))][:height]
    s = view.snapshot
    if not s.energy.present:
        return _servo_rows(view, s, width, height)
    d, now = s.decision, s.spring
    head = _head(view, width)
    names = axis_names(s)
    stroke = _link(f"K {names[0]}", d.impedance_xy, d.stiffness[0], now.stiffness[0], "N/m", width)
    across = _link(f"K {names[1]}", d.impedance_xy, d.stiffness[1], now.stiffness[1], "N/m", width)
    press = _link(f"K {names[2]}", d.impedance_z, d.stiffness[2], now.stiffness[2], "N/m", width)
    damping = _damping(s, width)
    force = _link("F", d.force, d.force_limit, now.force_max, "N", width, 1)
    speed = _link("speed", d.speed_scale, d.speed_limit, measured_speed(s), "m/s", width, 2)
    if height < 6:
        return [head, stroke, across, force, speed][-height:] if height >= 4 else [stroke, force, speed][:height]
    if height < 7:
        return [head, stroke, across, press, force, speed]
    rows = [head, stroke, across, press, damping, force, speed]
    if height >= 8:
        rows.append(_measured("pushes", measured_force(s), now.force_max, "N", width, 1))
    if height >= 9:
        rows.append(_measured("moves", measured_speed(s), d.speed_limit, "m/s", width, 2))
    if height >= 10:
        rows.insert(4, _link("K turn", math.nan, d.stiffness[3], now.stiffness[3], "N m", width, 1))
    if height >= 11:
        rows.append(_holding(s))
    if height >= 13:
        rows += [(), _action(s)]
    if height >= 13 + len(LEGEND):
        rows += [row((line, "dim")) for line in LEGEND]
    return rows[:height]


def _servo_rows(view: View, s: Snapshot, width: int, height: int) -> list[Row]:
    """What servos that follow positions can be limited in, the spring only approximately, and where they were told to be."""
    d, now, speed = s.decision, s.spring, measured_speed(s)
    rows = [_link("speed", d.speed_scale, d.speed_limit, speed, "m/s", width, 2)]
    if approximate(s):
        rows = [
            _link("≈ K", d.impedance_xy, d.stiffness[0], now.stiffness[0], "N/m", width),
            _link("≈ F", d.force, d.force_limit, now.force_max, "N", width, 1),
            *rows,
        ]
    if height > len(rows):
        rows.insert(0, _head(view, width))
    rows += target_rows(s, width, height - len(rows))
    rows += [_holding(s), _measured("moves", speed, d.speed_limit, "m/s", width, 2)][: max(0, height - len(rows))]
    if height >= len(rows) + 2:
        rows += [(), _action(s)]
    return rows[-height:] if height < 3 else rows[:height]


def _action(s: Snapshot) -> Row:
    """How large the step is that the policy asks for, and how far its members disagree on it."""
    return row(
        ("action  ", "dim"),
        (number(s.inputs.action_magnitude, 5, 2), "text"),
        ("   spread", "dim"),
        (number(s.inputs.ensemble_spread, 6, 3), "text"),
    )


def axis_names(s: Snapshot) -> tuple[str, str, str]:
    """What x, y and z are for a saw, or just these."""
    return ("stroke", "across", "press") if s.saw.present else ("x", "y", "z")


def _columns(width: int) -> tuple[int, int, int, int]:
    """Widths of name, normalised, permitted and in effect; a normalised column of 0 is left out."""
    return (9, 5, 10, 10) if width >= 38 else (8, 5, 6, 6) if width >= 29 else (8, 0, 5, 6)


def _head(view: View, width: int) -> Row:
    """The first link of the chain and the names of the columns."""
    assert view.snapshot is not None
    decision = view.snapshot.decision
    first, norm, permitted, effect = _columns(width)
    allowed = "→ allowed" if permitted > 6 else "→ max" if norm else "max"
    return row(
        (f"{decision.score:.2f} →".ljust(first), score_role(decision.score, view.limits)),
        (f"{'norm' if norm else '':>{norm}}", "dim"),
        (f"{allowed:>{permitted}}{'→ now':>{effect}}", "dim"),
    )


def _link(name: str, norm: float, permitted: float, effect: float, unit: str, width: int, decimals: int = 0) -> Row:
    """One quantity: normalised, permitted, in effect; a bar of the second in the third where there is room."""
    first, normalised, limit, present = _columns(width)
    over = effect > permitted * SETTLED and effect - permitted >= 0.5 * 10.0**-decimals  # no less than what is shown
    spans = row(
        f"{name:{first}}",
        (number(norm, normalised, 2) if normalised else "", "dim"),
        (number(permitted, limit, decimals), "text"),
        (number(effect, present, decimals), "warn" if over else "value"),
        ("↓" if over else " ", "warn"),
        (f"{unit:3}", "dim"),
    )
    room = width - sum(len(text) for text, _ in spans) - 1
    if room < 5:
        return spans
    return (*spans, (" ", "text"), *bar(effect / permitted if permitted > 0 else math.nan, room, "warn" if over else "bar"))


def _damping(s: Snapshot, width: int) -> Row:
    names, (stroke, across, press) = axis_names(s), s.spring.damping[:3]
    if width < 30:
        return row((f"D {names[0]} ", "text"), (number(stroke, 6, 0), "value"), (" N s/m", "dim"))
    spans = row("D ", (names[0], "dim"), (number(stroke, 4, 0), "value"), (f" {names[1]}", "dim"), (number(across, 4, 0), "value"))
    if width >= 40:
        spans += row((f" {names[2]}", "dim"), (number(press, 4, 0), "value"))
    return (*spans, (" N s/m", "dim"))


def _measured(name: str, value: float, limit: float, unit: str, width: int, decimals: int) -> Row:
    share = value / limit if limit > 0 else 0.0
    role = "bad" if share > 1.0 else "warn" if share > 0.8 else "bar"
    room = width - 8 - 7 - len(unit) - 2
    return row((f"{name:8}", "dim"), *bar(share, room, role), (number(value, 7, decimals), "text"), (f" {unit}", "dim"))


def _holding(s: Snapshot) -> Row:
    """The ramp after arming, the largest torque of a spring, and whether it holds or stands on its brakes, which servos have none of."""
    brakes = s.command.brakes and s.energy.present
    torque = row(("  M ≤", "dim"), (number(s.decision.torque_limit, 4, 1), "text"), (" N m", "dim")) if s.energy.present else ()
    return row(
        ("ramp", "dim"),
        (number(s.decision.ramp, 5, 2), "text"),
        *torque,
        ("  BRAKES" if brakes else "  HOLDS" if s.command.hold or s.command.brakes else "", "warn"),
    )


def measured_force(snapshot: Snapshot) -> float:
    """N, size of the external force on the tool."""
    return math.sqrt(sum(f * f for f in snapshot.inputs.wrench[:3]))


def measured_speed(snapshot: Snapshot) -> float:
    """m/s, of the tool."""
    return math.sqrt(sum(v * v for v in snapshot.inputs.twist[:3]))


class GainsPanel(Panel):
    def content(self, view: View, width: int, height: int) -> list[Row]:
        return gains_rows(view, width, height)

    def title(self, view: View) -> Row:
        servos = view.snapshot is not None and not view.snapshot.energy.present
        return row(("SCORE → SERVOS" if servos else "SCORE → SPRING → MOTION", "title"))

    def note(self, view: View) -> Row:
        return row(("approximate", "warn")) if view.snapshot is not None and approximate(view.snapshot) else ()
