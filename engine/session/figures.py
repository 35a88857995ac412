"""How well two sawed together in a session: rhythm, force, depth, energy, distance and what limited the robot, from its columns."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.session.layout import Rows
from engine.session.ledger import strokes
from engine.session.reader import Session
from engine.types import F64, LAYERS, Energy

Flags = NDArray[np.bool_]


class Sawing(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of ``sawing`` in ``sessions show --json``; None where there was nothing to measure."""

    sawing_s: float  #: going with the blade in the kerf
    strokes: int  #: full ones
    phase_error_mean_rad: float | None  #: circular; robot's stroke less the partner's
    phase_error_rms_rad: float | None
    partner_force_rms_n: float | None  #: on the person's hand, by the handle's sensor, while sawing
    partner_force_peak_n: float | None  #: in the whole session
    depth_mm: float | None  #: of the deepest kerf
    depth_per_stroke_mm: float | None
    robot_j_per_stroke: float | None  #: work of the arm's drives on the saw
    partner_j_per_stroke: float | None  #: work of the person on the saw
    grant_j: float | None  #: let into the energy tank for the task
    paid_j: float | None  #: by the tank into the spring
    refill_j: float | None  #: by damping into the tank
    tank_least_j: float | None
    tank_share_least: float | None  #: of a wanted change that the tank let through
    tank_limited_s: float  #: with a share below 1
    ledger_closure_worst: float | None  #: share of a stroke's energy that the account does not explain
    separation_least_m: float | None
    binding_s: dict[str, float]  #: by layer, in the whole session


def sawing(session: Session) -> Sawing:
    """The figures of a session. Raises SessionError."""
    return from_columns({name: session.rows(f"tick/{name}") for name in COLUMNS})


COLUMNS = (
    *("t_ns", "going", "in_kerf", "phase_error", "grip", "kerf_depth", "stroke_count", "stroke_depth", "robot_work", "partner_work"),
    *("separation", "binding", *(f"energy_{name}" for name in Energy.__struct_fields__)),
)


def from_columns(c: dict[str, Rows]) -> Sawing:
    """The figures of columns ``COLUMNS`` of n ticks each: (n,), ``grip`` (n, 3)."""
    seconds = _durations(c["t_ns"])
    sawing_now: Flags = c["going"] & c["in_kerf"]
    rhythm = c["phase_error"][sawing_now & (c["phase_error"] != 0.0)]
    grip = np.sqrt((c["grip"] ** 2).sum(axis=1))
    ends = stroke_ends(c["stroke_count"])
    account = {name: c[f"energy_{name}"] for name in Energy.__struct_fields__}
    return Sawing(
        sawing_s=round(float(seconds[sawing_now].sum()), 3),
        strokes=len(ends),
        phase_error_mean_rad=_rounded(circular_mean(rhythm)),
        phase_error_rms_rad=_rounded(_rms(rhythm)),
        partner_force_rms_n=_rounded(_rms(grip[sawing_now])),
        partner_force_peak_n=_rounded(_most(grip)),
        depth_mm=_rounded(1e3 * _most(c["kerf_depth"])),
        depth_per_stroke_mm=_rounded(1e3 * _mean(c["stroke_depth"][ends])),
        robot_j_per_stroke=_rounded(_mean(c["robot_work"][ends])),
        partner_j_per_stroke=_rounded(_mean(c["partner_work"][ends])),
        grant_j=_gained(c["energy_grant"]),
        paid_j=_gained(c["energy_paid"]),
        refill_j=_gained(c["energy_refill"]),
        tank_least_j=_rounded(_least(c["energy_tank"])),
        tank_share_least=_rounded(_least(c["energy_share"])),
        tank_limited_s=round(float(seconds[c["energy_share"] < 1.0].sum()), 3),
        ledger_closure_worst=_rounded(_most(np.array([stroke.share for stroke in strokes(c["stroke_count"], account)]))),
        separation_least_m=_rounded(_least(c["separation"])),
        binding_s={LAYERS[index]: round(float(seconds[c["binding"] == index].sum()), 3) for index in np.unique(c["binding"]).tolist()},
    )


def stroke_ends(count: Rows) -> NDArray[np.intp]:
    """Rows at which a full stroke has just ended, of the strokes' count (n,)."""
    return np.flatnonzero(np.diff(count, prepend=count[:1]) > 0)


def circular_mean(angles: F64) -> float:
    """rad, the direction of the mean of the unit vectors; NaN of none."""
    return float(np.arctan2(np.sin(angles).mean(), np.cos(angles).mean())) if len(angles) else float("nan")


def _durations(t_ns: Rows) -> F64:
    """(n,) s that each tick lasted: until the next; the last as long as the one before it."""
    if len(t_ns) < 2:
        return np.zeros(len(t_ns))
    steps = np.diff(t_ns) / 1e9
    return np.append(steps, steps[-1])


def _rms(values: F64) -> float:
    known = values[np.isfinite(values)]
    return float(np.sqrt((known**2).mean())) if len(known) else float("nan")


def _mean(values: F64) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _most(values: F64) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else float("nan")


def _least(values: F64) -> float:
    known = values[np.isfinite(values)]
    return float(known.min()) if len(known) else float("nan")


def _gained(sums: F64) -> float | None:
    """J that a running sum gained."""
    return _rounded(float(sums[-1] - sums[0])) if len(sums) else 0.0


def _rounded(value: float) -> float | None:
    """None for what JSON cannot hold."""
    return round(value, 4) if np.isfinite(value) else None
