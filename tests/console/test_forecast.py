"""The forecast on the screen: the table, one line, the page, why, what is done about it, and the question it asks; live and in replay."""

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import recording
import scenes
from bench import SIZES, Open, text
from scenes import seen

from console.app import Options, Sawhorse
from console.past import fill_past
from console.player import Player
from console.rows import plain, width_of
from console.screens.replay import ReplayScreen
from console.view import History, greatest
from console.widgets.asking import asking_rows
from console.widgets.events import event_rows
from console.widgets.forecast import (
    NAME,
    ForecastPanel,
    alarm_spark,
    forecast_line,
    forecast_rows,
    percent,
    soonest,
    state_note,
    table_rows,
    told,
)
from console.widgets.outlook import page_rows
from console.widgets.scrub import scrub_bar
from console.widgets.signals import SHORT
from console.widgets.state import explanation, next_step, state_rows, state_word
from engine.limits import Limits
from engine.messages import Disarm, Go, SetMode
from engine.session.reader import Session
from engine.types import FAILURES, LAYERS, Event, Intervention, Mode, Reason, Snapshot, Writer

WIDTH = 37  #: cells inside the panel at the design size


def lines(snapshot: Snapshot, width: int = WIDTH, height: int = 6) -> list[str]:
    return plain(forecast_rows(seen(snapshot), width, height))


def decided(snapshot: Snapshot, **changes: object) -> Snapshot:
    return msgspec.structs.replace(snapshot, decision=msgspec.structs.replace(snapshot.decision, **changes))


def asking(mode: Mode) -> Snapshot:
    snapshot = scenes.outlook_asking()
    return msgspec.structs.replace(snapshot, operator=msgspec.structs.replace(snapshot.operator, mode=mode))


# --- the table ---


@pytest.mark.parametrize("width", [37, 41, 60, 76])
def test_every_type_has_its_probability_by_each_horizon_its_alarm_and_its_remedy(width: int) -> None:
    shown = lines(scenes.outlook_quiet(), width)
    assert [line.split()[0] for line in shown[1:5]] == list(FAILURES)
    assert shown[0].split()[3:7] == ["0.6", "1.0", "1.3", "1.6"]
    assert shown[3].split()[1:5] == ["1", "1", "2", "2"]
    assert [line.split()[-1] for line in shown[1:5]] == ["slow", "slow", "retry", "ask"]
    assert all(width_of(row) <= width for row in forecast_rows(seen(scenes.outlook_quiet()), width, 6))


def test_the_row_that_acts_is_marked_in_words_and_the_others_are_not() -> None:
    shown = lines(scenes.outlook_acting())
    assert shown[2].startswith("▶drop")
    assert shown[2].endswith("SLOWS")
    assert not any(line.startswith("▶") for line in (shown[1], shown[3], shown[4]))
    assert plain([state_note(seen(scenes.outlook_acting()))]) == ["SLOWS"]


def test_an_alarm_on_which_nothing_is_done_yet_has_a_mark_of_its_own() -> None:
    waiting = decided(scenes.outlook_acting(), foreseen=-1, intervention=Intervention.NONE)
    row = lines(waiting)[2]
    assert row.startswith("!drop")
    assert row.endswith("slow")


def test_the_remedy_is_the_configuration_s() -> None:
    view = seen(scenes.outlook_quiet(), limits=Limits(on_drop="stop", on_miss="none"))
    assert [line.split()[-1] for line in plain(forecast_rows(view, WIDTH, 6))[1:5]] == ["slow", "stop", "none", "ask"]


def test_a_cell_is_the_hotter_the_likelier() -> None:
    view = seen(scenes.outlook_acting())
    assert view.snapshot is not None
    assert view.snapshot.inference is not None
    spans = table_rows(view, view.snapshot, view.snapshot.inference, WIDTH)[2]
    assert [role for _, role in spans[1:5]] == ["heat 2", "heat 4", "heat 4", "heat 4"]
    spans = table_rows(view, view.snapshot, view.snapshot.inference, WIDTH)[1]
    assert {role for _, role in spans[1:5]} == {"text"}


def test_noise_smaller_than_what_is_shown_moves_no_digit() -> None:
    level = [[0.12 + 0.1 * i + 0.02 * j for j in range(4)] for i in range(4)]

    def shown(tremble: float) -> list[str]:
        snapshot = scenes.forecast(
            scenes.table(), risks=[[risk + tremble for risk in row] for row in level], because={"overlap": 0.2 + tremble}
        )
        return [line[: NAME + 17] for line in lines(snapshot)]

    assert shown(0.0) == shown(0.008) == shown(-0.008)
    assert shown(0.0) != shown(0.02)


@pytest.mark.parametrize(("probability", "shown"), [(0.0, 0), (0.004, 0), (0.056, 6), (0.621, 62), (0.996, 99), (1.7, 99), (-0.2, 0)])
def test_a_probability_takes_two_digits(probability: float, shown: int) -> None:
    assert percent(probability) == shown


def test_how_soon_is_the_first_horizon_by_which_it_is_more_likely_than_not_else_the_last() -> None:
    assert soonest((0.21, 0.52, 0.62, 0.71)) == (0.52, 1.0)
    assert soonest((0.05, 0.10, 0.12, 0.14)) == (0.14, 1.6)
    assert soonest((0.9, 0.9, 0.9, 0.9)) == (0.9, pytest.approx(0.6))


@pytest.mark.parametrize(
    ("width", "expected"), [(37, "why overlap +22, mismatch +9"), (60, "why overlap +22, exec mismatch +9, epistemic +4")]
)
def test_why_names_the_signals_that_moved_it_largest_first_as_many_as_fit(width: int, expected: str) -> None:
    assert lines(scenes.outlook_acting(), width)[5] == expected


def test_why_says_so_where_no_signal_stands_out() -> None:
    assert lines(scenes.outlook_quiet())[5] == "why no signal stands out"


def test_with_room_every_reason_has_its_own_line_and_the_alarm_its_past() -> None:
    acting = scenes.outlook_acting()
    shown = plain(forecast_rows(seen(acting, history=scenes.past(acting)), WIDTH, 11))
    assert len(shown) == 11
    assert [line.split()[-1] for line in shown[7:10]] == ["+22", "+9", "+4"]
    assert "execution mismatch" in shown[8]
    assert shown[10].startswith("alarm ⣀")
    assert shown[10].endswith("⣿")


def test_the_frame_shows_the_worst_of_each_stretch_of_the_alarm_s_past() -> None:
    history = History()
    history.alarms.extend([0.05] * 80 + [1.2] + [0.05] * 15)
    assert alarm_spark(seen(scenes.outlook_quiet(), history=history), 12) == "▁" * 10 + "█▁"
    history.alarms.clear()
    assert alarm_spark(seen(scenes.outlook_quiet(), history=history), 12) == ""


def test_the_greatest_alarm_is_kept_of_each_inference_and_nothing_where_there_is_none() -> None:
    assert greatest((0.2, math.nan, 0.7, 0.1)) == 0.7
    assert math.isnan(greatest((math.nan,) * 4))
    history = History()
    history.observe(scenes.outlook_acting())
    assert list(history.alarms) == [pytest.approx(0.71 / 0.40)]


# --- what is not there ---


def test_an_unproven_forecast_says_so_and_names_no_remedy() -> None:
    snapshot = scenes.outlook_unproven()
    assert plain([state_note(seen(snapshot))]) == ["UNPROVEN"]
    assert not any(word in line for line in lines(snapshot) for word in ("slow", "retry", "ask"))
    assert "UNPROVEN" in plain(forecast_line(seen(snapshot), 80))[0]
    assert any("nothing is done about it" in line for line in plain(page_rows(seen(snapshot), 76, 18)))
    layer = LAYERS.index("forecast")
    assert snapshot.decision.layer_reason[layer] == Reason.FORECAST_UNPROVEN


def test_a_forecast_that_is_not_configured_says_why() -> None:
    snapshot = scenes.table()
    assert lines(snapshot) == ["not configured: no forecast was", "trained for this policy"]
    policy = msgspec.structs.replace(scenes.policy(), forecast_note="it was trained on another checkpoint.")
    other = msgspec.structs.replace(snapshot, run=msgspec.structs.replace(snapshot.run, policy=policy))
    assert "another checkpoint" in "\n".join(plain(page_rows(seen(other), 76, 18)))


def test_a_forecast_without_figures_yet_shows_none() -> None:
    snapshot = scenes.outlook_quiet()
    blank = msgspec.structs.replace(scenes.table(), inputs=snapshot.inputs)
    assert "no forecast yet" in lines(blank)[0]
    assert "nan" not in "\n".join(lines(blank))


def test_an_old_forecast_is_stale() -> None:
    snapshot = scenes.outlook_acting()
    old = msgspec.structs.replace(snapshot, inference=msgspec.structs.replace(snapshot.inference, age=1.4))
    assert plain([state_note(seen(old))]) == ["STALE"]


# --- one line, the state, the log ---


@pytest.mark.parametrize("width", [60, 76, 80])
@pytest.mark.parametrize("make", [scenes.outlook_quiet, scenes.outlook_acting, scenes.outlook_asking, scenes.outlook_unproven])
def test_the_one_line_never_leaves_its_width_and_its_columns_stay(width: int, make: object) -> None:
    (row,) = forecast_line(seen(make()), width)  # type: ignore[operator]
    assert width_of(row) <= width
    assert plain([row])[0].index("%") == 25


def test_the_one_line_names_the_failure_its_probability_its_horizon_its_remedy_and_why() -> None:
    (line,) = plain(forecast_line(seen(scenes.outlook_acting()), 80))
    for fact in ("drop", "52 % in 1.0 s", "SLOWS", "why overlap +22"):
        assert fact in line
    (line,) = plain(forecast_line(seen(scenes.outlook_quiet()), 80))
    assert "at most    2 % in 1.6 s" in line
    assert "miss" not in line


@pytest.mark.parametrize(
    ("intervention", "word"),
    [(Intervention.SLOW, "▶ RUNNING SLOW"), (Intervention.RETRY, "▶ RETRYING")],
)
def test_the_state_says_what_is_done_about_which_failure(intervention: Intervention, word: str) -> None:
    view = seen(decided(scenes.outlook_acting(), intervention=intervention))
    assert state_word(view)[0] == word
    assert explanation(view) == "forecast: drop 52 % in 1.0 s"


def test_another_layer_that_binds_keeps_the_state_line() -> None:
    view = seen(decided(scenes.outlook_acting(), binding=3))
    assert not explanation(view).startswith("forecast")


def test_a_failure_without_figures_is_named_alone() -> None:
    snapshot = scenes.outlook_acting()
    assert told(msgspec.structs.replace(snapshot, inference=None)) == "drop"
    assert told(scenes.outlook_quiet()) == ""


@pytest.mark.parametrize("kind", ["forecast", "failure", "success", "disturbance"])
def test_what_a_forecast_does_and_what_a_collection_notes_has_a_mark_in_the_log(kind: str) -> None:
    (row,) = event_rows(Event(seq=1, tick=1, t_ns=0, wall=scenes.WALL, kind=kind, text="drop: the cube fell"), 60)
    assert row[1][0] != "· "


# --- the question ---


@pytest.mark.parametrize(("width", "height"), [(76, 4), (56, 6), (41, 6), (63, 11)])
def test_a_question_says_what_how_likely_how_soon_why_and_every_answer_with_its_key(width: int, height: int) -> None:
    rows = asking_rows(seen(scenes.outlook_asking()), width, height)
    assert all(width_of(row) <= width for row in rows)
    shown = " ".join("\n".join(plain(rows)).split())
    for fact in ("Timeout foreseen: 56 % within 1.3 s.", "+16", "+12", "+5 points.", "G goes on", "Tab then an arrow held", "D disarms"):
        assert fact in shown, fact


def test_in_a_jog_mode_it_says_the_way_back_to_where_g_works() -> None:
    shown = "\n".join(plain(asking_rows(seen(asking(Mode.JOG_XYZ)), 76, 6)))
    assert "back to TASK, then G goes on" in shown
    assert "An arrow" in next_step(seen(asking(Mode.JOG_XYZ)))


def test_who_cannot_answer_is_told_so() -> None:
    view = seen(scenes.outlook_asking(), readonly=True)
    assert "Another console answers" in "\n".join(plain(asking_rows(view, 76, 6)))
    assert "Another console answers" in next_step(view)
    past = "\n".join(plain(asking_rows(seen(scenes.outlook_asking(), link="recorded"), 76, 6)))
    assert "It waited: go on, jog, or disarm." in past


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_state_line_alone_says_that_it_asks_and_how_to_answer(width: int) -> None:
    shown = " ".join("\n".join(plain(state_rows(seen(scenes.outlook_asking()), width))).split())
    assert "ASKS FOR HELP" in shown
    assert "SPACE = STOP" in shown
    assert "G goes on" in shown


@pytest.mark.parametrize(("size", "page"), [*((size, "") for size in SIZES), ((80, 24), "w"), ((120, 34), "l")])
async def test_g_answers_a_question_that_is_on_the_screen_unasked(opened: Open, size: tuple[int, int], page: str) -> None:
    async with opened(scenes.outlook_acting(), size) as bench:
        if page:
            await bench.press(page)
        assert "IT ASKS FOR HELP" not in bench.text()
        await bench.show(scenes.outlook_asking())
        for fact in ("IT ASKS FOR HELP", "ASKS FOR HELP", "SPACE = STOP", "Timeout foreseen: 56 % within 1.3 s.", "goes on as before"):
            assert fact in bench.text(), fact
        await bench.press("g")
        assert bench.said() == [Go()]
        answered = scenes.said(scenes.outlook_quiet(), "forecast", "ANSWERED: go")
        await bench.show(answered)
        assert "IT ASKS FOR HELP" not in bench.text()
        assert page or "ANSWERED: go" in bench.text()


async def test_the_other_answers_and_the_stop_key_work_while_it_asks(opened: Open) -> None:
    async with opened(scenes.outlook_asking()) as bench:
        await bench.press("tab", "d")
        assert bench.said() == [SetMode(mode=Mode.JOG_XYZ), Disarm()]
        await bench.press("space")
        assert bench.page.counts()[Writer.CONSOLE] == 1


async def test_an_observer_sees_the_question_and_answers_nothing(opened: Open) -> None:
    async with opened(scenes.outlook_asking(), options=Options(readonly=True, key_age_max=60.0)) as bench:
        assert "Another console answers" in bench.text()
        await bench.press("g")
        assert bench.said() == []


# --- the page, and replay ---


async def test_z_opens_the_page_with_every_signal_and_says_so_where_there_is_no_forecast(opened: Open) -> None:
    async with opened(scenes.outlook_acting(), (80, 24)) as bench:
        await bench.press("z")
        shown = bench.text()
        for fact in ("FORECAST", "Z closes", "An alarm that lasts 0.25 s acts", "exec mismatch", "joint margin"):
            assert fact in shown, fact
        await bench.press("z")
        assert "Z closes" not in bench.text()
        await bench.show(scenes.running())
        await bench.press("z")
        assert "not configured" in bench.text()


def test_the_page_holds_the_table_and_eighteen_signals_at_the_small_size() -> None:
    shown = plain(page_rows(seen(scenes.outlook_acting()), 76, 18))
    assert len(shown) == 18
    assert sum(name in line for line in shown[9:] for name in SHORT) == len(SHORT)


def _asks_from(tick: int) -> Snapshot:
    return scenes.outlook_asking() if tick >= recording.STOP_AT else scenes.outlook_acting()


@pytest.fixture(scope="module")
def foreseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording in which a drop is foreseen, and from the middle on it asks."""
    return recording.recorded(tmp_path_factory.mktemp("foreseen"), _asks_from)


def history_of(session: Session, tick: int, inferences: Sequence[int]) -> list[float]:
    history = History()
    fill_past(history, session, tick, inferences)
    return list(history.alarms)


async def test_a_recording_shows_the_forecast_and_the_question_on_the_live_widgets(foreseen: Path) -> None:
    session = Session.open(foreseen)
    app = Sawhorse(lambda: ReplayScreen(session), options=Options(key_age_max=60.0))
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, ReplayScreen)
        screen.player.seek(recording.STOP_AT - 1)
        screen.draw()
        await pilot.pause()
        assert "▶drop" in text(app)
        assert "SLOWS" in text(app)
        screen.player.seek(recording.TICKS - 1)
        screen.draw()
        await pilot.pause()
        assert "▶timeout" in text(app)
        assert "It waited: go on, jog, or disarm." in text(app)
        await pilot.press("z")
        screen.draw()
        await pilot.pause()
        assert "Z closes" in text(app)
        alarms = history_of(session, recording.STOP_AT - 1, screen.player.inferences)
        assert alarms == [pytest.approx(0.71 / 0.40)] * (recording.STOP_AT // recording.EVERY)


def test_the_scrub_bar_marks_what_was_foreseen_and_what_came_of_it() -> None:
    kinds = (("forecast", 2, "▲"), ("score", 2, "▲"), ("disturbance", 4, "✖"), ("failure", 6, "✖"), ("success", 8, "✓"))
    happened = [Event(seq=at, tick=at, t_ns=at, wall=0.0, kind=kind, text="") for kind, at, _ in kinds]
    drawn = plain([scrub_bar(Player(times=list(range(11)), inferences=[], stops=[]), happened, 10)])[0]
    assert [drawn[at] for _, at, _ in kinds] == [mark for *_, mark in kinds]


def test_the_panel_s_frame_names_it() -> None:
    assert plain([ForecastPanel().title(seen(scenes.outlook_quiet()))])[0].startswith("FORECAST")
