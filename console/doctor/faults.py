"""Puts every fault into the simulated robot, and shows what came of each."""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.config import Settings

if TYPE_CHECKING:
    from engine.faults.verdict import Verdict


def faults(settings: Settings, only: str, tell: Callable[[str], None]) -> list["Verdict"]:
    """Try every fault whose name contains ``only`` on the simulated robot. Raises AdapterError, PolicyError, SessionError, OSError."""
    from engine.faults.matrix import FAULTS, matrix
    from engine.faults.workshop import Workshop

    logging.getLogger().addHandler(logging.NullHandler())  # what engines log of their faults belongs to nobody here
    chosen = [fault for fault in FAULTS if only in fault.name]
    with Workshop(settings, tell) as workshop:
        return list(matrix(chosen, workshop))


def names() -> list[str]:
    """Of every fault that can be tried."""
    from engine.faults.matrix import FAULTS

    return [fault.name for fault in FAULTS]


def fault_lines(found: Sequence["Verdict"]) -> list[str]:
    """The matrix as text: one line a fault."""
    width = max(len(one.fault) for one in found)
    shown = [f"{'':4} {'fault':{width}}  category  ticks  limit  speed     rest    lost  reason"]
    for one in found:
        category = "none" if one.stop_category is None else str(one.stop_category)
        ticks = "-" if one.ticks_to_stop is None else str(one.ticks_to_stop)
        limit = "-" if one.limit_ticks is None else str(one.limit_ticks)
        speed = "-" if one.stop_speed is None else f"{one.stop_speed:.2f} m/s"
        rest = "-" if one.rest_s is None else f"{one.rest_s:.2f} s"
        head = f"{'ok' if one.ok else 'FAIL':4} {one.fault:{width}}"
        shown.append(f"{head}  {category:8}  {ticks:>5}  {limit:>5}  {speed:8}  {rest:6}  {one.rows_lost:4}  {one.reason}".rstrip())
        if one.note:
            shown.append(f"{'':4} {'':{width}}  → {one.note}")
    return shown
