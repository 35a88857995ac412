"""The first line: what runs, that it is not safety-rated, a heartbeat, the time."""

import time
from typing import ClassVar

from console.panel import Panel
from console.rows import Row, joined, one_cell_each, row
from console.view import View
from engine.types import ModelState, Snapshot


def imported(snapshot: Snapshot) -> bool:
    """Whether it comes from a data set of another program, which knows nothing of decisions, limits and forces."""
    return "IMPORTED" in snapshot.run.badges


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
    snapshot = view.snapshot
    clock = time.strftime("%H:%M:%S", time.localtime(view.wall))
    left: Row = row((" SAWHORSE ", "brand"))
    if snapshot is not None:
        run = snapshot.run
        policy = run.policy
        name = f"{policy.name}×{policy.members}" if policy else "no policy"
        left += row(("  " + run.robot, "value"), ("" if imported(snapshot) else " sim" if run.simulated else " real", "dim"))
        if run.task not in ("saw", run.robot):
            left += row((f"  {run.task}", "value"))
        left += row((f"  {name}", "value"))
        if width >= 100:
            left += row((f"  {one_cell_each(run.run)}", "dim"))
    right: Row = ()
    if badge := _control(view):
        right += row((f" {badge} ", "state idle"), " ")
    if view.link_slow:
        right += row((" link slow ", "state warn"), " ")
    if snapshot is not None:
        for badge in snapshot.run.badges:
            right += row((f" {badge} ", "state warn"), " ")
    if fake := placeholder(snapshot):
        right += row((f" {fake if width >= 100 else fake.split(' ·')[0]} ", "placeholder"), " ")
    if view.link == "recorded":
        right += row((" RECORDED ", "state idle"), "  ")
    beat = f"♥{view.heartbeat % 10}" if view.link == "connected" and snapshot is not None else "  "
    right += row(("NOT SAFETY-RATED", "unrated"), (f"  {beat}", "good" if view.behind < 1.0 else "bad"), (f"  {clock} ", "dim"))
    return [joined(left, right, width)]


class Header(Panel):
    FRAMED: ClassVar[bool] = False

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return header_rows(view, width)
