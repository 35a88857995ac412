"""Puts one layer of the arbiter off by a blindfold on what that layer reads; the arbiter itself is left as it is.

A blindfold changes inputs and state on their way into ``arbiter.step``. Nothing in the engine can do so: a study hands the engine
the wrapped function instead of the real one. The forecast is not configured, so there is nothing to cover.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from engine.loops.control import Decide
from engine.safety import arbiter, vision
from engine.safety.contact import Bearable
from engine.safety.limits import RobotLimits
from engine.safety.readings import State
from engine.safety.sighting import Sighting
from engine.types import PARTS, Decision, Inputs, ModelState, Reason

Cover = Callable[[State, Inputs], tuple[State, Inputs]]

FAR = 10.0  #: m
USUAL = 0.5  #: ratio of a signal to its nominal 95 %
ENDLESS = 1e6


def _latch(state: State, inputs: Inputs) -> tuple[State, Inputs]:
    """Nobody asks for a stop, no thread is late, the recorder and the engine are well."""
    return state, _with(
        inputs,
        stop_page=state.page,
        stop_latch=state.latch,
        watchdog=Reason.OK,
        recorder_fault=Reason.OK,
        engine_fault=False,
        console_required=False,
    )


class _Validity:
    """Every reading, picture and chunk is new and finite: what is not a number is the last one that was."""

    def __init__(self) -> None:
        self._good: dict[str, Any] = {}

    def __call__(self, state: State, inputs: Inputs) -> tuple[State, Inputs]:
        now, tick = inputs.t_ns, inputs.tick
        return state, _with(
            inputs,
            **{name: self._finite(name, getattr(inputs, name)) for name in ("q", "dq", "tau", "pose", "twist", "wrench")},
            manipulability=self._finite("manipulability", (inputs.manipulability,))[0],
            action_magnitude=self._finite("action_magnitude", (inputs.action_magnitude,))[0],
            ensemble_spread=self._finite("ensemble_spread", (inputs.ensemble_spread,))[0],
            **self._signals(inputs),
            obs_seq=tick,
            obs_t_ns=now,
            frame_seq=tick,
            frame_t_ns=now,
            frame_fault=Reason.OK,
            model_state=ModelState.READY,
            inference_id=tick,
            inference_exposed_ns=now,
            inference_finite=True,
            inference_fault=Reason.OK,
        )

    def _finite(self, name: str, values: tuple[float, ...]) -> tuple[float, ...]:
        if all(math.isfinite(value) for value in values):
            self._good[name] = values
        good: tuple[float, ...] = self._good.get(name, (0.0,) * len(values))
        return good

    def _signals(self, inputs: Inputs) -> dict[str, Any]:
        """The last signals that came with an inference."""
        if inputs.members and inputs.inference_finite:
            self._good["signals"] = {name: getattr(inputs, name) for name in ("signal_ratio", "signal_valid", "members")}
        return dict(self._good.get("signals", {}))


def _limits(state: State, inputs: Inputs) -> tuple[State, Inputs]:
    """Joints, workspace and manipulability without an end. The tool's own speed stays: it is the number that all layers scale."""
    count = len(state.robot.position)
    endless = RobotLimits(((-ENDLESS, ENDLESS),) * count, (ENDLESS,) * count, (ENDLESS,) * count)
    wide = replace(state.limits, workspace_min=(-ENDLESS,) * 3, workspace_max=(ENDLESS,) * 3, manipulability_min=1.0 / ENDLESS)
    return replace(state, robot=endless, limits=wide), _with(inputs, manipulability=1.0)


def _separation(state: State, inputs: Inputs) -> tuple[State, Inputs]:
    """The person is far away, still, and seen at this moment, for the first time, so that it is believed."""
    now = inputs.t_ns
    return replace(state, sight=Sighting()), _with(
        inputs,
        person_seq=inputs.tick,
        person_t_ns=now,
        person_exposed_ns=(now,) * len(PARTS),
        person_place=(FAR, FAR, 1.0) * (2 * len(PARTS)),
        person_speed=(0.0,) * len(PARTS),
    )


def _contact(state: State, inputs: Inputs) -> tuple[State, Inputs]:
    """No force in the grip, no speed that hurts, no cradle to crush a hand against."""
    hard = Bearable(grip=ENDLESS, force=ENDLESS, speed=ENDLESS)
    return replace(state, bearable=hard, cell=replace(state.cell, cradle_front=-FAR)), _with(inputs, grip=(0.0, 0.0, 0.0))


def _uncertainty(state: State, inputs: Inputs) -> tuple[State, Inputs]:
    """Several members that agree, on something they know."""
    count = len(inputs.signal_ratio)
    return state, _with(
        inputs, signal_ratio=(USUAL,) * count, signal_valid=(True,) * count, members=max(5, inputs.members), ensemble_spread=0.0
    )


def _vision(state: State, inputs: Inputs) -> tuple[State, Inputs]:
    """The pictures of this moment show a person far from the blade and a saw that runs free."""
    return state, _with(
        inputs,
        vision_state=vision.IN_FORCE,
        vision_t_ns=inputs.t_ns,
        vision_raw=1.0,
        vision_smooth=1.0,
        vision_hand=FAR,
        vision_human=1.0,
        vision_stuck=0.0,
    )


def _operator(state: State, inputs: Inputs) -> tuple[State, Inputs]:
    """Armed and going whenever no stop holds; nobody disarms or pauses."""
    going = state.stop is None
    moved = replace(state, armed=going, going=going, armed_ns=1, going_ns=1) if going else state
    return moved, _with(inputs, disarm_request=state.disarm_request, pause_request=state.pause_request)


def _with(inputs: Inputs, **changes: Any) -> Inputs:
    return msgspec.structs.replace(inputs, **changes)


def covers(layer: str) -> tuple[Cover, ...]:
    """The blindfolds for a layer of ``plan.LAYERS``, for "all" of them, or for "" none."""
    each: dict[str, Cover] = {
        "latch": _latch,
        "validity": _Validity(),
        "limits": _limits,
        "separation": _separation,
        "contact": _contact,
        "uncertainty": _uncertainty,
        "vision": _vision,
        "operator": _operator,
    }
    return tuple(each.values()) if layer == "all" else (each[layer],) if layer else ()


def blindfolded(layer: str, decide: Decide = arbiter.step) -> Decide:
    """The arbiter with one layer put off. The numbers it remembers are the covered ones, so it is consistent from tick to tick."""
    worn = covers(layer)

    def step(state: State, inputs: Inputs) -> tuple[State, Decision]:
        for cover in worn:
            state, inputs = cover(state, inputs)
        return decide(state, inputs)

    return step
