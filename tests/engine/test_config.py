"""Settings: where each comes from, and one sentence for each thing that can be wrong."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from annotated_types import Interval

from engine.config import ConfigError, Settings, load, origins
from engine.limits import Limits
from engine.tasks import KINDS, ROBOTS

HINTS = get_type_hints(Limits, include_extras=True)
NUMBERS = [field.name for field in fields(Limits) if get_origin(HINTS[field.name]) is Annotated]
CORNERS = [field.name for field in fields(Limits) if get_origin(HINTS[field.name]) is tuple]
WORDS = [field.name for field in fields(Limits) if get_origin(HINTS[field.name]) is Literal]
SWITCHES = [field.name for field in fields(Limits) if HINTS[field.name] is bool]


def bounds(hint: Any) -> tuple[float, float]:
    """(lowest, highest) of a number, open or closed."""
    interval = get_args(hint)[1]
    assert isinstance(interval, Interval)
    low = interval.gt if interval.ge is None else interval.ge
    high = interval.lt if interval.le is None else interval.le
    assert isinstance(low, float)
    assert isinstance(high, float)
    return low, high


def refusal(flags: dict[str, Any], path: Path | None = None) -> str:
    """The one sentence."""
    with pytest.raises(ConfigError) as raised:
        load(flags, path)
    text = str(raised.value)
    assert "\n" not in text
    return text


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))


def test_flags_win_over_environment_over_dotenv_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text("seed = 1\ninstruction = 'file'\ndevice = 'cuda:1'\n[camera]\npixels = 64\n")
    (tmp_path / ".env").write_text("SAWHORSE_SEED=2\nSAWHORSE_INSTRUCTION=dotenv\n")
    monkeypatch.setenv("SAWHORSE_SEED", "3")
    assert load({"seed": 4}, file).seed == 4
    settings = load({}, file)
    assert (settings.seed, settings.instruction, settings.device, settings.camera.pixels) == (3, "dotenv", "cuda:1", 64)


def test_a_list_may_be_set_by_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAWHORSE_LIMITS__WORKSPACE_MIN", "[0.2, -0.4, 0.3]")
    assert load({}).limits.workspace_min == (0.2, -0.4, 0.3)
    monkeypatch.setenv("SAWHORSE_LIMITS__WORKSPACE_MIN", "[200, -0.4, 0.3]")
    assert "limits.workspace_min" in refusal({})
    monkeypatch.setenv("SAWHORSE_LIMITS__WORKSPACE_MIN", "[0.2, -0.4")
    assert "SAWHORSE_LIMITS__WORKSPACE_MIN" in refusal({})


def test_origins_name_the_source_of_each_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[camera]\npixels = 64\n")
    (tmp_path / ".env").write_text("SAWHORSE_DEVICE=cuda\n")
    monkeypatch.setenv("SAWHORSE_LIMITS__FORCE_MAX", "40")
    found = origins({"seed": 4}, file)
    assert found["seed"] == (4, "flag --seed")
    assert found["limits.force_max"] == (40.0, "environment variable SAWHORSE_LIMITS__FORCE_MAX")
    assert found["device"] == ("cuda", f"SAWHORSE_DEVICE in {tmp_path / '.env'}")
    assert found["camera.pixels"] == (64, str(file))
    assert found["robot"] == ("cosaw", "default")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"robt": "cosaw"}, "did you mean 'robot'?"),
        ({"robot": "cosav"}, "did you mean 'cosaw'?"),
        ({"task": "sow"}, "did you mean 'saw'?"),
        ({"policy": "compat"}, "did you mean 'compact'?"),
        ({"limits": {"force_mx": 1}}, "did you mean 'force_max'?"),
        ({"camera": {"pixel": 64}}, "did you mean 'pixels'?"),
        ({"ensemble": {"perturbd": 1}}, "did you mean 'perturbed'?"),
        (
            {"ensemble": {"perturbed": 4}},
            "perturbed = 4 from flag --ensemble.perturbed is not allowed: it must be at least 1 and at most 3.",
        ),
        (
            {"mapping": {"cameras": {"a": "front"}}},
            "it is no mapping (Object missing required field `state`); expected cameras",
        ),
        ({"device": "gpu"}, "device = 'gpu' from flag --device is not allowed: use cpu, cuda or cuda:N with N from 0 to 99."),
        ({"device": "cuda:9999999999999"}, "device = 'cuda:9999999999999' from flag --device is not allowed: use cpu, cuda or cuda:N with"),
        ({"device": "cuda:\u0661"}, "use cpu, cuda or cuda:N with N from 0 to 99."),
        ({"limits": {"workspace_min": [0.1, 0.2]}}, "workspace_min"),
        ({"camera": {"hz": 2}}, "it must be at least 3 and at most 60."),
        ({"camera": {"pixels": 8}}, "it must be at least 64 and at most 256 and a multiple of 16."),
        ({"body": ""}, "name a folder or a file"),
        ({"camera": 5}, "camera = 5 from flag --camera is not allowed: it must be a table, {name = value, ...}."),
        ({"instruction": "a\x1b[31mb"}, "write one line that can be read, without control characters."),
        ({"instruction": "  "}, "write one line that can be read, without control characters."),
        ({"store": "x\0"}, r"store = 'x\x00' from flag --store is not allowed: name a folder or a file"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(flags: dict[str, Any], words: str) -> None:
    assert words in refusal(flags)


def test_a_policy_may_be_a_name_on_the_hub_with_a_mapping_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        """
        policy = "lerobot/smolvla_base"
        robot = "so101-sim"
        [ensemble]
        members = ["someone/arm", "expert.safetensors"]
        samples = 4
        [mapping]
        cameras = { camera1 = "front", camera2 = "side", camera3 = "top" }
        state = [["joint_position", 5, 57.29577951308232], ["gripper", 1, -100.0, 100.0]]
        action_space = "joint_position"
        action = ["j1", "j2", "j3", "j4", "j5", ["grip", -100.0, 100.0]]
        statistics = "so100"
        """
    )
    settings = load({}, file)
    assert settings.ensemble.members == ("someone/arm", "expert.safetensors")
    assert settings.mapping["statistics"] == "so100"
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


def test_every_number_of_the_limits_has_a_positive_lower_bound_and_an_upper_one() -> None:
    assert len(NUMBERS) + len(CORNERS) + len(WORDS) + len(SWITCHES) == len(fields(Limits))
    for name in NUMBERS:
        low, high = bounds(HINTS[name])
        assert 0.0 < low <= getattr(Limits(), name) <= high < float("inf"), name
    for name in CORNERS:
        for hint, value in zip(get_args(HINTS[name]), getattr(Limits(), name), strict=True):
            low, high = bounds(hint)
            assert low <= value <= high, name


@pytest.mark.parametrize("name", NUMBERS)
def test_no_limit_can_be_set_out_of_its_range(name: str) -> None:
    low, high = bounds(HINTS[name])
    for value in (0.0, -1.0, low * 0.99, high * 1.01, 1000.0 * high, float("nan"), float("inf"), "forty", True, None, [1.0]):
        text = refusal({"limits": {name: value}})
        assert f"The setting limits.{name} = {value!r} from flag --limits.{name.replace('_', '-')} is not allowed" in text
        assert f"{low:g} and " in text
        assert f" {high:g}" in text


@pytest.mark.parametrize("name", WORDS)
def test_a_limit_that_is_a_word_takes_no_other_and_names_those_it_takes(name: str) -> None:
    for value in ("halt", "", True, 1, None, ["slow"]):
        text = refusal({"limits": {name: value}})
        assert f"The setting limits.{name} = {value!r} from flag --limits.{name.replace('_', '-')} is not allowed" in text
        for word in get_args(HINTS[name]):
            assert f"'{word}'" in text


def test_a_forecast_is_the_shipped_one_none_or_a_folder_that_is_there(tmp_path: Path) -> None:
    assert load({}).forecast.path == "shipped"
    assert load({"forecast": {"path": str(tmp_path)}}).forecast.path == str(tmp_path)
    assert "did you mean 'shipped'?" in refusal({"forecast": {"path": "shiped"}})
    assert "did you mean 'path'?" in refusal({"forecast": {"pth": "none"}})


@pytest.mark.parametrize("name", CORNERS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_no_corner_of_the_workspace_can_be_set_out_of_its_range(name: str, axis: int) -> None:
    low, high = bounds(get_args(HINTS[name])[axis])
    for value in (low - 0.01, high + 0.01, 1000.0 * getattr(Limits(), name)[axis], float("nan"), "far"):
        corner = [*getattr(Limits(), name)]
        corner[axis] = value
        text = refusal({"limits": {name: corner}})
        assert f"limits.{name}[{axis}] = {value!r} from" in text
        assert f"at least {low:g} and at most {high:g} m" in text


def test_a_lengths_unit_is_named_to_who_gave_millimetres(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[limits]\ncrush_gap = 120\n")
    assert (
        refusal({}, file) == f"The setting limits.crush_gap = 120 from {file} is not allowed: it must be at least 0.05 and at most 0.5 m."
    )


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({"slow_below": 0.99, "continue_above": 0.55}, "stop_below < slow_below <= continue_above must hold, not 0.5, 0.99, 0.55"),
        ({"slow_below": 0.6, "stop_below": 0.6}, "stop_below < slow_below <= continue_above must hold, not 0.6, 0.6, 0.8"),
        ({"tank_min": 5.0, "tank_max": 1.0}, "tank_min < tank_max must hold, not 5.0, 1.0"),
        ({"rest_speed": 0.05, "speed_unsensed": 0.02}, "rest_speed < speed_unsensed must hold, not 0.05, 0.02"),
        ({"reaction_floor": 0.02, "reaction_control": 0.1}, "reaction_control <= reaction_floor must hold, not 0.1, 0.02"),
        ({"hand_speed": 0.5, "person_speed": 0.6}, "body_speed_min <= person_speed <= hand_speed must hold, not 0.5, 0.6, 0.5"),
        ({"workspace_min": (0.9, -0.5, 0.3)}, "by over twice workspace_margin along x, not 0.9 and 0.78"),
        ({"workspace_max": (0.78, 0.5, 0.3)}, "by over twice workspace_margin along z, not 0.3 and 0.3"),
        ({"workspace_min": (0.2, 0.4, 0.3), "workspace_max": (0.7, 0.45, 0.9)}, "along y, not 0.4 and 0.45"),
    ],
)
def test_limits_that_contradict_each_other_are_refused_with_their_sources(limits: dict[str, Any], rule: str) -> None:
    text = refusal({"limits": limits})
    assert text.startswith("The settings under limits contradict each other: ")
    assert rule in text
    for name in limits:
        assert f"{name} from flag --limits.{name.replace('_', '-')}" in text


def test_a_refusal_names_the_variable_the_file_and_the_folders_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[limits]\nforce_max = -1\n")
    assert refusal({}, file).startswith(f"The setting limits.force_max = -1 from {file} is not allowed")
    (tmp_path / ".env").write_text("SAWHORSE_LIMITS__FORCE_MAX=-2\n")
    assert f"= '-2' from SAWHORSE_LIMITS__FORCE_MAX in {tmp_path / '.env'}" in refusal({}, file)
    monkeypatch.setenv("SAWHORSE_LIMITS", '{"force_max": -3}')
    assert "= -3 from environment variable SAWHORSE_LIMITS is not allowed" in refusal({}, file)
    monkeypatch.setenv("SAWHORSE_LIMITS__FORCE_MAX", "-4")
    assert "= '-4' from environment variable SAWHORSE_LIMITS__FORCE_MAX is" in refusal({}, file)


def test_a_folder_s_own_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"SEED=1\xff\n")
    text = refusal({})
    assert text.startswith(f"{tmp_path / '.env'} cannot be read (")
    assert text.endswith("write it as UTF-8 text, or move it away.")


def test_an_unknown_variable_of_ours_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAWHORSE_ROBOTT", "cosaw")
    with pytest.raises(ConfigError, match="SAWHORSE_ROBOTT"):
        load({})


@pytest.mark.parametrize("text", ["seed = ", "\x00"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"broken\.toml"):
        load({}, file)


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load({}, tmp_path / "none.toml")


def test_a_body_table_or_a_cell_that_cannot_be_used_is_refused_with_the_settings(tmp_path: Path) -> None:
    for name in ("body", "cell"):
        file = tmp_path / f"{name}.toml"
        file.write_text("")
        assert str(file) in refusal({name: str(file)})


def test_settings_survive_the_way_to_the_engine_process() -> None:
    settings = load({"seed": 7, "limits": {"force_max": 40.0}})
    assert Settings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize("robot", ROBOTS)
def test_task_instruction_and_limits_follow_the_robot_unless_they_are_set(robot: str) -> None:
    for task in KINDS[robot].tasks:
        settings = load({"robot": robot, "task": task})
        assert settings.instruction == KINDS[robot].instructions[task]
        assert settings.policy == KINDS[robot].policy
        assert settings.limits == Limits(**KINDS[robot].limits)
    assert load({"robot": robot}).task == KINDS[robot].tasks[0]
    own = load({"robot": robot, "instruction": "Wave.", "limits": {"force_max": 12.0}})
    assert own.instruction == "Wave."
    assert own.limits == Limits(**KINDS[robot].limits | {"force_max": 12.0})
    assert Settings.model_validate_json(own.model_dump_json()) == own


def test_only_the_saw_s_partner_makes_a_robot_give_way() -> None:
    assert [robot for robot in ROBOTS if load({"robot": robot}).limits.yields] == ["cosaw"]


def test_a_robot_takes_only_its_own_tasks_and_no_cell_of_another() -> None:
    assert "Unknown task 'saw' for pickplace" in refusal({"robot": "pickplace", "task": "saw"})
    assert "Unknown task 'pickplace' for so101-sim" in refusal({"robot": "so101-sim", "task": "pickplace"})
    assert "takes no cell = cell.toml" in refusal({"robot": "so101-sim", "cell": "cell.toml"})
    assert "it must be at least 1 and at most 140 N" in refusal({"robot": "pickplace", "limits": {"force_max": 500}})


def test_a_robot_that_senses_nobody_goes_only_while_its_key_is_held() -> None:
    assert "hold_to_run must stay true on so101" in refusal({"robot": "so101", "limits": {"hold_to_run": False}})
