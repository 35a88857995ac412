"""What the screen says of an arm whose servos follow positions: targets, the chunk, what feeds the servos, and whose they are."""

import math

import msgspec
import numpy as np
import pytest
import scenes

from adapters.so101.status import HOT, LOW
from console.keymap import Keymap
from console.rows import Row, plain, width_of
from console.widgets.energy import EnergyPanel, energy_rows, work_line
from console.widgets.footer import footer_rows
from console.widgets.gains import GainsPanel, gains_rows
from console.widgets.header import header_rows
from console.widgets.hold import hold_line
from console.widgets.person import person_line, person_rows
from console.widgets.servos import target_rows
from console.widgets.stopped import holds, way_back
from console.widgets.strip import arm_rows
from console.widgets.why import why_rows
from engine.limits import Limits
from engine.session.columns import TICK_FIELDS, structs_from
from engine.tasks import KINDS
from engine.types import LAYERS, Mode, Reason, Snapshot, Spring

LIMITS = Limits(**KINDS["so101"].limits)


def text(rows: list[Row]) -> str:
    return "\n".join(plain(rows))


def roles(rows: list[Row], part: str) -> set[str]:
    return {role for spans in rows for said, role in spans if part in said}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_badge_stands_whole_beside_the_heartbeat(width: int) -> None:
    (spans,) = header_rows(scenes.seen(scenes.arm_warm(), heartbeat=7, link="connected"), width)
    said = "".join(part for part, _ in spans)
    assert width_of(spans) <= width
    for badge in (*scenes.BADGES, "NOT SAFETY-RATED", "♥7"):
        assert badge in said
    assert width == 60 or "so101" in said
    assert roles([spans], "FALLBACK" if width < 160 else "PLACEHOLDER") == {"placeholder"}
    assert " real" not in said


def test_an_arm_that_is_played_is_not_called_real() -> None:
    assert "so101 (EMULATED)" in text(arm_rows(scenes.seen(scenes.arm(), limits=LIMITS), 76))
    assert "so101 (REAL)" in text(arm_rows(scenes.seen(scenes.arm(badges=()), limits=LIMITS), 76))
    assert "so101 real" in text(header_rows(scenes.seen(scenes.arm(badges=())), 120))


@pytest.mark.parametrize(("width", "height"), [(34, 8), (30, 11), (40, 16)])
def test_each_target_stands_beside_its_joint_under_the_chunk_that_it_comes_from(width: int, height: int) -> None:
    rows = gains_rows(scenes.seen(scenes.arm()), width, height)
    said = text(rows)
    assert len(rows) <= height
    assert all(width_of(spans) <= width for spans in rows)
    assert "target  5/16  confidence .38" in said
    numbers = ("+11", "-22", "+39", "+89", "-87") if width < 40 and height < 11 else ("+10.9", "-22.3", "+39.2", "+88.7", "-87.3")
    for joint, told in zip(("pan", "lift", "elbow", "wrist", "roll"), numbers, strict=True):
        assert joint in said
        assert told in said


def test_a_target_that_comes_of_no_chunk_says_so() -> None:
    snapshot = scenes.arm()
    inference = snapshot.inference
    assert inference is not None

    def told(changed: Snapshot) -> str:
        return text(target_rows(changed, 34, 8))

    def at(due: float, doubt: float = 0.62) -> Snapshot:
        quantile = (doubt, *inference.quantile[1:])
        return msgspec.structs.replace(snapshot, inference=msgspec.structs.replace(inference, due=due, quantile=quantile))

    assert "ran out" in told(at(16.4))
    assert "16/16" in told(at(15.9))
    assert "target  —" in told(at(math.nan))
    assert "confidence .02 low" in told(at(4.6, doubt=0.98))
    assert "confidence —" in told(at(4.6, doubt=math.nan))
    assert "held" in told(scenes.jogged(snapshot, Mode.CUT))
    assert "no chunk yet" in told(msgspec.structs.replace(snapshot, inference=None))


def test_stiffness_and_force_of_the_real_servos_are_called_approximate_and_simulated_ones_have_none() -> None:
    view = scenes.seen(scenes.arm(), limits=LIMITS)
    said = text(gains_rows(view, 34, 8))
    assert "≈ K" in said
    assert "≈ F" in said
    assert text([GainsPanel().note(view)]) == "approximate"
    assert "≈ by its servos" in text(why_rows(view, 76, 18))
    simulated = scenes.seen(scenes.servos())
    assert "≈" not in text(gains_rows(simulated, 34, 8) + why_rows(simulated, 76, 18))


def test_voltage_and_temperature_have_a_word_where_they_near_what_stops_the_arm() -> None:
    warm = scenes.seen(scenes.arm_warm())
    for width, height in ((30, 5), (46, 9)):
        rows = energy_rows(warm, width, height)
        said = text(rows)
        assert len(rows) <= height
        assert all(width_of(spans) <= width for spans in rows)
        assert f"stops at {HOT:.0f} °C, {LOW * 7.4:.1f} V" in said
        assert "WARM" in said
        assert "SAGGING" in said
        assert roles(rows, "63") == roles(rows, "6.4") == {"warn"}
        assert roles(rows, "7.3") == {"text"}
    assert EnergyPanel().title(warm) == (("SERVOS", "title"),)
    bad = energy_rows(scenes.seen(scenes.arm(volts=(7.4, 6.0, *(7.4,) * 4), celsius=(*(30.0,) * 5, 71.0))), 30, 5)
    assert roles(bad, "6.0") == roles(bad, "71") == {"bad"}
    assert "LOW VOLTAGE" in text(bad)
    line = work_line(scenes.seen(scenes.arm(celsius=(*(30.0,) * 5, 71.0))), 80)
    assert "71 °C grip HOT" in text(line)
    assert "no energy tank" not in text(line)


def test_it_is_said_that_nobody_is_sensed_how_fast_it_may_be_and_that_g_is_held() -> None:
    snapshot = scenes.arm()
    view = scenes.seen(snapshot, limits=LIMITS)
    for said in (text(person_line(view, 80)), " ".join(plain(person_rows(view, 30, 4)))):
        assert "not sensed" in said
        assert "250 mm/s" in said
        assert "hold G" in said
    assert "G held goes" in text(hold_line(view, 80))
    waits = scenes.jogged(snapshot, Mode.CUT)
    assert "G hold: go" in text(footer_rows(scenes.seen(waits, limits=LIMITS, possible={"go", "stop"}), 80, "live", Keymap({})))


def test_a_sentence_of_the_person_is_whole_or_left_out() -> None:
    snapshot = scenes.arm()
    reasons = list(snapshot.decision.layer_reason)
    reasons[LAYERS.index("contact")] = Reason.NOT_CONFIGURED
    silent = msgspec.structs.replace(snapshot, decision=msgspec.structs.replace(snapshot.decision, layer_reason=tuple(reasons)))
    assert "contact" not in text(person_rows(scenes.seen(silent, limits=LIMITS), 30, 4))
    assert "contact: not configured" in text(person_rows(scenes.seen(silent, limits=LIMITS), 30, 6))


def test_servos_have_no_brakes_to_stand_on() -> None:
    snapshot = scenes.arm()
    stopped = msgspec.structs.replace(scenes.stopped().decision, stop_number=3)
    braked = msgspec.structs.replace(
        snapshot,
        decision=stopped,
        command=msgspec.structs.replace(snapshot.command, brakes=True, hold=True),
        inputs=msgspec.structs.replace(snapshot.inputs, twist=(0.0,) * 6),
    )
    assert holds(braked, LIMITS) == "every axis holds, by its servos: the power stays on"
    assert "BRAKES" not in text(gains_rows(scenes.seen(braked), 40, 16))
    assert way_back(braked, LIMITS)[-1][1] == "G held lets it move"


def test_a_session_without_voltages_opens_and_says_that_they_are_not_known() -> None:
    spring = scenes.arm().spring
    columns = {field.column.name: [getattr(spring, field.name)] for field in TICK_FIELDS[Spring]}

    def opened(recorded: set[str]) -> Spring:
        return structs_from(Spring, lambda column: np.array(columns[column.name]), (), recorded)[0]

    new = opened(set(columns))
    assert (new.volts, new.celsius, new.supply) == (spring.volts, spring.celsius, spring.supply)
    old = opened({name for name in columns if name.split("_")[-1] not in ("volts", "celsius", "supply")})
    assert all(map(math.isnan, (*old.volts, *old.celsius, old.supply)))
    assert old.target == spring.target
