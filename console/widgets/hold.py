"""Hold-to-run: the mode, what is granted now and for how long, and what the arrows act on."""

import math
from typing import ClassVar

from console.draw import bar
from console.panel import Panel
from console.rows import Row, number, row, width_of, wrapped
from console.view import View
from console.widgets.clearance import plays
from engine.safety.limits import tilt
from engine.types import Mode, OperatorState, Snapshot

MODES = {Mode.CUT: "CUT", Mode.JOG_XYZ: "JOG XYZ", Mode.JOG_SAW: "JOG SAW", Mode.JOG_JOINT: "JOINT", Mode.MOTION: "MOTION"}
MODES_WITHOUT_SAW = MODES | {Mode.CUT: "TASK", Mode.JOG_SAW: "JOG TOOL"}
GRANT_FULL = 0.5  #: s, the longest a grant lasts without a new sign of life


def modes(s: Snapshot) -> dict[Mode, str]:
    """The names of the modes that there are, of a robot with a saw or without."""
    names = MODES if s.saw.present else MODES_WITHOUT_SAW
    return {mode: name for mode, name in names.items() if mode is not Mode.MOTION or s.operator.motion or s.operator.mode == mode}


def mode_row(s: Snapshot) -> Row:
    operator = s.operator
    spans: list[tuple[str, str]] = []
    for mode, name in modes(s).items():
        chosen = operator.mode == mode
        spans.append((f"[{name}]" if chosen else f" {name} ", "selected" if chosen else "dim"))
    return row(*spans, (" Tab", "key"))


def grant_row(operator: OperatorState, width: int) -> Row:
    """What is granted: the axis and the time that is left."""
    if operator.grant_left <= 0 or not operator.grant_axis:
        return row(("nothing granted", "dim"))
    room = max(6, width - 24)
    left = f"{operator.grant_left * 1e3:4.0f} ms"
    return row(
        (f"{operator.grant_axis:10} ", "good"),
        *bar(operator.grant_left / GRANT_FULL, room, "good"),
        (f" {left}", "value"),
        (" left", "dim"),
    )


def hold_rows(view: View, width: int, height: int) -> list[Row]:
    if view.snapshot is None:
        return [row(("nothing can be held yet", "dim"))]
    operator, saw = view.snapshot.operator, view.snapshot.saw.present
    rows = [mode_row(view.snapshot), grant_row(operator, width)]
    if operator.mode == Mode.MOTION:
        rows += [_motion(operator, width), row(*_progress(operator, max(6, width - 31)), ("  ", "text"), *_speed(operator), (" ,.", "key"))]
    else:
        rows += _keys(view, view.snapshot, saw)
    if operator.refused:
        rows += [row((line, "warn")) for line in wrapped(operator.refused, width)]
    if height >= len(rows) + 4:
        rows += _more(view, width)
    return rows[:height]


def _keys(view: View, s: Snapshot, saw: bool) -> list[Row]:
    """What the keys do that are held, and with how much."""
    operator = s.operator
    rows = [_partner_keys(operator, saw)] if saw or s.run.pushed else []
    rows += [] if saw else [row(("Y", "key"), (" opens  ", "dim"), ("I", "key"), (" closes, while jogging", "dim"))]
    if operator.mode == Mode.CUT and saw:
        rows.append(
            row(
                ("←→", "key"),
                (" line", "dim"),
                (number(operator.cut_line_y, 6, 2, sign=True), "value"),
                (" m  ", "dim"),
                ("↑↓", "key"),
                (" log ", "dim"),
                (number(operator.log_top_z, 4, 2), "value"),
                (" m", "dim"),
            )
        )
    elif operator.mode == Mode.CUT:
        rows.append(_without_saw(view))
    else:
        rows.append(row(*_jog_spans(operator), (" -= ,.", "key")))
        if operator.mode == Mode.JOG_JOINT:
            rows.append(row((f"{_chosen(view)[0]:8}", "selected"), *_joint_spans(view, s), (" [ ]", "key")))
    return rows


def _without_saw(view: View) -> Row:
    """The keys of a robot that works by itself."""
    go = row(("G", "key"), (" held goes  ", "dim")) if view.limits.hold_to_run else ()
    return (*go, *row(("Tab", "key"), (" to jog it", "dim")))


def _partner_keys(operator: OperatorState, presses: bool) -> Row:
    """The keys that lend the partner's hand, and with how much."""
    pressing = (("F", "key"), (" press", "dim"), (number(operator.hand_press, 3, 0), "value"), (" N", "dim"))
    return row(
        ("K", "key"),
        (" pull ", "dim"),
        ("J", "key"),
        (" push", "dim"),
        (number(operator.hand_force_set, 4, 0), "value"),
        (" N ", "dim"),
        *(pressing if presses else ()),
    )


def _more(view: View, width: int) -> list[Row]:
    """Room to spare: the keyboard, the loop, the recording."""
    s = view.snapshot
    if s is None:
        return []
    recorder = s.recorder
    rows = [
        (),
        row(("keyboard  ", "dim"), (view.key_mode or "arming measures it", "text")),
        row(
            ("tick      ", "dim"),
            (f"{number(s.loop.tick_hz, 5, 1)} Hz p99 {number(s.loop.late_p99_ms, 4, 1)} ms", "text"),
        ),
        row(("overruns  ", "dim"), (f"{s.loop.overruns:5d}   max {number(s.loop.late_max_ms, 4, 1)} ms", "text")),
        row(
            ("recorded  ", "dim"),
            (f"{recorder.committed_ticks} ticks, {recorder.queued} wait" if recorder.on else "off", "text"),
        ),
    ]
    return [
        *rows,
        *(
            row(("          " if i else "session   ", "dim"), (line, "text"))
            for i, line in enumerate(_pieces(recorder.session, width - 10))
        ),
    ]


def _pieces(text: str, width: int) -> list[str]:
    return [text[i : i + width] for i in range(0, len(text), max(1, width))][:3]


def _chosen(view: View) -> tuple[str, int]:
    """What the jog keys act on among the joints, and which joint that is, 0 for none. Another console's choice is not known here."""
    if view.readonly or view.link == "recorded":
        return MODES[Mode.JOG_JOINT], 0
    return (f"JOINT {view.joint}" if view.joint else "LEVEL"), view.joint


def _jog_spans(operator: OperatorState) -> Row:
    """The step and the speed of the tool's fastest point."""
    return row(("step ", "dim"), (number(operator.jog_step * 1e3, 2, 0), "value"), (" mm ", "dim"), *_speed(operator))


def _speed(operator: OperatorState) -> Row:
    return row((number(operator.jog_speed * 1e3, 3, 0), "value"), (" mm/s", "dim"))


def _motion(operator: OperatorState, width: int) -> Row:
    """The motion that is chosen, and the keys that choose and play it."""
    return _named(operator, row(("  [ ]", "key"), (" choose  ", "dim"), ("↑", "key"), (" plays", "dim")), width)


def _named(operator: OperatorState, rest: Row, width: int) -> Row:
    """The motion's name, as much of it as the rest leaves room for, its number, and the rest."""
    place = f" {operator.motion_number}/{operator.motion_count}"
    most = max(1, width - len(place) - width_of(rest))
    name = operator.motion if len(operator.motion) <= most else operator.motion[: most - 1] + "…"
    return row((name, "selected"), (place, "value"), *rest)


def _progress(operator: OperatorState, room: int) -> Row:
    """How far it has come: the step, and the way to it."""
    if not operator.motion_step:
        return row(("not begun".ljust(10 + room + 5), "dim"))
    role = "good" if plays(operator) else "dim"
    return row(
        (f"step {operator.motion_step}/{operator.motion_steps}".ljust(9) + " ", "value"),
        *bar(operator.motion_share, room, role),
        (f"{operator.motion_share * 100:3.0f} %", "value"),
    )


def _joint_spans(view: View, snapshot: Snapshot) -> Row:
    """The chosen joint's angle, and how far a saw is from level."""
    turned, most = math.degrees(tilt(snapshot.inputs.pose)), math.degrees(view.limits.tilt_max)
    _, joint = _chosen(view)
    angle = number(math.degrees(snapshot.inputs.q[joint - 1]), 6, 1, sign=True) + "°" if joint else " " * 7
    if not snapshot.saw.present:
        return row((angle, "value"))
    role = "warn" if turned > most / 2 else "value"
    return row((angle, "value"), (" tilt", "dim"), (number(turned, 4, 1), role), (f"/{most:.0f}°", "dim"))


def hold_line(view: View, width: int) -> list[Row]:
    """The same in one line, for small screens."""
    if view.snapshot is None:
        return [row(("  nothing can be held yet", "dim"))]
    o = view.snapshot.operator
    name = _chosen(view)[0] if o.mode == Mode.JOG_JOINT else modes(view.snapshot)[Mode(o.mode)]
    spans: list[tuple[str, str]] = [("  ", "text"), (f"[{name}]", "selected"), (" ", "text")]
    if o.mode == Mode.MOTION:
        return [row(*spans, *_motion_line(o, width - len(name) - 5))]
    if o.grant_left > 0 and o.grant_axis:
        spans += [
            (f"{o.grant_axis[:10]:10} ", "good"),
            *bar(o.grant_left / GRANT_FULL, 8, "good"),
            (f" {o.grant_left * 1e3:4.0f} ms", "value"),
        ]
    else:
        spans += [("nothing granted            ", "dim")]
    if o.mode != Mode.CUT:
        spans += [(" ", "text"), *_jog_spans(o), (" ", "text")]
        spans += _joint_spans(view, view.snapshot) if o.mode == Mode.JOG_JOINT and width >= 76 else ()
        return [row(*spans, *(() if view.snapshot.saw.present else (("  Y I", "key"), (" gripper", "dim"))))]
    if not view.snapshot.saw.present:
        return [row(*spans, " ", *_without_saw(view))]
    spans += [
        (" K/J", "key"),
        (f"{o.hand_force_set:4.0f} N", "value"),
        ("  F", "key"),
        (f"{o.hand_press:4.0f} N", "value"),
    ]
    if width >= 76:
        spans += [
            ("  y", "dim"),
            (number(o.cut_line_y, 6, 2, sign=True), "value"),
            (" z", "dim"),
            (number(o.log_top_z, 5, 2), "value"),
            (" m", "dim"),
        ]
    return [row(*spans)]


def _motion_line(o: OperatorState, width: int) -> Row:
    """The motion, how far it has come and how fast it may be, in ``width`` cells."""
    roomy = width >= 66
    keys = (("  ↑", "key"), (" plays", "dim"), (" [ ]", "key")) if roomy else ()
    return _named(o, row("  ", *_progress(o, 8 if roomy else 4), "  ", *_speed(o), *keys), width)


class HoldPanel(Panel):
    TITLE: ClassVar[str] = "HOLD / JOG"

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return hold_rows(view, width, height)

    def note(self, view: View) -> Row:
        return row(("keys ", "dim"), (view.key_mode or "unmeasured", "value"))


class HoldLine(Panel):
    FRAMED: ClassVar[bool] = False

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return hold_line(view, width)
