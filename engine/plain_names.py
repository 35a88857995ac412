"""Plain names that other programs for such arms use too, ``ARM_PORT`` or ``DRY_RUN``, in the environment or in .env.

Anybody may have set them for something else, so that they count for less than every name of this program's own, they say something only
to the robot so101, and none of them takes caution away: DRY_RUN and USE_HARDWARE turn a dry run and the emulated servos on, and never
off. USE_HARDWARE names the robot only where nothing else does.
"""

from collections.abc import Mapping
from typing import Any

from engine.so101_settings import ROBOT
from engine.sources import Source

NAMES = ("USE_HARDWARE", "ARM_PORT", "MODEL_MODE", "MODEL_PATH", "INFERENCE_RATE_HZ", "DEVICE", "DRY_RUN")
CHECKPOINT = "checkpoint"  #: the MODEL_MODE in which MODEL_PATH says where the policy is
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
#: setting by dotted key: the name that sets it; the policy's is one of two
_OF = {
    "robot": "USE_HARDWARE",
    "so101.emulated": "USE_HARDWARE",
    "so101.dry_run": "DRY_RUN",
    "so101.port": "ARM_PORT",
    "camera.hz": "INFERENCE_RATE_HZ",
    "device": "DEVICE",
}


class PlainNameError(ValueError):
    """A plain name has a value that it does not take. The text is one sentence for the operator."""


def source(environment: Mapping[str, str], dotenv: Mapping[str, str], file: str, robot: str, modes: tuple[str, ...]) -> Source:
    """What the plain names say; ``robot`` is the one that something else names, "" where nothing does; ``modes``: of MODEL_MODE.

    ``dotenv`` holds what ``file`` says, and the environment wins over it. A name without a value is not set. Raises PlainNameError.
    """
    given = {name: text for name in NAMES if (text := (environment.get(name) or dotenv.get(name) or "").strip())}

    def named(name: str) -> str:
        return f"environment variable {name}" if environment.get(name) else f"{name} in {file}"

    def switch(name: str) -> bool | None:
        text = given.get(name, "").lower()
        if text and text not in (*_YES, *_NO):
            raise PlainNameError(f"{named(name)} = {given[name]!r} is not allowed: use true or false.")
        return text in _YES if text else None

    becomes = not robot and given.get("USE_HARDWARE", "").lower() in _YES
    if robot != ROBOT and not becomes:
        return Source({}, named)
    arm = {
        **({"emulated": True} if switch("USE_HARDWARE") is False else {}),
        **({"dry_run": True} if switch("DRY_RUN") else {}),
        **({"port": given["ARM_PORT"]} if "ARM_PORT" in given else {}),
    }
    mode, path = given.get("MODEL_MODE", ""), given.get("MODEL_PATH", "")
    if mode and mode not in (*modes, CHECKPOINT):
        raise PlainNameError(f"{named('MODEL_MODE')} = {mode!r} is not allowed: use {', '.join(modes)} or {CHECKPOINT}, with MODEL_PATH.")
    if mode == CHECKPOINT and not path:
        raise PlainNameError(f"{named('MODEL_MODE')} = {mode!r} needs MODEL_PATH, a checkpoint's folder or its name on the hub.")
    policy, of_policy = (mode, "MODEL_MODE") if mode in modes else (path, "MODEL_PATH")
    values: dict[str, Any] = {
        **({"robot": ROBOT} if becomes else {}),
        **({"so101": arm} if arm else {}),
        **({"policy": policy} if policy else {}),
        **({"camera": {"hz": given["INFERENCE_RATE_HZ"]}} if "INFERENCE_RATE_HZ" in given else {}),
        **({"device": given["DEVICE"]} if "DEVICE" in given else {}),
    }
    names = {**_OF, "policy": of_policy}
    return Source(
        values, lambda key: " and ".join(named(name) for one, name in names.items() if f"{one}.".startswith(f"{key}.") and name in given)
    )
