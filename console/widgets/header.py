"""The first line: what runs, that it is not safety-rated, a heartbeat, the time."""

import time
from typing import ClassVar

from console.panel import Panel
from console.rows import Row, joined, one_cell_each, row, width_of
from console.view import View
from engine.types import ModelState, Snapshot

FALLBACK = "FALLBACK"


def imported(snapshot: Snapshot) -> bool:
    """Whether it comes from a data set of another program, which knows nothing of decisions, limits and forces."""
    return "IMPORTED" in snapshot.run.badges


def emulated(snapshot: Snapshot) -> bool:
    """Whether a program plays the servos of a robot that otherwise is the real one."""
    return "EMULATED" in snapshot.run.badges


def placeholder(snapshot: Snapshot | None) -> str:
    """Why what is on screen is not the real model driving; empty where it is."""
    if snapshot is None or imported(snapshot):
        return ""
    policy = snapshot.run.policy
    if policy is not None and policy.placeholder:
        return "PLACEHOLDER"
    if snapshot.run.model_state == ModelState.FAILED:
        return "PLACEHOLDER · model failed"
    if snapshot.run.model_state == ModelState.LOADING:
        return "LOADING"
    if policy is None or snapshot.run.model_state == ModelState.NONE:
        return "PLACEHOLDER · no model"
    return ""


def _control(view: View) -> str:
    """Who may command, where it is not plainly this console."""
    run = view.snapshot.run if view.snapshot is not None else None
    if run is not None and "handover" in view.possible and (run.offered or not run.controller):
        return "CONTROL OFFERED" if run.offered else "NO CONTROL"
    return "READ ONLY" if view.readonly else ""


def header_rows(view: View, width: int) -> list[Row]:
    """Names to the left, badges to the right. Where both do not fit the clock goes, the gaps, then every name but the robot's."""
    names, tight = _names(view, width), _badges(view, width, tight=True)
    for gaps, clock in ((False, True), (False, False), (True, True), (True, False)):
        right = _badges(view, width, tight=gaps) + _beat(view, clock=clock)
        if width_of(names) + width_of(right) < width:
            return [joined(names, right, width)]
    right = tight + _beat(view, clock=False)
    robot = row((f" {view.snapshot.run.robot}" if view.snapshot is not None else "", "value"))
    return [joined(robot if width_of(robot) + width_of(right) < width else (), right, width)]


def _names(view: View, width: int) -> Row:
    """The program, the robot, and what drives it to which task."""
    left: Row = row((" SAWHORSE ", "brand"))
    if view.snapshot is not None:
        run = view.snapshot.run
        policy = run.policy
        real = "" if imported(view.snapshot) or emulated(view.snapshot) else " sim" if run.simulated else " real"
        left += row(("  " + run.robot, "value"), (real, "dim"))
        if run.task not in ("saw", run.robot):
            left += row((f"  {run.task}", "value"))
        left += row((f"  {policy.name}×{policy.members}" if policy else "  no policy", "value"))
        if width >= 100:
            left += row((f"  {one_cell_each(run.run)}", "dim"))
    return left


def _badges(view: View, width: int, *, tight: bool) -> Row:
    """What sets the run apart, and that it is not safety-rated; ``tight``: without gaps, and a fallback stands for its placeholder."""
    badges = list(view.snapshot.run.badges) if view.snapshot is not None else []
    fake = placeholder(view.snapshot)
    shown = [(_control(view), "state idle"), ("link slow" if view.link_slow else "", "state warn")]
    if tight and fake and FALLBACK in badges:
        badges.remove(FALLBACK)
        fake = FALLBACK
    shown += [("·".join(badges), "state warn")] if tight else [(badge, "state warn") for badge in badges]
    shown += [(fake if width >= 100 else fake.split(" ·")[0], "placeholder"), ("RECORDED" if view.link == "recorded" else "", "state idle")]
    gap = "" if tight else " "
    return (*(span for text, role in shown if text for span in row((f" {text} ", role), gap)), ("NOT SAFETY-RATED", "unrated"))


def _beat(view: View, *, clock: bool) -> Row:
    """A heartbeat, and the time."""
    beat = f"♥{view.heartbeat % 10}" if view.link == "connected" and view.snapshot is not None else "  "
    time_now = time.strftime("  %H:%M:%S ", time.localtime(view.wall)) if clock else ""
    return row((f"{'  ' if clock else ' '}{beat}", "good" if view.behind < 1.0 else "bad"), (time_now, "dim"))


class Header(Panel):
    FRAMED: ClassVar[bool] = False

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return header_rows(view, width)
