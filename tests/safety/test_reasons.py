"""Every reason has its sentence and its advice, short enough for the narrowest screen, with the numbers in them."""

import math

import pytest

from engine.safety.reasons import advice, sentence
from engine.types import FAILURES, LAYERS, PARTS, Reason

WIDTH = 60  # characters of the narrowest place a sentence is shown in


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_fits_and_says_something(reason):
    numbers = (math.nan, math.inf, -math.inf, 0.0, 0.04, -0.12, 1.5, -3.0, 99.0)
    for margin in numbers:
        for age in numbers:
            for layer in range(-1, len(LAYERS)):
                text = sentence(reason, margin, age, layer)
                assert 0 < len(text) <= WIDTH
                assert not {"nan", "inf", "-inf"} & set(text.split())
                assert "{" not in text
    assert 0 < len(advice(reason)) <= WIDTH


@pytest.mark.parametrize(
    ("reason", "margin", "age", "text"),
    [
        (Reason.CAMERA_STALE, -0.062, 0.312, "camera picture 312 ms old, limit 250 ms"),
        (Reason.JOINT_POSITION, 0.04, 0.0, "a joint is 0.04 rad from its limit"),
        (Reason.JOINT_POSITION, -0.04, 0.0, "a joint is 0.04 rad past its limit"),
        (Reason.WORKSPACE, 0.012, 0.0, "tool 12 mm from the workspace's edge"),
        (Reason.TOOL_SPEED, -0.07, 0.0, "tool speed past its limit by 0.07 m/s"),
        (Reason.UNCERTAIN, 0.6, 0.1, "uncertainty 1.40 × nominal, stops at 2.00"),
        (Reason.CONSOLE_LOST, 0.4, 0.6, "operator's line silent 600 ms, stops at 1.0 s"),
        (Reason.CONSOLE_LOST, math.nan, math.nan, "no console attached"),
        (Reason.SEPARATION, -0.13, 0.06, "person 0.13 m nearer than the speed asked for needs"),
        (Reason.PERSON_STALE, -0.012, 0.312, "person last seen 312 ms ago, limit 300 ms"),
        (Reason.GRIP_FORCE, -3.0, 0.0, "grip past the hand's limit by 3 N"),
        (Reason.GRIP_FORCE, 12.0, 0.0, "grip within 12 N of the hand's limit"),
        (Reason.CONTACT_SPEED, -0.21, 0.0, "handle faster than the arm may bear by 0.21 m/s"),
        (Reason.CRUSH, -0.011, 0.0, "11 mm too little for a hand at the cradle"),
        (Reason.CRUSH, 0.02, 0.0, "20 mm more than a hand needs at the cradle"),
        (Reason.NOT_SENSED, 0.25, math.nan, "person not sensed: at most 0.25 m/s"),
    ],
)
def test_a_sentence_holds_the_number_and_its_unit(reason, margin, age, text):
    assert sentence(reason, margin, age) == text


def test_the_separation_names_the_part_of_the_person_and_both_distances():
    for number, part in enumerate(PARTS):
        text = sentence(Reason.SEPARATION, -0.13, 0.06, part=number, separation=0.31)
        assert text == f"{part} 0.31 m, needs 0.44 m"
        assert len(sentence(Reason.SEPARATION, -10.0, 0.06, part=number, separation=-0.31)) <= WIDTH
    assert sentence(Reason.SEPARATION, math.nan, part=3, separation=math.nan) == "the person's distance is not known"


def test_the_forecast_names_the_failure_and_while_there_is_none_how_near_the_likeliest_is():
    layer = LAYERS.index("forecast")
    for number, failure in enumerate(FAILURES):
        assert sentence(Reason.FORECAST, -0.5, 0.1, layer, foreseen=number) == f"a {failure} is likely within 1.6 s"
        assert sentence(Reason.ASKING, -0.5, 0.1, layer, foreseen=number) == f"a {failure} is likely: shall it go on?"
    assert sentence(Reason.FORECAST) == "a failure is likely within 1.6 s"
    assert sentence(Reason.OK, 0.68, 0.1, layer) == "likeliest failure at 0.32 of its alarm"
    assert sentence(Reason.OK, math.nan, math.nan, layer) == "the reduced speed stays"
    assert sentence(Reason.FORECAST_UNPROVEN, 0.25, layer=layer) == "unproven for this task: at most 0.25 m/s"
    assert sentence(Reason.FORECAST_STALE, -0.1, 0.8, layer) == "the forecast is 800 ms old, limit 700 ms"


def test_a_layer_that_is_not_configured_names_its_cap():
    assert sentence(Reason.NOT_CONFIGURED, 0.25, layer=LAYERS.index("separation")) == "not configured: at most 0.25 m/s"
    assert sentence(Reason.NOT_CONFIGURED, 65.0, layer=LAYERS.index("contact")) == "not configured: at most 65 N"


def test_a_robot_that_failed_to_answer_is_not_blamed_on_this_machines_load():
    assert sentence(Reason.PLANT_TIMEOUT) == "the robot did not answer"
    assert "cable" in advice(Reason.PLANT_TIMEOUT)


def test_a_recording_with_a_gap_cannot_be_waited_out():
    assert "restart" in advice(Reason.RECORDER_FULL).lower()
    assert "arm again" not in advice(Reason.RECORDER_FULL)
