"""Settings: where each comes from, and one sentence for each thing that can be wrong."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from engine.config import ConfigError, Settings, load, origins
from engine.limits import Limits


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


def test_origins_name_the_source_of_each_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[camera]\npixels = 64\n")
    monkeypatch.setenv("SAWHORSE_LIMITS__FORCE_MAX", "40")
    found = origins({"seed": 4}, file)
    assert found["seed"] == (4, "flag")
    assert found["limits.force_max"] == (40.0, "environment")
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
        ({"device": "gpu"}, "device"),
        ({"limits": {"workspace_min": [0.1, 0.2]}}, "workspace_min"),
    ],
)
def test_a_wrong_setting_is_named_with_its_nearest_match(flags: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(flags)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", [field.name for field in fields(Limits) if not field.name.startswith("workspace_m")])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e9])
def test_no_limit_can_be_set_out_of_its_range(name: str, value: float) -> None:
    with pytest.raises(ConfigError):
        load({"limits": {name: value}})


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (
            {"slow_below": 0.99, "continue_above": 0.55, "stop_below": 0.74},
            "stop_below < slow_below <= continue_above must hold, not 0.74, 0.99, 0.55.",
        ),
        ({"slow_below": 0.6, "stop_below": 0.6}, "stop_below < slow_below <= continue_above must hold, not 0.6, 0.6, 0.8."),
        ({"workspace_min": (0.9, -0.5, 0.3)}, "workspace_min must be less than workspace_max along x, not 0.9 and 0.78."),
        ({"workspace_max": (0.78, 0.5, 0.3)}, "workspace_min must be less than workspace_max along z, not 0.3 and 0.3."),
        ({"workspace_max": (0.78, float("nan"), 0.9)}, "workspace_min must be less than workspace_max along y, not -0.5 and nan."),
    ],
)
def test_limits_that_contradict_each_other_are_refused_in_one_sentence(limits: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load({"limits": limits})
    assert str(raised.value) == f"The settings under limits contradict each other: {sentence}"


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


def test_settings_survive_the_way_to_the_engine_process() -> None:
    settings = load({"seed": 7, "limits": {"force_max": 40.0}})
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
