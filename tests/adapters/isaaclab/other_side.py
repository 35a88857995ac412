"""The other process of a link, in a Python that has loaded ``shared.py`` from its path alone: ``other_side.py SHARED NAME WHAT``.

It says ``ready`` when it has begun and ends when its standard input does.
"""

import importlib.util
import json
import sys
from types import ModuleType
from typing import Any

import numpy as np

SHAPE = (16, 16)
MODULUS = 251
HANDSHAKE: dict[str, Any] = {"task": "reach", "environments": 2, "joints": ["a", "b", "c"], "cameras": {"front": SHAPE}}
WITHIN = 60.0  #: s, for a machine that is busy with other things


def load(path: str) -> ModuleType:
    """The module as a worker loads it, which has no package of that name."""
    spec = importlib.util.spec_from_file_location("sawhorse_shared", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def picture(number: int) -> Any:
    """(H, W, 3) of the frame with that number, one value all over."""
    return np.full((*SHAPE, 3), number % MODULUS, np.uint8)


def ready(**told: object) -> None:
    print(json.dumps(told), flush=True)


def frames(link: Any) -> None:
    """As many as it can until it is stopped, each with its number, which is its value too."""
    link.clear(1)
    ready()
    number = 0
    while not link.stopped:
        number += 1
        link.frames.write(front=picture(number), exposed_ns=number, step=number)


def echo(shared: ModuleType, link: Any) -> None:
    """Answers each command with a state of its step, until none comes."""
    shared.LOOK_S = WITHIN
    state = {key: np.zeros(field.shape, field.dtype) for key, field in shared.layout(link.handshake).rings["state"].fields.items()}
    ready()
    number = 0
    while True:
        message = link.command.after(number, WITHIN)
        number = message.number
        link.state.write(**(state | {"step": message.values["step"]}))


def hold(link: Any) -> None:
    ready(modules=sorted(sys.modules), stopped=link.stopped)
    sys.stdin.read()


def close(link: Any) -> None:
    """Holds until its input ends, then closes."""
    hold(link)
    link.close()


def main(path: str, name: str, what: str) -> None:
    shared = load(path)
    if what == "create":
        hold(shared.create(name, HANDSHAKE))
    elif what == "torn":
        shared.SLOTS = 1
        frames(shared.attach(name, WITHIN))
    elif what == "echo":
        echo(shared, shared.attach(name, WITHIN))
    else:
        {"frames": frames, "hold": hold, "close": close}[what](shared.attach(name, WITHIN))


if __name__ == "__main__":
    main(*sys.argv[1:])
