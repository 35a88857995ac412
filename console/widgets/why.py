"""Why: the path of this tick, from what was read, by layer and score, to gain and newtons."""

import math
from typing import ClassVar

from console.panel import Panel
from console.rows import Row, age, number, row, wrapped
from console.view import View
from console.widgets.gains import measured_force, measured_speed
from console.widgets.score import ACTIONS, score_role
from engine.limits import Limits
from engine.safety.reasons import advice, sentence
from engine.types import LAYERS, SIGNALS, Action, ModelState, Reason, Snapshot


def why_rows(view: View, width: int, height: int) -> list[Row]:
    s = view.snapshot
    if s is None:
        return [row(("nothing has been decided yet", "dim"))]
    rows = [row(("1  what the binding layer read", "title")), *_inputs(s, s.decision.binding)]
    rows += [(), row(("2  what each layer says", "title")), *_layers(s, view.limits, width)]
    rows += [(), row(("3  the smallest score, and what follows", "title")), *_gains(s, view.limits)]
    if len(rows) > height:
        rows = [line for line in rows if line]
    return rows[:height]


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
            ("tool speed", f"{measured_speed(s):.2f} m/s"),
            ("manipulability", f"{i.manipulability:.3f}"),
        ]
    elif layer == 5:
        ranked = sorted((r, n) for r, n, v in zip(i.signal_ratio, range(18), i.signal_valid, strict=True) if v and math.isfinite(r))
        facts = [(SIGNALS[n], f"{r:.2f} × its nominal 95 % value") for r, n in reversed(ranked[-3:])]
        facts.append(("members", str(i.members)))
    elif layer == 8:
        facts = [
            ("asked", f"arm {i.arm_request}  go {i.go_request}  pause {i.pause_request}  disarm {i.disarm_request}"),
            ("armed", f"{'yes' if s.decision.armed else 'no'}, ramp {s.decision.ramp:.2f}"),
            ("console heard", _since(i.t_ns, i.console_t_ns)),
        ]
    else:
        facts = [("source", "not configured")]
    return [row((f"   {name:22}", "dim"), (value, "value")) for name, value in facts]


def _layers(s: Snapshot, limits: Limits, width: int) -> list[Row]:
    d = s.decision
    rows = []
    for n, name in enumerate(LAYERS):
        reason = Reason(d.layer_reason[n])
        if reason is Reason.NOT_CONFIGURED:
            continue
        binding = n == d.binding
        says = sentence(reason, d.layer_margin[n], d.layer_age[n], n)
        rows.append(
            row(
                (f" {'▶' if binding else ' '} {n + 1} {name:15}", "value" if binding else "text"),
                (number(d.layer_score[n], 5, 2), score_role(d.layer_score[n], limits)),
                (age(d.layer_age[n], 8) + "  ", "dim"),
                (says[: max(0, width - 38)], "value" if binding else "text"),
            )
        )
        if binding and reason is not Reason.OK:
            rows += [row((" " * 34 + line, "dim")) for line in wrapped(advice(reason), max(20, width - 36))]
    return rows


def _gains(s: Snapshot, limits: Limits) -> list[Row]:
    d = s.decision
    word, role = ACTIONS[Action(d.action)]
    k = d.stiffness
    return [
        row(("   score  ", "dim"), (f"{d.score:.2f}", score_role(d.score, limits)), (f"  raw {d.score_raw:.2f}  →  ", "dim"), (word, role)),
        row(
            ("   K XY   ", "dim"),
            (f"clip(0.7·{d.score:.2f} + 0.2) = {d.impedance_xy:.2f}", "text"),
            ("  →  ", "dim"),
            (f"{k[1]:.0f} N/m", "value"),
        ),
        row(
            ("   K Z    ", "dim"),
            (f"clip(0.6·{d.score:.2f} + 0.3) = {d.impedance_z:.2f}", "text"),
            ("  →  ", "dim"),
            (f"{k[2]:.0f} N/m", "value"),
        ),
        row(
            ("   force  ", "dim"),
            (f"clip(0.5·{d.score:.2f} + 0.4) = {d.force:.2f}", "text"),
            ("  →  ", "dim"),
            (f"{d.force_limit:.1f} N", "value"),
            (f"   measured {measured_force(s):.1f} N", "dim"),
        ),
        row(
            ("   speed  ", "dim"),
            (f"smallest scale {d.speed_scale:.2f}", "text"),
            ("  →  ", "dim"),
            (f"{d.speed_limit:.2f} m/s", "value"),
            (f"   measured {measured_speed(s):.2f} m/s", "dim"),
        ),
    ]


def _since(now_ns: int, then_ns: int) -> str:
    return "never" if then_ns == 0 else f"{(now_ns - then_ns) / 1e6:.0f} ms ago"


def _name(code: int) -> str:
    return "none" if code == Reason.OK else Reason(code).name.lower().replace("_", " ")


class WhyPanel(Panel):
    TITLE: ClassVar[str] = "WHY"
    DEFAULT_CSS = "WhyPanel { min-width: 60; }"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return why_rows(view, width, height)

    def title(self, view: View) -> Row:
        tick = f" tick {view.snapshot.inputs.tick}" if view.snapshot is not None else ""
        return row(("WHY", "title"), (tick, "dim"))

    def note(self, view: View) -> Row:
        return row(("W", "key"), (" closes", "dim"))
