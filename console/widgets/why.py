"""Why: the path of this tick, from what was read, by layer and score, to gain and newtons."""

import math
from collections.abc import Iterable
from typing import ClassVar

from console.panel import Panel
from console.rows import Row, number, row, wrapped
from console.view import View
from console.widgets.gains import axis_names, measured_force, measured_speed
from console.widgets.layers import FORECAST, SAYS_FROM, head_row, layer_row, layer_sentence, score_role
from console.widgets.person import grip_force, measured
from console.widgets.score import action_word
from console.widgets.servos import approximate
from engine.safety.reasons import advice
from engine.types import FAILURES, LAYERS, PARTS, SIGNALS, ModelState, Reason, Snapshot


def why_rows(view: View, width: int, height: int) -> list[Row]:
    """The path of one tick; where it is too long, the layers that do not bind are left to their own page."""
    s = view.snapshot
    if s is None:
        return [row(("nothing has been decided yet", "dim"))]
    read = [row(("1  what the binding layer read", "title")), *_inputs(s, s.decision.binding)]
    follows = [row(("3  the smallest score, and what follows", "title")), *_chain(view, s, width)]
    layers = _layers(view, s, width, range(len(LAYERS)))
    if len(read) + len(layers) + len(follows) + 1 > height:
        layers = _layers(view, s, width, (s.decision.binding,))
    said = [row(("2  what each layer says", "title"), ("  (L: all nine)" if len(layers) < len(LAYERS) else "", "dim")), *layers]
    rows = [*read, (), *said, (), *follows]
    return (rows if len(rows) <= height else [line for line in rows if line])[:height]


def _inputs(s: Snapshot, layer: int) -> list[Row]:
    """The values behind one layer's score."""
    i = s.inputs
    if layer == 0:
        facts = [
            ("stop page", "  ".join(map(str, i.stop_page))),
            ("slowest thread", _name(i.watchdog)),
            ("console heard", _since(i.t_ns, i.console_t_ns)),
        ]
    elif layer == 1:
        facts = [
            ("robot read", _since(i.t_ns, i.obs_t_ns)),
            ("picture exposed", _since(i.t_ns, i.frame_t_ns)),
            ("model", ModelState(i.model_state).name.lower()),
            ("chunk exposed", _since(i.t_ns, i.inference_exposed_ns)),
        ]
    elif layer == 2:
        facts = [
            ("joints", " ".join(f"{math.degrees(q):+.0f}°" for q in i.q)),
            ("tool", " ".join(f"{p:+.3f}" for p in i.pose[:3]) + " m"),
            ("tool speed", f"{number(measured_speed(s), 4, 2)} m/s"),
            ("manipulability", f"{i.manipulability:.3f}"),
        ]
    elif layer == 3 and measured(s.decision):
        d = s.decision
        facts = [
            (PARTS[d.separation_part], f"{max(d.separation, 0.0):.2f} m from the robot, needs {d.separation_needed:.2f} m"),
            ("reaction time T_r", f"{d.reaction:.2f} s"),
            ("seen", _since(i.t_ns, i.person_exposed_ns[d.separation_part])),
        ]
    elif layer == 4 and s.saw.present:
        facts = [
            ("hand on the handle", f"{'yes' if i.holds else 'no'},{number(grip_force(s), 4, 0)} N"),
            ("handle to cradle", f"{s.saw.handle_gap * 1e3:.0f} mm"),
            ("tool speed", f"{number(measured_speed(s), 4, 2)} m/s"),
        ]
    elif layer == 5:
        ranked = sorted((r, n) for r, n, v in zip(i.signal_ratio, range(18), i.signal_valid, strict=True) if v and math.isfinite(r))
        facts = [(SIGNALS[n], f"{r:.2f} × its nominal 95 % value") for r, n in reversed(ranked[-3:])]
        facts.append(("members", str(i.members)))
    elif layer == FORECAST and i.forecast_ns > 0:
        alarms = zip(FAILURES, i.forecast_alarm, strict=True)
        facts = [(name, f"{alarm:.2f} × the alarm's threshold") for name, alarm in alarms]
        facts.append(("forecast made", _since(i.t_ns, i.forecast_ns)))
    elif layer == 7 and i.vision_t_ns > 0:
        facts = [
            ("free hand, surely", f"{i.vision_hand:.2f} m from the blade"),
            ("person seen, stuck seen", f"{i.vision_human:.2f}, {i.vision_stuck:.2f}"),
            ("score raw, smoothed", f"{i.vision_raw:.2f}, {i.vision_smooth:.2f}"),
            ("picture exposed", _since(i.t_ns, i.vision_t_ns)),
        ]
    elif layer == 8:
        facts = [
            ("asked", f"arm {i.arm_request}  go {i.go_request}  pause {i.pause_request}  disarm {i.disarm_request}"),
            ("armed", f"{'yes' if s.decision.armed else 'no'}, ramp {s.decision.ramp:.2f}"),
            ("console heard", _since(i.t_ns, i.console_t_ns)),
        ]
    else:
        facts = [("source", layer_sentence(s.decision, layer))]
    return [row((f"   {name:22}", "dim"), (value, "value")) for name, value in facts]


def _layers(view: View, s: Snapshot, width: int, layers: Iterable[int]) -> list[Row]:
    """A row a layer; under the one that binds what it says, where its row has no room for it, and what to do."""
    d = s.decision
    rows = [row("  ", *head_row(width - 2))]
    for n in layers:
        reason = Reason(d.layer_reason[n])
        rows.append(row("  ", *layer_row(view, d, n, width - 2)))
        if n == d.binding and reason is not Reason.OK:
            said = layer_sentence(d, n) + ". "
            told = (said if width < SAYS_FROM + 2 else "") + advice(reason)
            rows += [row((" " * 5 + line, "dim")) for line in wrapped(told, max(20, width - 6))]
    return rows


def _chain(view: View, s: Snapshot, width: int) -> list[Row]:
    """Score to normalised by the maps, to what is permitted, to the spring in effect, to the motion."""
    d, now = s.decision, s.spring
    word, role = action_word(view, d)
    score = f"{d.score:.2f}"
    wide = width >= 60
    pushes = f"pushes{number(measured_force(s), 5, 1)} N"
    springs = ["≈ by its servos" if approximate(s) else "by its servos"] * 3
    if s.energy.present:
        pushes = f"{now.force_max:.1f} N, pushes{number(measured_force(s), 5, 1)}"
        springs = [f"{k:.0f} N/m" for k in now.stiffness[:3]]
    names = axis_names(s)
    links = (
        (f"K {names[0]}", f"clip(0.7·{score} + 0.2)", d.impedance_xy, f"≤ {d.stiffness[0]:.0f} N/m", springs[0]),
        (f"K {names[1]}", f"clip(0.7·{score} + 0.2)", d.impedance_xy, f"≤ {d.stiffness[1]:.0f} N/m", springs[1]),
        (f"K {names[2]}", f"clip(0.6·{score} + 0.3)", d.impedance_z, f"≤ {d.stiffness[2]:.0f} N/m", springs[2]),
        ("force", f"clip(0.5·{score} + 0.4)", d.force, f"≤ {d.force_limit:.1f} N", pushes),
        ("speed", "smallest scale", d.speed_scale, f"≤ {d.speed_limit:.2f} m/s", f"moves{number(measured_speed(s), 5, 2)} m/s"),
    )
    head = row(
        ("   score    ", "dim"),
        (score, score_role(d.score, view.limits)),
        (f"  raw {d.score_raw:.2f}  →  ", "dim"),
        (f" {word} ", f"state {role}"),
    )
    return [head] + [
        row(
            (f"   {name:9}", "dim"),
            (f"{rule:22} " if wide else "", "dim"),
            (f"{norm:.2f}", "text"),
            (" → ", "dim"),
            (f"{permitted:10}", "text"),
            (" → ", "dim"),
            (effect, "value"),
        )
        for name, rule, norm, permitted, effect in links
    ]


def _since(now_ns: int, then_ns: int) -> str:
    return "never" if then_ns == 0 else f"{(now_ns - then_ns) / 1e6:.0f} ms ago"


def _name(code: int) -> str:
    return "none" if code == Reason.OK else Reason(code).name.lower().replace("_", " ")


class WhyPanel(Panel):
    TITLE: ClassVar[str] = "WHY"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return why_rows(view, width, height)

    def title(self, view: View) -> Row:
        tick = f" tick {view.snapshot.inputs.tick}" if view.snapshot is not None else ""
        return row(("WHY", "title"), (tick, "dim"))

    def note(self, view: View) -> Row:
        return row(("W", "key"), (" closes", "dim"))
