"""Layer 6, uncertainty: how unusual the ensemble's signals are, against the nominal runs the policy came with.

Every signal arrives as a ratio to the value that 95 % of nominal inferences stay below. Signals that measure one thing are
averaged within their family, the largest family counts: of a dozen signals one is above its own 95 % most of the time,
a whole family is not.
"""

import math

from engine.safety.layer import NAN, SCORE_MAX, SCORE_MIN, Layer, age, clip, scale_of, stopping
from engine.types import Inputs, Mode, ModelState, Reason

#: indices into ``SIGNALS``. Left out: what describes the motion rather than the doubt about it (magnitude, jerk, reversal,
#: execution mismatch, joint-limit margin), which the limits layer judges from measurements, the noise that the task itself
#: has (aleatoric, entropy), and the epistemic trend
DISAGREEMENT = (0, 2, 3, 9, 11)  # epistemic, flow disagreement, member variance, divergence, epistemic peak
NOVELTY = (13,)  # distance from training
#: mean and largest sensitivity to changes of the pictures. A family of their own: members that share what reads the pictures cannot
#: disagree on what it misreads, only other pictures can show that
SENSITIVITY = (14, 15)
CHANGE = (4, 12)  # overlap, latent drift
FAMILIES = (DISAGREEMENT, NOVELTY, SENSITIVITY)
UNDECIDED = (DISAGREEMENT, SENSITIVITY)  #: families that are large before the first motion, whatever the pictures
SETTLE = 1.0  #: s of going until CHANGE is judged: a robot that was held contradicts every chunk that expected it to move

EPISTEMIC = 0
#: once there they stay: computable from any one inference, or run with every few; the others need a predecessor. A policy that runs
#: no perturbed passes never has the sensitivities, so that they are not declared
DECLARABLE = (*DISAGREEMENT, *NOVELTY, *SENSITIVITY)

#: one member cannot disagree with itself, and without nominal values no disagreement is large or small: caution, and its speed scale
FEW_MEMBERS_SCORE = 0.60
STOP_RATIO = 2.0
RESTING_SPEED = 0.05  #: m/s of the tool
RESTING_RATIO = 1.9  #: most that the undecided families count for at rest: slow, 0.125 m/s of the default limits
SMOOTHING = 0.5  #: s, time constant
PATIENCE = 1.0  #: s that the score may stay below the stop before standing still becomes a protective stop


def usable(inputs: Inputs, index: int) -> bool:
    """Whether a signal is valid and has a nominal value to be compared with."""
    return inputs.signal_valid[index] and inputs.signal_ratio[index] >= 0.0


def declared(inputs: Inputs) -> tuple[int, ...]:
    """The signals a run requires from the moment the operator goes: those of one inference that are usable then."""
    return tuple(index for index in DECLARABLE if usable(inputs, index))


def present(inputs: Inputs, required: tuple[int, ...]) -> bool:
    """Whether every required signal is usable; the epistemic one always is required where members can disagree.

    Without nominal values it need only be valid: nothing can be compared with them, which caps the speed.
    """
    if inputs.members < 1 or len(inputs.signal_ratio) != 18 or len(inputs.signal_valid) != 18:
        return False
    if inputs.members > 1 and not (usable(inputs, EPISTEMIC) if inputs.nominal_known else inputs.signal_valid[EPISTEMIC]):
        return False
    return all(usable(inputs, index) for index in required)


def ratio(inputs: Inputs, moving: bool) -> float:
    """The largest family's mean ratio to nominal; NaN where no signal is usable.

    A robot at rest has no direction yet, so members may well disagree on which way to begin, and a little noise may turn it: until it
    moves, that slows and does not stop.
    """
    x, y, z = inputs.twist[0], inputs.twist[1], inputs.twist[2]
    resting = math.sqrt(x * x + y * y + z * z) < RESTING_SPEED
    largest = NAN
    for family in (*FAMILIES, CHANGE) if moving else FAMILIES:
        total, count = 0.0, 0
        for index in family:
            if usable(inputs, index):
                total += inputs.signal_ratio[index]
                count += 1
        if not count:
            continue
        mean = total / count
        if family in UNDECIDED and resting and mean > RESTING_RATIO:
            mean = RESTING_RATIO
        if not largest >= mean:
            largest = mean
    return largest


def score(unusual: float) -> float:
    """1 up to the nominal 95 %, 0.5 at twice and 0.1 from three times that; straight lines between."""
    if not unusual >= 0.0:
        return SCORE_MIN
    if unusual <= STOP_RATIO:
        return clip(1.5 - 0.5 * unusual, 0.5, SCORE_MAX)
    return clip(1.3 - 0.4 * unusual, SCORE_MIN, 0.5)


def judged(inputs: Inputs) -> bool:
    """Whether there is an inference whose doubt can be judged."""
    return inputs.model_state == ModelState.READY and inputs.inference_id > 0 and present(inputs, ())


def by_design(inputs: Inputs) -> Reason:
    """Why a policy's doubt cannot be measured, however it goes; OK where it can."""
    if inputs.members == 1:
        return Reason.FEW_MEMBERS
    return Reason.OK if inputs.nominal_known else Reason.NO_NOMINAL


def raw(inputs: Inputs, moving: bool) -> float:
    """The score of this tick alone; 1 outside ``Mode.CUT``, where the policy moves nothing."""
    if inputs.mode != Mode.CUT:
        return SCORE_MAX
    if not judged(inputs):
        return SCORE_MIN
    if by_design(inputs) != Reason.OK:
        unusual = ratio(inputs, moving)
        return min(FEW_MEMBERS_SCORE, score(unusual)) if unusual >= 0.0 else FEW_MEMBERS_SCORE
    return score(ratio(inputs, moving))


def smoothed(before: float, now: float, dt: float) -> float:
    """First-order low pass, rational in dt so that every machine computes the same bits. ``before`` NaN starts at ``now``."""
    if not (before >= SCORE_MIN and dt >= 0.0):
        return now
    return before + (now - before) * (dt / (SMOOTHING + dt))


def layer(inputs: Inputs, now: float, smooth: float, moving: bool) -> Layer:
    """The verdict from the tick's raw score and the smoothed one: the smaller, so smoothing only lowers."""
    if inputs.mode != Mode.CUT:
        return Layer()
    old = age(inputs.t_ns, inputs.inference_exposed_ns)
    if not judged(inputs):
        return stopping(Reason.SIGNAL_MISSING, NAN, old)
    lower = clip(smooth if not smooth >= now else now, SCORE_MIN, SCORE_MAX)
    unusual = ratio(inputs, moving)
    margin = STOP_RATIO - unusual if unusual >= 0.0 else NAN
    reason = Reason.OK
    if not lower >= SCORE_MAX - 1e-3:
        capped = by_design(inputs)
        worse = unusual >= 0.0 and score(unusual) < FEW_MEMBERS_SCORE
        reason = Reason.UNCERTAIN if worse or capped == Reason.OK else capped
    return Layer(score=lower, scale=scale_of(lower), reason=reason, margin=margin, age=old)
