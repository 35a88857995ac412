"""What each widget says of a snapshot, read as text."""

import math
import re
from collections.abc import Callable

import msgspec
import pytest
import scenes

from console.keymap import Keymap, possible
from console.rows import plain, width_of
from console.screens.help import NOTES, help_rows
from console.view import View
from console.widgets.asking import asking_rows
from console.widgets.camera import empty_rows, fresh
from console.widgets.cut import cut_rows
from console.widgets.energy import energy_rows, work_line
from console.widgets.events import events_rows, loop_note, recorder_spans
from console.widgets.footer import footer_rows
from console.widgets.forecast import forecast_line, forecast_rows
from console.widgets.gains import gains_rows
from console.widgets.header import header_rows, placeholder
from console.widgets.hold import hold_line, hold_rows
from console.widgets.layers import page_rows
from console.widgets.outlook import page_rows as outlook_rows
from console.widgets.person import person_line, person_rows
from console.widgets.score import score_rows
from console.widgets.signals import SignalsPanel, brief_rows, inference_note, signal_row, signals_rows
from console.widgets.small import small_rows
from console.widgets.state import explanation, next_step, state_rows
from console.widgets.stopped import stopped_rows
from console.widgets.strip import arm_rows
from console.widgets.why import why_rows
from engine.types import LAYERS, NAN18, Inputs, ModelState, Reason, Snapshot

SCENES = (
    scenes.running,
    scenes.slowed,
    scenes.disarmed,
    scenes.stopped,
    scenes.separated,
    scenes.stuck,
    scenes.unsensed,
    scenes.table,
    scenes.servos,
    scenes.loading,
    scenes.placeholder,
    scenes.outlook_quiet,
    scenes.outlook_acting,
    scenes.outlook_asking,
    scenes.outlook_unproven,
)


def seen(snapshot: Snapshot | None, **changes: object) -> View:
    return scenes.seen(snapshot, **{"possible": frozenset({"stop", "stop_off", "go"}), **changes})


def text(rows: object) -> str:
    return "\n".join(plain(rows))  # type: ignore[arg-type]


PANELS = (
    score_rows,
    gains_rows,
    cut_rows,
    person_rows,
    energy_rows,
    stopped_rows,
    page_rows,
    why_rows,
    forecast_rows,
    outlook_rows,
    asking_rows,
)


@pytest.mark.parametrize("make", SCENES)
@pytest.mark.parametrize("width", [20, 34, 36, 76, 140])
def test_every_widget_draws_every_scene_at_every_width(make: object, width: int) -> None:
    view = seen(make())  # type: ignore[operator]
    for height in (1, 3, 6, 11, 30):
        for draw in (*PANELS, signals_rows, events_rows, hold_rows, small_rows):
            assert len(draw(view, width, height)) <= height, draw.__name__
    for draw_line in (header_rows, state_rows, brief_rows, hold_line, person_line, work_line, forecast_line, arm_rows):
        assert draw_line(view, width)
        assert draw_line(seen(None), width)


@pytest.mark.parametrize(("width", "ages"), [(38, True), (28, False)])
def test_the_score_names_the_layer_that_binds(width: int, ages: bool) -> None:
    shown = text(score_rows(seen(scenes.slowed()), width, 11))
    assert "SLOW" in shown
    assert "uncertainty" in shown
    assert ("143 ms" in shown) is ages


@pytest.mark.parametrize(("width", "height"), [(34, 6), (34, 11), (42, 16), (22, 4)])
def test_limits_stand_in_newtons_and_metres_a_second_at_every_size(width: int, height: int) -> None:
    shown = text(gains_rows(seen(scenes.running()), width, height))
    assert "K across" in shown
    assert "716" in shown
    assert "N/m" in shown
    assert "55.3" in shown
    assert "0.25" in shown
    assert "m/s" in shown


def test_the_cut_shows_depth_in_mm_and_a_locked_line() -> None:
    shown = text(cut_rows(seen(scenes.running()), 36, 11))
    assert "34.2 mm" in shown
    assert "SOFT WOOD" in shown
    assert "LOCKED" in shown


def test_a_stuck_saw_is_named_and_a_narrow_handle_gap_marked_in_words() -> None:
    snapshot = scenes.running()
    tight = msgspec.structs.replace(snapshot, saw=msgspec.structs.replace(snapshot.saw, handle_gap=0.1, stuck=True))
    assert "STUCK" in text(cut_rows(seen(tight), 40, 11))
    assert "<120" in text(person_rows(seen(tight), 40, 6))


def test_an_invalid_signal_is_invalid_and_never_zero() -> None:
    line = next(line for line in text(signals_rows(seen(scenes.running()), 37, 18)).splitlines() if "train distance" in line)
    assert "INVALID" in line
    assert "0.0" not in line


def test_all_eighteen_signals_fit_the_design_size() -> None:
    assert len(signals_rows(seen(scenes.running()), 76, 9)) == 9
    rows = signals_rows(seen(scenes.running(), history=scenes.past(scenes.running())), 82, 6)
    assert len(rows) == 6
    assert all(width_of(spans) <= 82 for spans in rows)
    curves = [part for spans in rows for part, role in spans if role == "curve" and part]
    assert len(curves) == 15  # those of the two sensitivities give way to their age
    assert all(len(curve) >= 4 and not curve.isspace() for curve in curves)
    assert "INVALID" in text(rows)
    assert "0.038 .62" in text(rows)


@pytest.mark.parametrize(("width", "curve"), [(26, 0), (40, 7), (52, 11)])
def test_a_signal_older_than_the_inference_says_how_old(width: int, curve: int) -> None:
    snapshot = scenes.running()
    assert snapshot.inference is not None
    view = seen(snapshot, history=scenes.past(snapshot))
    fresh, held = (signal_row(view, snapshot.inference, index, width) for index in (0, 14))
    assert " s" not in text([fresh])
    assert text([held]).endswith("0.4 s")
    assert width_of(fresh) == width_of(held) == width
    assert sum(len(part) for part, role in held if role == "curve") == curve
    lost = text([signal_row(view, snapshot.inference, 13, width)])
    assert "INVALID" in lost
    assert ("INVALID for 4.1 s" in lost) is (width > 26)


def test_the_confidence_is_what_the_members_disagreed_more_on_and_absent_where_nobody_knows() -> None:
    snapshot = scenes.running()
    assert snapshot.inference is not None
    assert text([SignalsPanel().title(seen(snapshot))]) == "ENSEMBLE ×5 · confidence .38 · value, of nominal"
    unknown = msgspec.structs.replace(snapshot.inference, quantile=NAN18)
    assert "confidence" not in text([SignalsPanel().title(seen(msgspec.structs.replace(snapshot, inference=unknown)))])
    stale = msgspec.structs.replace(snapshot.inference, rate_hz=3.1, age=1.4)
    late = seen(msgspec.structs.replace(snapshot, inference=stale))
    assert width_of(SignalsPanel().title(late)) + width_of(inference_note(late)) + 9 <= 86  # the panel's width at 120 columns


def test_the_one_line_shows_the_valid_signal_with_the_largest_quantile() -> None:
    snapshot = scenes.running()
    assert snapshot.inference is not None
    peak = tuple(0.999 if i in (9, 13) else 0.4 for i in range(18))
    doubtful = msgspec.structs.replace(snapshot, inference=msgspec.structs.replace(snapshot.inference, quantile=peak))
    shown = text(brief_rows(seen(doubtful), 80))
    assert "divergence" in shown
    assert "q1.0" in shown
    assert len([line for line in plain(signals_rows(seen(scenes.running()), 37, 18)) if line]) == 18


def test_a_slow_or_old_inference_says_so() -> None:
    snapshot = scenes.running()
    assert snapshot.inference is not None
    late = msgspec.structs.replace(snapshot, inference=msgspec.structs.replace(snapshot.inference, rate_hz=3.1, age=1.4))
    note = text([inference_note(seen(late))])
    assert "below 5" in note
    assert "STALE" in note
    assert "below" not in text([inference_note(seen(snapshot))])


@pytest.mark.parametrize(
    ("make", "shown"),
    [(scenes.running, ""), (scenes.placeholder, "PLACEHOLDER"), (scenes.loading, "LOADING"), (scenes.disarmed, "")],
)
def test_placeholder_is_shown_unless_the_real_model_drives(make: object, shown: str) -> None:
    snapshot: Snapshot = make()  # type: ignore[operator]
    assert placeholder(snapshot) == shown
    for width in (60, 80, 120):
        rows = header_rows(seen(snapshot), width)
        assert ("PLACEHOLDER" in text(rows)) is (shown == "PLACEHOLDER")
        assert "NOT SAFETY-RATED" in text(rows)
        assert not shown or any(shown in part and role == "placeholder" for part, role in rows[0])


def test_a_model_that_failed_is_a_placeholder_too() -> None:
    snapshot = scenes.disarmed()
    failed = msgspec.structs.replace(snapshot, run=msgspec.structs.replace(snapshot.run, model_state=ModelState.FAILED))
    assert "failed" in placeholder(failed)


def test_a_latched_stop_says_why_its_number_and_what_to_do() -> None:
    upper, lower = plain(state_rows(seen(scenes.stopped()), 120))
    assert "LATCHED 12" in upper
    assert "stop key, power off" in upper
    assert "SPACE = STOP" in upper
    assert "C clears stop 12" in lower


def test_a_screen_that_is_behind_does_not_look_live() -> None:
    upper, lower = plain(state_rows(seen(scenes.running(), behind=3.2), 120))
    assert "FROZEN 3 s" in upper
    assert "RUNNING" not in upper
    assert "3.2 s behind" in lower


@pytest.mark.parametrize("width", [80, 90])
def test_the_person_s_gauge_does_not_move_when_the_person_comes_close(width: int) -> None:
    far, near = scenes.running(), scenes.separated()
    handle = msgspec.structs.replace(near, decision=msgspec.structs.replace(near.decision, separation_part=4))
    lines = [text(person_line(seen(snapshot), width)) for snapshot in (far, near, handle)]
    assert ["CLOSE" in line for line in lines] == [False, True, True]
    assert len({(line.index("━"), line.index("T_r"), line.index("grip")) for line in lines}) == 1


@pytest.mark.parametrize("make", SCENES)
@pytest.mark.parametrize("width", [80, 120])
def test_neither_the_cause_nor_the_advice_is_cut_on_the_state_lines(make: object, width: int) -> None:
    view = seen(make(), key_mode="REPEAT")  # type: ignore[operator]
    rows = state_rows(view, width)
    assert all(width_of(spans) <= width for spans in rows)
    shown = " ".join(text(rows).replace("SPACE = STOP", "").split())
    assert "…" not in shown.replace(view.snapshot.run.model_note, "")  # type: ignore[union-attr]
    assert explanation(view) in shown
    assert next_step(view) in shown


def test_a_long_message_takes_both_lines_on_a_small_screen() -> None:
    said = "The terminal fell silent while Enter was held, so nothing was armed: let go and hold Enter again."
    rows = plain(state_rows(seen(scenes.disarmed(), message=said), 80))
    assert said in " ".join("\n".join(rows).replace("SPACE = STOP", "").split())


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"link": "lost"}, "ENGINE LOST"),
        ({"link": "ended", "ended": "The model could not be read."}, "The model could not be read."),
        ({"stop_asked": 0.1}, "STOP ASKED"),
    ],
)
def test_the_state_line_tells_what_became_of_the_engine(changes: dict[str, object], shown: str) -> None:
    assert shown in text(state_rows(seen(scenes.running(), **changes), 100))


def test_before_the_first_snapshot_it_says_that_the_engine_starts() -> None:
    assert "STARTING ENGINE" in text(state_rows(seen(None, link="starting"), 80))


def test_while_the_model_loads_its_progress_is_shown() -> None:
    assert "importing torch" in text(state_rows(seen(scenes.loading()), 100))


@pytest.mark.parametrize("layer", range(9))
def test_why_names_the_inputs_of_every_layer_that_can_bind(layer: int) -> None:
    snapshot = scenes.scene(binding=layer, score=0.4)
    shown = text(why_rows(seen(snapshot), 90, 40))
    assert LAYERS[layer] in shown
    assert "N/m" in shown
    assert "K stroke" in text(why_rows(seen(snapshot), 76, 18))


def test_the_newest_event_comes_first() -> None:
    lines = plain(events_rows(seen(scenes.running()), 80, 4))
    assert len(lines) == 4
    assert "CONTINUE" in lines[0]
    assert "16:02:21.62" in lines[0]


def test_a_long_event_goes_on_in_a_second_line() -> None:
    lines = plain(events_rows(seen(scenes.running()), 39, 6))
    assert lines[1].endswith("uncertainty 1.08")
    assert lines[2].strip() == "× nominal, stops at 2.00"


@pytest.mark.parametrize("width", [76, 116])
def test_the_help_page_cuts_nothing(width: int) -> None:
    shown = text(help_rows(Keymap(), "live", width))
    assert all(len(line) <= width for line in shown.splitlines())
    words = " ".join(shown.split())
    for note in NOTES:
        assert note in words
    assert "Free a stuck saw while it goes" in words


def test_a_recording_without_lateness_shows_none() -> None:
    snapshot = scenes.running()
    loop = msgspec.structs.replace(snapshot.loop, late_p99_ms=math.nan, real_time_factor=math.nan)
    assert "nan" not in text([loop_note(seen(msgspec.structs.replace(snapshot, loop=loop)))])


def test_the_recorder_s_fault_is_said() -> None:
    snapshot = scenes.running()
    broken = msgspec.structs.replace(snapshot, recorder=msgspec.structs.replace(snapshot.recorder, fault="disk full"))
    assert "disk full" in text([recorder_spans(seen(broken))])


def test_the_footer_shows_whole_entries_only_and_none_that_has_no_key() -> None:
    view = seen(scenes.stopped(), possible=possible(scenes.stopped(), readonly=False, connected=True))
    for width in range(60, 161):
        assert "…" not in text(footer_rows(view, width, "live", Keymap())), width
    assert "help" in text(footer_rows(view, 80, "live", Keymap()))
    assert "help" not in text(footer_rows(view, 160, "live", Keymap({"help": ""})))


def test_the_footer_keeps_the_stops_when_there_is_hardly_room() -> None:
    line = text(footer_rows(seen(scenes.running()), 60, "live", Keymap()))
    assert "SPACE stop" in line
    assert "X stop+off" in line
    assert "G go" in line
    assert "arm" not in line


def test_old_pictures_are_removed() -> None:
    picture = scenes.picture(8)
    assert fresh(seen(scenes.running(), picture=picture, picture_age=1.9, camera="front"))
    stale = seen(scenes.running(), picture=picture, picture_age=2.1, camera="front")
    assert not fresh(stale)
    assert "picture removed" in text(empty_rows(stale, 30, 6))
    assert not fresh(seen(scenes.running(), picture=picture, picture_age=math.nan, camera="front"))
    assert not fresh(seen(scenes.running(), picture=picture, picture_age=0.1, camera="side")), "another camera's picture is not this one's"


def test_arming_names_robot_policy_force_and_session() -> None:
    shown = text(arm_rows(seen(scenes.disarmed()), 116))
    for fact in ("cosaw (simulated)", "compact×5 cpu", "60 N", "20251124T160231-0c41", "Hold Enter"):
        assert fact in shown
    assert "C clears it" in text(arm_rows(seen(scenes.stopped()), 116))


def test_arming_names_the_task_and_what_was_said_at_the_design_width() -> None:
    shown = text(arm_rows(seen(scenes.table()), 76))
    for fact in ("pickplace Pick up the red cube and place it in the blue zone.", "session 0c41"):
        assert fact in shown
    loading = text(arm_rows(seen(scenes.loading()), 76))
    assert "policy loading" in loading
    assert "NONE" not in loading


@pytest.mark.parametrize("late", [0.9, 123.4, 4321.0])
def test_no_number_touches_the_word_before_it(late: float) -> None:
    snapshot = scenes.running()
    slow = msgspec.structs.replace(
        snapshot,
        loop=msgspec.structs.replace(snapshot.loop, late_p99_ms=late),
        inference=msgspec.structs.replace(snapshot.inference, age=late / 1e3),
        frame_age=late / 1e3,
    )
    view = seen(slow)
    told = text([loop_note(view), inference_note(view), *brief_rows(view, 80)])
    assert re.search(r"(p99|age|frame)[\d.]", told) is None


@pytest.mark.parametrize("size", [(58, 18), (40, 10), (20, 5), (20, 1), (1, 1)])
def test_a_terminal_that_is_too_small_still_shows_the_stop_state(size: tuple[int, int]) -> None:
    width, height = size
    rows = small_rows(seen(scenes.stopped()), width, height)
    assert text(rows[:1]).startswith("■ LATCHED 12"[:width])
    assert len(rows) <= height
    assert all(width_of(row) <= width for row in rows)


@pytest.mark.parametrize("make", [scenes.running, scenes.stopped])
def test_no_word_is_halved_in_a_terminal_that_is_too_small(make: Callable[[], Snapshot]) -> None:
    whole = {*text(small_rows(seen(make()), 58, 18)).split(), "20×9", "20×5"}
    for height in (5, 9):
        assert set(text(small_rows(seen(make()), 20, height)).split()) <= whole


def test_every_reason_has_words_of_its_own_on_the_state_line() -> None:
    said = {explanation(seen(scenes.standing(scenes.scene(reason=reason)))) for reason in Reason}
    assert len(said) == len(Reason)


def test_nonsense_in_a_snapshot_does_not_break_the_screen() -> None:
    snapshot = scenes.running()
    wild = {
        name: (math.nan,) * len(value)
        for name, value in msgspec.structs.asdict(snapshot.inputs).items()
        if isinstance(value, tuple) and isinstance(value[0], float)
    }
    inputs: Inputs = msgspec.structs.replace(snapshot.inputs, **wild)
    view = seen(msgspec.structs.replace(snapshot, inputs=inputs))
    for draw in PANELS:
        assert draw(view, 80, 30)
        assert "nan" not in text(draw(view, 80, 30)), draw.__name__
