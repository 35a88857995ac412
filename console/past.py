"""What a recording gives the widgets besides its snapshots: the past of a tick, and the picture seen at it."""

import math
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from console.view import LAYER_SAMPLES, LAYER_SECONDS, SCORE_SAMPLES, SCORE_SECONDS, SIGNAL_SAMPLES, History, greatest
from engine.messages import Picture
from engine.picture import resized
from engine.session.reader import Session
from engine.types import Energy

STROKE_SECONDS = 12.0  #: of the past in which the last full stroke is looked for
STROKE_STEP = 10  #: ticks between two readings of it, as live telemetry comes


def inference_times(session: Session) -> list[int]:
    """When the engine received each inference, ns, ascending. Raises SessionError."""
    return session.rows("inference/end_ns").tolist() if session.inferences else []


def fill_past(history: History, session: Session, tick: int, inferences: Sequence[int]) -> None:
    """Make ``history`` what it would be had the session been watched up to row ``tick``; ``inferences`` as above. Raises SessionError."""
    history.clear()
    t_ns = int(session.rows("tick/t_ns", tick, tick + 1)[0])
    first = session.tick_at(int(t_ns - SCORE_SECONDS * 1e9))
    scores = session.rows("tick/score", first, tick + 1)
    edges = np.linspace(0, len(scores), min(SCORE_SAMPLES, len(scores)), endpoint=False).astype(int)
    history.scores.extend(np.minimum.reduceat(scores, edges).tolist())
    recent = session.rows("tick/layer_score", session.tick_at(int(t_ns - LAYER_SECONDS * 1e9)), tick + 1)
    history.layers.extend(map(tuple, recent[:: -(-len(recent) // LAYER_SAMPLES)].tolist()))
    _fill_strokes(history, session, tick)
    upto = bisect_right(inferences, t_ns)
    begin = max(0, upto - SIGNAL_SAMPLES)
    newest = -1
    if upto > begin:
        newest = int(session.rows("inference/id", upto - 1, upto)[0])
        valid = session.rows("inference/valid", begin, upto)
        signals = np.where(valid, session.rows("inference/signals", begin, upto), math.nan)
        history.signals.extend(map(tuple, signals.tolist()))
        history.quantiles.extend(map(tuple, session.rows("inference/quantile", begin, upto).tolist()))
        recorded = "inference/forecast_alarm" in session.commit.arrays
        alarms = session.rows("inference/forecast_alarm", begin, upto).tolist() if recorded else [()] * (upto - begin)
        history.alarms.extend(map(greatest, alarms))
    history.resume(t_ns, newest)


def _fill_strokes(history: History, session: Session, tick: int) -> None:
    t_ns = int(session.rows("tick/t_ns", tick, tick + 1)[0])
    first = session.tick_at(int(t_ns - STROKE_SECONDS * 1e9))
    accounts = session.structs(Energy, first, tick + 1)
    columns = (session.rows(f"tick/{name}", first, tick + 1).tolist() for name in ("t_ns", "stroke_count", "partner_force"))
    for reading in list(zip(*columns, accounts, strict=True))[::STROKE_STEP]:
        history.strokes.observe(*reading)


def recorded_picture(session: Session, camera: str, t_ns: int, side: int) -> tuple[Picture | None, float]:
    """The picture that the engine had at ``t_ns``, ``side`` pixels square, and its age in s. Raises SessionError."""
    found = session.frame_at(camera, t_ns) if side else None
    if found is None:
        return None, math.nan
    age = (t_ns - found.exposed_ns) / 1e9
    return Picture(camera=camera, width=side, height=side, age=age, rgb=resized(found.image, side, side).tobytes()), age
