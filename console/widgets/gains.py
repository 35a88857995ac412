"""From the score to what the robot may do: normalised, in newtons, as commanded now and as measured."""

import math

from console.draw import bar
from console.panel import Panel
from console.rows import Row, number, row
from console.view import View
from engine.types import Snapshot


def gains_rows(view: View, width: int, height: int) -> list[Row]:
    if view.snapshot is None:
        return [row(("no limits yet: the robot may do nothing", "dim"))]
    s = view.snapshot
    if width < 30:
        return _lean(s, width)[:height]
    d, c = s.decision, s.command
    force, speed = measured_force(s), measured_speed(s)
    rows = [
        row((f"{'':8}{'norm':>5}{'permitted':>11}{'now':>10}", "dim")),
        _gain("K XY", d.impedance_xy, d.stiffness[1], "N/m", c.stiffness_d[1]),
        _gain("K stroke", d.impedance_xy, d.stiffness[0], "N/m", c.stiffness_d[0]),
        _gain("K Z", d.impedance_z, d.stiffness[2], "N/m", c.stiffness_d[2]),
        _gain("force", d.force, d.force_limit, "N", c.force_max, 1),
        _gain("speed", d.speed_scale, d.speed_limit, "m/s", speed, 2),
    ]
    if height < 11:
        if height < 6:
            del rows[2]
        if height >= 7:
            rows.append(_measured("pushes", force, c.force_max, "N", width, 1))
        return rows[:height]
    rows.insert(4, _gain("K turn", math.nan, d.stiffness[3], "N m", c.stiffness_d[3], 1))
    rows += [
        _measured("pushes", force, c.force_max, "N", width, 1),
        _measured("moves", speed, d.speed_limit, "m/s", width, 2),
        row(
            ("ramp    ", "dim"),
            (number(d.ramp, 5, 2), "text"),
            ("  M ≤", "dim"),
            (number(d.torque_limit, 4, 1), "text"),
            (" N m", "dim"),
            ("  BRAKES" if c.brakes else "  HOLD" if c.hold else "", "warn"),
        ),
        row(
            ("action  ", "dim"),
            (number(s.inputs.action_magnitude, 5, 2), "text"),
            ("   spread", "dim"),
            (number(s.inputs.ensemble_spread, 6, 3), "text"),
        ),
    ]
    if height >= 12:
        rows.append(row(("published rule", "dim"), (number(d.score_published, 5, 2), "text"), (", drives nothing", "dim")))
    return rows[:height]


def _gain(name: str, norm: float, limit: float, unit: str, now: float, decimals: int = 0) -> Row:
    return row(
        f"{name:8}",
        (number(norm, 5, 2), "text"),
        (f"{number(limit, 7, decimals)}", "value"),
        (f" {unit:3}", "dim"),
        (f"{number(now, 6, decimals)}", "text"),
        (f" {unit:3}", "dim"),
    )


def _measured(name: str, value: float, limit: float, unit: str, width: int, decimals: int) -> Row:
    share = value / limit if limit > 0 else 0.0
    role = "bad" if share > 1.0 else "warn" if share > 0.8 else "bar"
    room = width - 8 - 7 - len(unit) - 2
    return row((f"{name:8}", "dim"), *bar(share, room, role), (number(value, 7, decimals), "text"), (f" {unit}", "dim"))


def _lean(s: Snapshot, width: int) -> list[Row]:
    d = s.decision
    return [
        row(f"{'K XY':6}", (number(d.impedance_xy, 5, 2), "value"), (f"{number(d.stiffness[1], 7, 0)} N/m", "value")),
        row(f"{'K Z':6}", (number(d.impedance_z, 5, 2), "value"), (f"{number(d.stiffness[2], 7, 0)} N/m", "value")),
        row(f"{'force':6}", (number(d.force, 5, 2), "value"), (f"{number(d.force_limit, 7, 1)} N", "value")),
        row(f"{'speed':6}", (number(d.speed_scale, 5, 2), "value"), (f"{number(d.speed_limit, 7, 2)} m/s", "value")),
    ]


def measured_force(snapshot: Snapshot) -> float:
    """N, size of the external force on the tool."""
    return math.sqrt(sum(f * f for f in snapshot.inputs.wrench[:3]))


def measured_speed(snapshot: Snapshot) -> float:
    """m/s, of the tool."""
    return math.sqrt(sum(v * v for v in snapshot.inputs.twist[:3]))


class GainsPanel(Panel):
    DEFAULT_CSS = "GainsPanel { min-width: 20; }"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return gains_rows(view, width, height)

    def title(self, view: View) -> Row:
        return row(("SCORE → GAIN → ROBOT", "title"))
