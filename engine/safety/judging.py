"""Which of the learned judgements limit the robot: all of them, but in a simulated study, which tries each alone.

``Limits.judged_by`` says which. One that does not judge says that all is well; the cap of speed that holds without it stays.
"""

from typing import Literal

from engine.limits import Limits
from engine.safety import score, uncertainty, vision
from engine.safety.layer import NAN, SCORE_MAX, SCORE_MIN, Layer, age, clip, scale_of
from engine.types import Inputs, Mode, Reason

Learned = Literal["uncertainty", "forecast", "vision"]


def judges(learned: Learned, limits: Limits) -> bool:
    """Whether that layer limits the robot."""
    return limits.judged_by in ("all", learned)


def raw(inputs: Inputs, moving: bool, limits: Limits) -> float:
    """Layer 6's score of this tick alone, whoever stands in its place."""
    if judges("uncertainty", limits):
        return uncertainty.raw(inputs, moving)
    if limits.judged_by == "published" and inputs.mode == Mode.CUT:
        return clip(score.published(inputs.action_magnitude, inputs.ensemble_spread), SCORE_MIN, SCORE_MAX)
    return SCORE_MAX


def doubt(inputs: Inputs, now: float, smooth: float, moving: bool, limits: Limits) -> Layer:
    """Layer 6. ``now`` is ``raw``; the published score is not smoothed, as its authors did not, and has no margin."""
    if judges("uncertainty", limits):
        return uncertainty.layer(inputs, now, smooth, moving)
    if limits.judged_by != "published":
        return Layer()
    reason = Reason.OK if now >= SCORE_MAX - 1e-3 else Reason.UNCERTAIN
    return Layer(score=now, scale=scale_of(now), reason=reason, margin=NAN, age=age(inputs.t_ns, inputs.inference_exposed_ns))


def sight(inputs: Inputs, limits: Limits) -> tuple[float, Layer]:
    """Layer 8 and its score without smoothing."""
    if judges("vision", limits):
        return vision.raw(inputs, limits), vision.layer(inputs, limits)
    capped = inputs.vision_state in (vision.NOT_CONFIGURED, vision.DISABLED)
    return SCORE_MAX, vision.layer(inputs, limits) if capped else Layer()
