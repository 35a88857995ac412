"""Layer 8, vision: what the policy's heads see in the pictures alone, worth no more than their doubt about it allows.

Three things count, the worst of them: how far the partner's free hand surely is from the blade (its mean less two standard
deviations), whether a person is seen at all, and whether the saw is seen to be stuck. Only the hand can stop: a person whom the
pictures do not show may be anywhere, which is caution, and a stuck saw has to be freed by moving it.
"""

from engine.limits import Limits
from engine.safety import unconfigured
from engine.safety.layer import NAN, SCORE_MAX, SCORE_MIN, Layer, age, clip, fresh, scale_of, stopping
from engine.types import Inputs, Mode, Reason

NOT_CONFIGURED, IN_FORCE, DISABLED = 0, 1, 2  #: of ``Inputs.vision_state``

BLIND = (Reason.VISION_MISSING, Reason.VISION_STALE)  #: stop at once; what is seen to be wrong holds first, and stops if it lasts

DEVIATIONS = 2.0  #: by which the hand's distance is taken to be less than its mean
HAND_CLEAR = 0.45  #: m from the blade, from where on the hand does not count; 0.65 m and more in nominal sawing
#: m, score 0.5: what a hand of 0.7 m/s covers in 0.29 s. A hand of ``Limits.hand_speed``, or in pictures of up to
#: ``Limits.inference_age_max``, may be at the blade before this layer knows: for those separation answers, by a sensor of its own
HAND_STOP = 0.20
CAUTION_SCORE = 0.60  #: what an unseen person or a stuck saw leaves
HUMAN_SURE, HUMAN_DOUBTFUL = 0.90, 0.50  #: probability from which a person counts as seen, and up to which as not
STUCK_LIKELY, STUCK_SURE = 0.50, 0.90


def lower(mean: float, deviation: float) -> float:
    """m that the hand is surely away from the blade; NaN where either is no number or the deviation is negative."""
    return mean - DEVIATIONS * deviation if deviation >= 0.0 else NAN


def hand_score(surely: float) -> float:
    """1 from ``HAND_CLEAR`` on, 0.5 at ``HAND_STOP`` and 0.1 at the blade; straight lines between."""
    if surely >= HAND_STOP:
        return clip(0.5 + 0.5 * (surely - HAND_STOP) / (HAND_CLEAR - HAND_STOP), 0.5, SCORE_MAX)
    return clip(SCORE_MIN + 0.4 * surely / HAND_STOP, SCORE_MIN, 0.5)


def human_score(probability: float) -> float:
    """1 for a person who is surely seen, ``CAUTION_SCORE`` for one who is not."""
    return _caution((probability - HUMAN_DOUBTFUL) / (HUMAN_SURE - HUMAN_DOUBTFUL))


def stuck_score(probability: float) -> float:
    """1 while the saw is likely free, ``CAUTION_SCORE`` when it is surely stuck."""
    return _caution((STUCK_SURE - probability) / (STUCK_SURE - STUCK_LIKELY))


def score(surely: float, human: float, stuck: float) -> float:
    """[0.1, 1] of the hand's sure distance in m and the probabilities of a person and of a stuck saw; 0.1 where one is no number."""
    if not (-1e6 < surely < 1e6 and 0.0 <= human <= 1.0 and 0.0 <= stuck <= 1.0):
        return SCORE_MIN
    return min(hand_score(surely), human_score(human), stuck_score(stuck))


def raw(inputs: Inputs, limits: Limits) -> float:
    """The layer's score without smoothing over time."""
    judged = inputs.vision_state not in (NOT_CONFIGURED, DISABLED) and inputs.mode == Mode.CUT and _seen(inputs, limits)
    return inputs.vision_raw if judged else layer(inputs, limits).score


def layer(inputs: Inputs, limits: Limits) -> Layer:
    """The verdict: the raw score or the smoothed one, whichever is less. What is missing or old stops while vision is in force.

    Not configured, or disabled because its calibration was found wanting, it caps the speed instead. Margins in m of the hand, else
    in probability.
    """
    if inputs.vision_state == NOT_CONFIGURED:
        return unconfigured.reduced_speed(limits)
    if inputs.vision_state == DISABLED:
        return unconfigured.reduced_speed(limits, Reason.VISION_DISABLED)
    if inputs.mode != Mode.CUT:
        return Layer()
    old = age(inputs.t_ns, inputs.vision_t_ns)
    if not _seen(inputs, limits):
        late = inputs.vision_t_ns > 0 and not fresh(old, limits.inference_age_max)
        return stopping(Reason.VISION_STALE, limits.inference_age_max - old, old) if late else stopping(Reason.VISION_MISSING, NAN, old)
    least = min(inputs.vision_raw, inputs.vision_smooth)
    reason, margin = _worst(inputs) if least < SCORE_MAX - 1e-3 else (Reason.OK, inputs.vision_hand - HAND_STOP)
    return Layer(score=least, scale=scale_of(least), reason=reason, margin=margin, age=old)


def _seen(inputs: Inputs, limits: Limits) -> bool:
    """Whether every figure is there, believable, and of a picture that is new enough."""
    return (
        fresh(age(inputs.t_ns, inputs.vision_t_ns), limits.inference_age_max)
        and SCORE_MIN <= inputs.vision_raw <= SCORE_MAX
        and SCORE_MIN <= inputs.vision_smooth <= SCORE_MAX
        and -1e6 < inputs.vision_hand < 1e6
        and 0.0 <= inputs.vision_human <= 1.0
        and 0.0 <= inputs.vision_stuck <= 1.0
    )


def _worst(inputs: Inputs) -> tuple[Reason, float]:
    """What of the three leaves the least, and its margin."""
    found = (
        (hand_score(inputs.vision_hand), Reason.VISION_HAND, inputs.vision_hand - HAND_STOP),
        (human_score(inputs.vision_human), Reason.VISION_PERSON, inputs.vision_human - HUMAN_SURE),
        (stuck_score(inputs.vision_stuck), Reason.VISION_STUCK, STUCK_LIKELY - inputs.vision_stuck),
    )
    worst = found[0]
    for one in found[1:]:
        if one[0] < worst[0]:
            worst = one
    return worst[1], worst[2]


def _caution(share: float) -> float:
    """``CAUTION_SCORE`` at a share of 0, 1 at 1."""
    return CAUTION_SCORE + (SCORE_MAX - CAUTION_SCORE) * clip(share, 0.0, 1.0)
