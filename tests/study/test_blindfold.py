"""A blindfold puts off one layer and no other: what that layer stops, it does not stop any more, and all else does."""

from collections.abc import Callable

import msgspec
import pytest

from adapters.mujoco import cosaw
from engine.attendant import Attendant
from engine.clock import SimulatedClock
from engine.commissioning import commissioned
from engine.config import Settings
from engine.engine import Engine
from engine.limits import Limits
from engine.policy.scripted import Scripted
from engine.safety import arbiter
from engine.safety.readings import State
from engine.stop import StopPage
from engine.study.blindfold import blindfolded
from engine.study.plan import ALL, LAYERS
from engine.types import Decision, Inputs, Reason

NAN = float("nan")


@pytest.fixture(scope="module")
def sawing(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, Inputs]:
    """The arbiter's state and the inputs of a tick in the middle of sawing."""
    seen: list[tuple[State, Inputs]] = []

    def decide(state: State, inputs: Inputs) -> tuple[State, Decision]:
        seen[:] = [(state, inputs)]
        return arbiter.step(state, inputs)

    robot, rig = cosaw.build(3, 64, commissioned(None, None, Limits()))
    with StopPage(tmp_path_factory.mktemp("blindfold") / "stop", create=True) as page:
        engine = Engine(
            Settings(policy="scripted", seed=3),
            run="test",
            robot=robot,
            rig=rig,
            load_policy=lambda progress: Scripted(),
            page=page,
            recorder=None,
            console_required=False,
            clock=SimulatedClock(),
            decide=decide,
        )
        engine.prepare_lockstep()
        engine.lockstep(400, script=Attendant(engine))
        rig.close()
    state, inputs = seen[0]
    assert state.armed
    assert state.going
    return state, inputs


def changed(**values: object) -> Callable[[Inputs], Inputs]:
    return lambda inputs: msgspec.structs.replace(inputs, **values)


def near(inputs: Inputs) -> Inputs:
    """The free hand is on the blade."""
    place = list(inputs.person_place)
    place[18:24] = (*inputs.pose[:3], *inputs.pose[:3])
    return msgspec.structs.replace(inputs, person_place=tuple(place))


def stretched(inputs: Inputs) -> Inputs:
    """The first joint is beyond its range."""
    return msgspec.structs.replace(inputs, q=(3.0, *inputs.q[1:]))


DANGERS = {
    "latch": (changed(watchdog=Reason.WATCHDOG_RECORDER), Reason.WATCHDOG_RECORDER),
    "validity": (changed(frame_fault=Reason.CAMERA_DARK), Reason.CAMERA_DARK),
    "limits": (stretched, Reason.JOINT_POSITION),
    "separation": (near, Reason.PERSON_JUMPED),
    "contact": (changed(grip=(0.0, 0.0, 200.0)), Reason.GRIP_FORCE),
}


@pytest.mark.parametrize("danger", DANGERS)
@pytest.mark.parametrize("layer", ["", *LAYERS, ALL])
def test_only_the_covered_layer_lets_its_danger_pass(sawing: tuple[State, Inputs], danger: str, layer: str) -> None:
    state, inputs = sawing
    harm, reason = DANGERS[danger]
    _, decision = blindfolded(layer)(state, harm(inputs))
    if layer in (danger, ALL):
        assert decision.stop_number == 0
        assert decision.armed
        assert decision.speed_scale > 0.0
    else:
        assert decision.stop_number > 0
        assert decision.stop_reason == reason


def test_a_covered_score_knows_no_doubt(sawing: tuple[State, Inputs]) -> None:
    state, inputs = sawing
    doubtful = msgspec.structs.replace(inputs, members=5, signal_valid=(True,) * 18, signal_ratio=(3.0,) * 18, ensemble_spread=0.1)
    assert arbiter.step(state, doubtful)[1].score_raw < 0.5
    assert blindfolded("uncertainty")(state, doubtful)[1].score_raw > 0.9


def test_covered_pictures_show_nothing_bad(sawing: tuple[State, Inputs]) -> None:
    state, inputs = sawing
    near = {"vision_raw": 0.2, "vision_smooth": 0.2, "vision_hand": 0.05, "vision_human": 1.0, "vision_stuck": 0.0}
    seen = msgspec.structs.replace(inputs, vision_state=1, vision_t_ns=inputs.t_ns, **near)
    assert arbiter.step(state, seen)[1].speed_scale == 0.0
    assert blindfolded("vision")(state, seen)[1].speed_scale > 0.0


def test_a_covered_operator_is_always_going(sawing: tuple[State, Inputs]) -> None:
    state, inputs = sawing
    disarming = msgspec.structs.replace(inputs, disarm_request=inputs.disarm_request + 1)
    assert not arbiter.step(state, disarming)[1].armed
    assert blindfolded("operator")(state, disarming)[1].going


def test_without_a_blindfold_the_arbiter_decides(sawing: tuple[State, Inputs]) -> None:
    state, inputs = sawing
    assert msgspec.json.encode(blindfolded("")(state, inputs)[1]) == msgspec.json.encode(arbiter.step(state, inputs)[1])


def test_what_is_not_a_number_becomes_the_last_good_one(sawing: tuple[State, Inputs]) -> None:
    state, inputs = sawing
    step = blindfolded("validity")
    state, _ = step(state, inputs)
    following = msgspec.structs.replace(inputs, tick=inputs.tick + 1, t_ns=inputs.t_ns + 10_000_000, dq=(NAN,) * 7)
    assert step(state, following)[1].stop_number == 0
