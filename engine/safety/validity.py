"""Layer 2, validity: is each input there, finite, fresh and in order? What is not stops the robot."""

from dataclasses import dataclass

from engine.limits import Limits
from engine.safety import uncertainty
from engine.safety.layer import NAN, Layer, age, finite, fresh, stopping, unit
from engine.types import PARTS, Inputs, Mode, ModelState, Reason

_MODEL = {ModelState.NONE: Reason.MODEL_NONE, ModelState.LOADING: Reason.MODEL_LOADING}
_CAMERA_FAULTS = (Reason.CAMERA_FROZEN, Reason.CAMERA_DARK, Reason.CAMERA_WRONG, Reason.CAMERA_SYNTHETIC)
UNSEEN = (0,) * len(PARTS)
GRIPPER_OVER = 0.2  #: share of a gripper's travel by which a reading may lie beyond it


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest of everything that counts upward, as of the tick before, and whether there is a gripper; zeros before the first."""

    tick: int = -1
    t_ns: int = 0
    obs_seq: int = 0
    obs_t_ns: int = 0
    frame_seq: int = 0
    frame_t_ns: int = 0
    inference_id: int = 0
    person_seq: int = 0
    person_t_ns: int = 0
    person_exposed_ns: tuple[int, ...] = UNSEEN
    gripper: bool = False  #: a gripper was read at least once


def seen(inputs: Inputs, before: Seen = Seen()) -> Seen:
    """What the next tick is compared with."""
    return Seen(
        tick=inputs.tick,
        t_ns=inputs.t_ns,
        obs_seq=inputs.obs_seq,
        obs_t_ns=inputs.obs_t_ns,
        frame_seq=inputs.frame_seq,
        frame_t_ns=inputs.frame_t_ns,
        inference_id=inputs.inference_id,
        person_seq=inputs.person_seq,
        person_t_ns=inputs.person_t_ns,
        person_exposed_ns=inputs.person_exposed_ns if len(inputs.person_exposed_ns) == len(PARTS) else UNSEEN,
        gripper=before.gripper or inputs.gripper == inputs.gripper,
    )


def observation(inputs: Inputs, before: Seen, limits: Limits) -> Layer:
    """The clock and the robot's own reading; binds always. Margins in s."""
    if before.t_ns > 0:
        step = (inputs.t_ns - before.t_ns) / 1e9
        if not (0.0 < step <= limits.clock_step_max and inputs.tick == before.tick + 1):
            return stopping(Reason.CLOCK_STEPPED, limits.clock_step_max - step)
    elif not inputs.t_ns > 0:
        return stopping(Reason.CLOCK_STEPPED)
    if not (inputs.obs_seq > 0 and inputs.obs_t_ns > 0):
        return stopping(Reason.OBSERVATION_NONE)
    old = age(inputs.t_ns, inputs.obs_t_ns)
    margin = limits.observation_age_max - old
    if inputs.obs_seq < before.obs_seq or inputs.obs_t_ns < before.obs_t_ns or not old >= -limits.observation_age_max:
        return stopping(Reason.OBSERVATION_REORDERED, margin, old)
    if not fresh(old, limits.observation_age_max):
        return stopping(Reason.OBSERVATION_STALE, margin, old)
    if not _measured(inputs, before):
        return stopping(Reason.OBSERVATION_NOT_FINITE, margin, old)
    return Layer(margin=margin, age=old)


def _measured(inputs: Inputs, before: Seen) -> bool:
    """Whether every figure of the reading has its shape, is finite, and the pose holds a unit quaternion; a gripper stays one."""
    joints = (inputs.q, inputs.dq, inputs.tau)
    sixes = (inputs.twist, inputs.wrench)
    if any(len(values) != len(inputs.q) for values in joints) or any(len(values) != 6 for values in sixes):
        return False
    if not all(finite(values) for values in (*joints, inputs.pose, *sixes)) or not finite((inputs.manipulability,)):
        return False
    gripper = inputs.gripper
    absent = gripper != gripper and not before.gripper
    return unit(inputs.pose) and (absent or -GRIPPER_OVER <= gripper <= 1.0 + GRIPPER_OVER)


def perception(inputs: Inputs, before: Seen, required: tuple[int, ...], limits: Limits) -> Layer:
    """Pictures and policy; binds in ``Mode.CUT`` only, because jogging follows the operator's eyes. Margins in s.

    ``required`` are the indices of the signals that were declared when the operator went; one that has gone missing stops.
    """
    if inputs.mode != Mode.CUT:
        return Layer()
    picture = _camera(inputs, before, limits)
    if picture.reason != Reason.OK:
        return picture
    chunk = _chunk(inputs, before, required, limits)
    if chunk.reason != Reason.OK:
        return chunk
    return picture if picture.margin < chunk.margin else chunk


def _camera(inputs: Inputs, before: Seen, limits: Limits) -> Layer:
    if not (inputs.frame_seq > 0 and inputs.frame_t_ns > 0):
        return stopping(Reason.CAMERA_NONE)
    old = age(inputs.t_ns, inputs.frame_t_ns)
    margin = limits.frame_age_max - old
    if inputs.frame_fault != Reason.OK:
        known = inputs.frame_fault in _CAMERA_FAULTS
        return stopping(Reason(inputs.frame_fault) if known else Reason.CAMERA_NONE, margin, old)
    backward = inputs.frame_seq < before.frame_seq or inputs.frame_t_ns < before.frame_t_ns
    if backward or not fresh(old, limits.frame_age_max):
        return stopping(Reason.CAMERA_STALE, margin, old)
    return Layer(margin=margin, age=old)


def _chunk(inputs: Inputs, before: Seen, required: tuple[int, ...], limits: Limits) -> Layer:
    if inputs.model_state != ModelState.READY:
        known = inputs.model_state in (ModelState.NONE, ModelState.LOADING)
        return stopping(_MODEL[ModelState(inputs.model_state)] if known else Reason.MODEL_FAILED)
    if not (inputs.inference_id > 0 and inputs.inference_exposed_ns > 0):
        return stopping(Reason.CHUNK_STALE)
    old = age(inputs.t_ns, inputs.inference_exposed_ns)
    margin = limits.inference_age_max - old
    if inputs.inference_id < before.inference_id or not fresh(old, limits.inference_age_max):
        return stopping(Reason.CHUNK_STALE, margin, old)
    if inputs.inference_fault != Reason.OK:
        return stopping(Reason.CHUNK_WRONG, margin, old)
    if not inputs.inference_finite or not (0.0 <= inputs.action_magnitude < 1e6):
        return stopping(Reason.CHUNK_NOT_FINITE, margin, old)
    if not uncertainty.present(inputs, required) or (inputs.members > 1 and not 0.0 <= inputs.ensemble_spread < 1e6):
        return stopping(Reason.SIGNAL_MISSING, NAN, old)
    return Layer(margin=margin, age=old)
