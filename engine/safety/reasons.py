"""One English sentence for each reason, with its number and unit, and what the operator should do about it."""

import math
from collections.abc import Callable

from engine.safety.uncertainty import STOP_RATIO
from engine.safety.vision import HAND_STOP, HUMAN_SURE, STUCK_LIKELY
from engine.types import FAILURES, FORECAST_STEP_S, HORIZONS, LAYERS, PARTS, Reason

_CONTACT, _FORECAST = LAYERS.index("contact"), LAYERS.index("forecast")


def _old(what: str) -> Callable[[float, float], str]:
    """An input that is too old: its age, and the limit as age + margin."""

    def text(margin: float, age: float) -> str:
        if math.isfinite(age) and math.isfinite(margin):
            return f"{what} {_time(age)} old, limit {_time(age + margin)}"
        return f"{what} older than its limit"

    return text


def _beyond(inside: str, outside: str, scale: float, digits: int, unit: str) -> Callable[[float, float], str]:
    """A margin to a limit: how much is left, or by how much it is passed."""

    def text(margin: float, _age: float) -> str:
        if not math.isfinite(margin):
            return outside.replace(" by {}", "").replace("{} ", "")
        amount = f"{abs(margin) * scale:.{digits}f} {unit}"
        return (inside if margin >= 0 else outside).format(amount)

    return text


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1.0 else f"{round(seconds * 1e3)} ms"


def _uncertain(margin: float, _age: float) -> str:
    if not math.isfinite(margin):
        return "the ensemble is too uncertain"
    return f"uncertainty {STOP_RATIO - margin:.2f} × nominal, stops at {STOP_RATIO:.2f}"


def _clock(margin: float, _age: float) -> str:
    return f"clock stepped {_time(-margin)} past its limit" if -math.inf < margin < 0 else "clock or tick count out of order"


def _ramping(margin: float, _age: float) -> str:
    return f"ramping up, {_time(margin)} left" if math.isfinite(margin) else "ramping up"


def _console(margin: float, age: float) -> str:
    if not math.isfinite(age) or not math.isfinite(margin):
        return "no console attached"
    return f"operator's line silent {_time(age)}, stops at {_time(age + margin)}"


def _stale(margin: float, age: float) -> str:
    if math.isfinite(age) and math.isfinite(margin):
        return f"person last seen {_time(age)} ago, limit {_time(age + margin)}"
    return "person seen too long ago"


def _separation(margin: float, part: int, separation: float) -> str:
    if not math.isfinite(margin):
        return "the person's distance is not known"
    if not (0 <= part < len(PARTS) and math.isfinite(separation)):
        return f"person {abs(margin):.2f} m {'further' if margin >= 0 else 'nearer'} than the speed asked for needs"
    return f"{PARTS[part]} {max(separation, 0.0):.2f} m, needs {separation - margin:.2f} m"


def _hand_seen(margin: float, _age: float) -> str:
    if not math.isfinite(margin):
        return "the free hand is seen near the blade"
    return f"free hand seen {HAND_STOP + margin:.2f} m from the blade, stops at {HAND_STOP:.2f}"


def _human_seen(margin: float, _age: float) -> str:
    if not math.isfinite(margin):
        return "no person is surely in the pictures"
    return f"a person in the pictures: {HUMAN_SURE + margin:.2f}, sure from {HUMAN_SURE:.2f}"


def _stuck_seen(margin: float, _age: float) -> str:
    if not math.isfinite(margin):
        return "the saw looks stuck"
    return f"the saw looks stuck: {STUCK_LIKELY - margin:.2f}, likely from {STUCK_LIKELY:.2f}"


def _servo(what: str) -> Callable[[float, float], str]:
    """What a servo says of itself; the margin is its number."""

    def text(number: float, _age: float) -> str:
        return f"servo {number:.0f} {what}" if 1.0 <= number < math.inf else f"a servo {what}"

    return text


def _obstructed(joint: float, _age: float) -> str:
    return f"{f'joint {joint:.0f}' if 1.0 <= joint < math.inf else 'the arm'} is held up: it ran into something"


def _foreseen(reason: Reason, failure: int) -> str:
    what = f"a {FAILURES[failure]}" if 0 <= failure < len(FAILURES) else "a failure"
    if reason == Reason.ASKING:
        return f"{what} is likely: shall it go on?"
    return f"{what} is likely within {HORIZONS[-1] * FORECAST_STEP_S:.1f} s"


_MEASURED: dict[Reason, Callable[[float, float], str]] = {
    Reason.CONSOLE_LOST: _console,
    Reason.OBSERVATION_STALE: _old("robot's reading"),
    Reason.CLOCK_STEPPED: _clock,
    Reason.CAMERA_STALE: _old("camera picture"),
    Reason.CHUNK_STALE: _old("policy's chunk"),
    Reason.JOINT_POSITION: _beyond("a joint is {} from its limit", "a joint is {} past its limit", 1.0, 2, "rad"),
    Reason.JOINT_VELOCITY: _beyond("joint speed within {} of its limit", "joint speed past its limit by {}", 100.0, 0, "%"),
    Reason.JOINT_TORQUE: _beyond("joint torque within {} of its limit", "joint torque past its limit by {}", 100.0, 0, "%"),
    Reason.WORKSPACE: _beyond("tool {} from the workspace's edge", "tool {} outside the workspace", 1e3, 0, "mm"),
    Reason.SINGULARITY: _beyond("manipulability {} above its limit", "manipulability {} below its limit", 1.0, 3, "m³"),
    Reason.TOOL_SPEED: _beyond("tool speed within {} of its limit", "tool speed past its limit by {}", 1.0, 2, "m/s"),
    Reason.TILT: _beyond("saw {} from its greatest tilt", "saw tilted {} too far", 180.0 / math.pi, 1, "°"),
    Reason.UNCERTAIN: _uncertain,
    Reason.RAMPING: _ramping,
    Reason.VISION_HAND: _hand_seen,
    Reason.VISION_PERSON: _human_seen,
    Reason.VISION_STUCK: _stuck_seen,
    Reason.VISION_STALE: _old("what the pictures showed is"),
    Reason.FORECAST_STALE: _old("the forecast is"),
    Reason.PERSON_STALE: _stale,
    Reason.GRIP_FORCE: _beyond("grip within {} of the hand's limit", "grip past the hand's limit by {}", 1.0, 0, "N"),
    Reason.CONTACT_SPEED: _beyond("handle within {} of the arm's limit", "handle faster than the arm may bear by {}", 1.0, 2, "m/s"),
    Reason.SERVO_FAULT: _servo("reports a fault"),
    Reason.SERVO_OVERLOAD: _servo("is overloaded"),
    Reason.SERVO_HOT: _servo("is too hot"),
    Reason.SERVO_VOLTAGE: _servo("has a wrong supply voltage"),
    Reason.SERVO_CURRENT: _servo("draws too much current"),
    Reason.SERVO_ANGLE: _servo("cannot read its angle"),
    Reason.OBSTRUCTED: _obstructed,
    Reason.CRUSH: _beyond("{} more than a hand needs at the cradle", "{} too little for a hand at the cradle", 1e3, 0, "mm"),
}

_PLAIN: dict[Reason, str] = {
    Reason.OK: "nothing to report",
    Reason.NOT_CONFIGURED: "not configured",
    Reason.STOP_KEY: "stop key",
    Reason.STOP_POWER_OFF: "stop key, power off",
    Reason.STOP_SIGNAL: "the system asked the program to end",
    Reason.STOP_SHELL: "`sawhorse stop` from a shell",
    Reason.STOP_OBSERVER: "an observing console asked for a stop",
    Reason.WATCHDOG_CONTROL: "the control thread stalled",
    Reason.WATCHDOG_CAMERA: "the camera thread stalled",
    Reason.WATCHDOG_INFERENCE: "the inference thread stalled",
    Reason.WATCHDOG_RECORDER: "the recorder thread stalled",
    Reason.ENGINE_FAULT: "the engine met a fault of its own",
    Reason.RECORDER_FULL: "the recorder's queue is full",
    Reason.RECORDER_FAILED: "the recorder cannot write",
    Reason.PLANT_TIMEOUT: "the robot did not answer",
    Reason.LATCHED: "another stop holds; it clears by its own number",
    Reason.NOT_AT_REST: "the robot is not at rest",
    Reason.OBSERVATION_NONE: "no reading from the robot yet",
    Reason.OBSERVATION_NOT_FINITE: "the robot's reading is not a number",
    Reason.OBSERVATION_REORDERED: "the robot's readings came out of order",
    Reason.CAMERA_NONE: "no picture from the cameras yet",
    Reason.CAMERA_FROZEN: "the camera's picture is frozen",
    Reason.CAMERA_DARK: "the camera's picture is dark",
    Reason.MODEL_NONE: "no policy",
    Reason.MODEL_LOADING: "the policy is loading",
    Reason.MODEL_FAILED: "the policy failed",
    Reason.CHUNK_NOT_FINITE: "the policy's action is not a number",
    Reason.SIGNAL_MISSING: "a signal that this run requires is missing",
    Reason.NO_NOMINAL: "the policy brings no nominal signals to measure doubt by",
    Reason.FEW_MEMBERS: "one ensemble member: disagreement cannot be measured",
    Reason.NOT_ARMED: "not armed",
    Reason.NOT_GOING: "armed, waiting for go",
    Reason.PAUSED: "paused",
    Reason.WATCHDOG_SERVER: "the server thread stalled",
    Reason.WATCHDOG_SELF: "the watchdog's own thread stalled",
    Reason.CAMERA_WRONG: "the camera's picture has the wrong shape",
    Reason.CHUNK_WRONG: "the policy's action has the wrong shape or type",
    Reason.PERSON_NONE: "the sensor has not seen the person yet",
    Reason.PERSON_NOT_FINITE: "the sensor's reading of the person is not a number",
    Reason.PERSON_REORDERED: "the sensor's readings came out of order",
    Reason.NOT_SENSED: "person not sensed",
    Reason.GRIP_NOT_FINITE: "the handle's force is not a number",
    Reason.PERSON_JUMPED: "the sensor shows a part of the person that jumped",
    Reason.VISION_MISSING: "the policy does not say what it sees",
    Reason.VISION_DISABLED: "disabled: calibration",
    Reason.FORECAST_MISSING: "the forecast is missing",
    Reason.FORECAST_UNPROVEN: "unproven for this task",
    Reason.CAMERA_SYNTHETIC: "the picture is a test picture",
    Reason.LET_GO: "armed, goes only while G is held",
}

_ADVICE: dict[Reason, str] = {
    Reason.OK: "Nothing to do.",
    Reason.NOT_CONFIGURED: "Nothing to do: the cap for this case holds.",
    Reason.STOP_KEY: "Arm again when the work is clear.",
    Reason.STOP_POWER_OFF: "Press C to clear the stop by its number, then arm.",
    Reason.STOP_SIGNAL: "Find out who ended the program, then arm again.",
    Reason.STOP_SHELL: "Ask who stopped it, then arm again.",
    Reason.STOP_OBSERVER: "Ask the observer why, then arm again.",
    Reason.WATCHDOG_CONTROL: "Close what else loads this machine, then arm again.",
    Reason.WATCHDOG_CAMERA: "Check the cameras; it ends when pictures arrive.",
    Reason.WATCHDOG_INFERENCE: "Wait for the policy, or restart the engine.",
    Reason.WATCHDOG_RECORDER: "Check the store's disk; it ends when rows are written.",
    Reason.CONSOLE_LOST: "Attach a console or touch a key, then arm again.",
    Reason.ENGINE_FAULT: "Read the log; restart the engine if it persists.",
    Reason.RECORDER_FULL: "Restart the engine; this recording is no longer whole.",
    Reason.RECORDER_FAILED: "Free the disk or choose another store, then restart.",
    Reason.PLANT_TIMEOUT: "Check its power, its cable and this computer's load.",
    Reason.LATCHED: "Press W for the stop's number and C to clear it.",
    Reason.NOT_AT_REST: "Hold the saw still, clear the stop, then arm.",
    Reason.OBSERVATION_NONE: "Check the robot's power and connection.",
    Reason.OBSERVATION_STALE: "Check its cable and this computer's load.",
    Reason.OBSERVATION_NOT_FINITE: "Restart the robot: its reading cannot be trusted.",
    Reason.OBSERVATION_REORDERED: "Restart the robot's connection, then arm again.",
    Reason.CLOCK_STEPPED: "Arm again; if it returns, see what suspends the machine.",
    Reason.CAMERA_NONE: "Wait for the first picture, or check the cameras.",
    Reason.CAMERA_STALE: "Check the cameras' cables and the load, then arm again.",
    Reason.CAMERA_FROZEN: "Restart the camera; jogging works without it.",
    Reason.CAMERA_DARK: "Uncover the lens or turn on the light.",
    Reason.MODEL_NONE: "Start with a policy; jogging works without one.",
    Reason.MODEL_LOADING: "Wait until it has loaded; jogging works meanwhile.",
    Reason.MODEL_FAILED: "Read the note on the policy; jogging works without it.",
    Reason.CHUNK_STALE: "Wait for a fresh inference, then arm again.",
    Reason.CHUNK_NOT_FINITE: "Do not use this policy; check its weights.",
    Reason.SIGNAL_MISSING: "See which signal is invalid; arm when it is back.",
    Reason.JOINT_POSITION: "Jog back, away from the joint's limit.",
    Reason.JOINT_VELOCITY: "Let it slow down, then arm again.",
    Reason.JOINT_TORQUE: "Take the load off the tool, then arm again.",
    Reason.WORKSPACE: "Jog back into the workspace.",
    Reason.SINGULARITY: "Jog to a pose with bent joints.",
    Reason.TOOL_SPEED: "Do not pull the tool so fast; arm again.",
    Reason.TILT: "Jog the joint back, or level the saw (JOINT mode, [ ]).",
    Reason.UNCERTAIN: "See that the work looks as trained; wait or pause.",
    Reason.NO_NOMINAL: "Load a policy that was trained here to go faster.",
    Reason.FEW_MEMBERS: "Load a policy with more members to go faster.",
    Reason.NOT_ARMED: "Press A and hold Enter to arm.",
    Reason.NOT_GOING: "Press G to go.",
    Reason.PAUSED: "Press G to go on.",
    Reason.RAMPING: "Wait: speed and stiffness rise by themselves.",
    Reason.WATCHDOG_SERVER: "Attach again; restart the engine if it persists.",
    Reason.WATCHDOG_SELF: "Close what else loads this machine, then arm again.",
    Reason.CAMERA_WRONG: "Set the camera's size and format right.",
    Reason.CHUNK_WRONG: "Do not use this policy; check its configuration.",
    Reason.SEPARATION: "Step back from the saw, then arm again if it stopped.",
    Reason.PERSON_NONE: "See that the sensor has the whole person in view.",
    Reason.PERSON_STALE: "Clear the sensor's view of the person, then arm again.",
    Reason.PERSON_NOT_FINITE: "Restart the sensor: its reading cannot be trusted.",
    Reason.PERSON_REORDERED: "Restart the sensor's connection, then arm again.",
    Reason.NOT_SENSED: "Nothing to do: the reduced speed holds.",
    Reason.GRIP_FORCE: "Ease the pull on the handle, then arm again.",
    Reason.CONTACT_SPEED: "Let the saw slow down, then arm again.",
    Reason.CRUSH: "Jog the saw towards the person, off the cradle.",
    Reason.GRIP_NOT_FINITE: "Check the handle's force sensor, then arm again.",
    Reason.PERSON_JUMPED: "See what the sensor takes for a person, then arm again.",
    Reason.VISION_HAND: "Take the free hand back from the blade.",
    Reason.VISION_PERSON: "See that the cameras have the person in view.",
    Reason.VISION_STUCK: "Lighten the press or free the saw.",
    Reason.VISION_MISSING: "Do not use this policy; check its heads.",
    Reason.VISION_STALE: "Wait for a fresh inference, then arm again.",
    Reason.VISION_DISABLED: "Calibrate anew: `sawhorse train sight`. The cap holds.",
    Reason.FORECAST: "See that the work goes well; pause it if it does not.",
    Reason.FORECAST_MISSING: 'Arm when it is back, or set forecast.path to "none".',
    Reason.FORECAST_STALE: "Wait for a fresh inference, then arm again.",
    Reason.FORECAST_UNPROVEN: "Nothing to do: it is shown, and the cap holds.",
    Reason.ASKING: "Press G to go on; or jog, or disarm.",
    Reason.CAMERA_SYNTHETIC: "Jog, or start with a real camera to let it go.",
    Reason.LET_GO: "Hold G to let it go; it stands when G is let go.",
    Reason.SERVO_FAULT: "Look at the arm, then run `sawhorse doctor`.",
    Reason.SERVO_OVERLOAD: "Take the load off the arm, then arm again.",
    Reason.SERVO_HOT: "Let the arm rest, supported, until it has cooled.",
    Reason.SERVO_VOLTAGE: "Check the arm's power supply and its plug.",
    Reason.SERVO_CURRENT: "Take the load off the arm, then arm again.",
    Reason.SERVO_ANGLE: "Restart the arm; if it stays, replace the servo.",
    Reason.OBSTRUCTED: "Jog away from what it ran into, then arm again.",
}


def sentence(
    reason: int,
    margin: float = math.nan,
    age: float = math.nan,
    layer: int = -1,
    part: int = -1,
    separation: float = math.nan,
    foreseen: int = -1,
) -> str:
    """At most 60 characters: why, with the number and its unit where ``margin`` and ``age`` (of the same layer) give one.

    ``layer``, an index into LAYERS, lets a layer that is not configured name its cap, and the forecast its own; ``part`` and
    ``separation``, as a decision has them, let the separation name the part of the person and its distance, ``foreseen`` the forecast
    the failure.
    """
    known = Reason(reason)
    if known == Reason.NOT_CONFIGURED and layer >= 0 and math.isfinite(margin):
        return f"not configured: at most {margin:.0f} N" if layer == _CONTACT else f"not configured: at most {margin:.2f} m/s"
    if known in (Reason.FORECAST, Reason.ASKING):
        return _foreseen(known, foreseen)
    if known == Reason.OK and layer == _FORECAST:
        return f"likeliest failure at {1.0 - margin:.2f} of its alarm" if math.isfinite(margin) else "the reduced speed stays"
    if known == Reason.FORECAST_UNPROVEN and math.isfinite(margin):
        return f"unproven for this task: at most {margin:.2f} m/s"
    if known == Reason.VISION_DISABLED and math.isfinite(margin):
        return f"disabled: calibration, at most {margin:.2f} m/s"
    if known == Reason.NOT_SENSED and math.isfinite(margin):
        return f"person not sensed: at most {margin:.2f} m/s"
    if known == Reason.SEPARATION:
        return _separation(margin, part, separation)
    if known in _MEASURED:
        return _MEASURED[known](margin, age)
    return _PLAIN[known]


def advice(reason: int) -> str:
    """At most 60 characters: what the operator should do."""
    return _ADVICE[Reason(reason)]


def refusal(reason: int) -> str:
    """Why an arm, go or clear did nothing, and what to do. A go is refused as "not going" only where the mode is not CUT."""
    if reason == Reason.NOT_GOING:
        return "only CUT goes by itself. Tab back to CUT, then G."
    return f"{sentence(reason)}. {advice(reason)}"
