"""ARM_PORT, DRY_RUN and the like: what they set, over what they never win, and that none of them takes caution away."""

import json
import logging
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner
from huggingface_hub import constants, get_token

from console.cli import main
from engine.config import ConfigError, Settings, load, origins
from engine.host import log_to, open_robot
from engine.plain_names import NAMES
from engine.policy import hub
from engine.policy.errors import PolicyError
from engine.session.schema import header, plain

SO101 = {"robot": "so101"}


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_each_name_sets_its_setting_and_is_named_as_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"USE_HARDWARE": "true", "ARM_PORT": "/dev/ttyACM7", "MODEL_PATH": str(tmp_path), "DRY_RUN": "1"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".env").write_text("INFERENCE_RATE_HZ=15\nDEVICE=cuda\nARM_PORT=/dev/ttyACM8\n")
    found = origins({})
    assert {key: found[key] for key in ("robot", "so101.port", "so101.dry_run", "policy", "camera.hz", "device", "so101.emulated")} == {
        "robot": ("so101", "environment variable USE_HARDWARE"),
        "so101.port": ("/dev/ttyACM7", "environment variable ARM_PORT"),
        "so101.dry_run": (True, "environment variable DRY_RUN"),
        "policy": (str(tmp_path), "environment variable MODEL_PATH"),
        "camera.hz": (15.0, f"INFERENCE_RATE_HZ in {tmp_path / '.env'}"),
        "device": ("cuda", f"DEVICE in {tmp_path / '.env'}"),
        "so101.emulated": (False, "default"),
    }


def test_they_lose_to_flags_and_to_our_own_names_and_win_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text("robot = 'so101'\n[so101]\nport = '/dev/file'\n[camera]\nhz = 10\n")
    assert load({}, file).so101.port == "/dev/file"
    (tmp_path / ".env").write_text("ARM_PORT=/dev/dotenv\nDEVICE=cuda:1\nINFERENCE_RATE_HZ=20\n")
    assert load({}, file).so101.port == "/dev/dotenv"
    monkeypatch.setenv("ARM_PORT", "/dev/plain")
    assert load({}, file).so101.port == "/dev/plain"
    (tmp_path / ".env").write_text("SAWHORSE_SO101__PORT=/dev/ours\nDEVICE=cuda:1\nINFERENCE_RATE_HZ=20\n")
    settings = load({"device": "cpu"}, file)
    assert (settings.so101.port, settings.device, settings.camera.hz) == ("/dev/ours", "cpu", 20.0)
    assert load({"so101": {"port": "/dev/flag"}}, file).so101.port == "/dev/flag"


def test_to_other_robots_they_say_nothing_and_use_hardware_changes_no_robot_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "nonsense of another program")
    assert load({}) == Settings()
    monkeypatch.setenv("USE_HARDWARE", "true")
    assert load({"robot": "so101-sim"}).robot == "so101-sim"
    file = tmp_path / "config.toml"
    file.write_text("robot = 'pickplace'\n")
    assert load({}, file).robot == "pickplace"
    monkeypatch.setenv("SAWHORSE_ROBOT", "cosaw")
    assert load({}) == Settings()


def test_none_of_them_takes_caution_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.toml"
    file.write_text("robot = 'so101'\n[so101]\nemulated = true\ndry_run = true\n")
    monkeypatch.setenv("USE_HARDWARE", "true")
    monkeypatch.setenv("DRY_RUN", "false")
    arm = load({}, file).so101
    assert arm.emulated
    assert arm.dry_run
    monkeypatch.setenv("USE_HARDWARE", "no")
    monkeypatch.setenv("DRY_RUN", "on")
    arm = load(SO101).so101
    assert arm.emulated
    assert arm.dry_run
    assert not load(SO101 | {"so101": {"emulated": False}}).so101.emulated


@pytest.mark.parametrize(
    ("names", "policy"),
    [
        ({}, "compact"),
        ({"MODEL_MODE": "scripted"}, "scripted"),
        ({"MODEL_MODE": "compact", "MODEL_PATH": "someone/arm"}, "compact"),
        ({"MODEL_MODE": "checkpoint", "MODEL_PATH": "someone/arm"}, "someone/arm"),
        ({"MODEL_PATH": "someone/arm"}, "someone/arm"),
        ({"MODEL_MODE": "", "MODEL_PATH": "", "DRY_RUN": " "}, "compact"),
    ],
)
def test_the_mode_says_which_policy_and_the_path_where(names: dict[str, str], policy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    assert load(SO101).policy == policy


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"DRY_RUN": "maybe"}, "environment variable DRY_RUN = 'maybe' is not allowed: use true or false."),
        ({"USE_HARDWARE": "2"}, "environment variable USE_HARDWARE = '2' is not allowed: use true or false."),
        ({"MODEL_MODE": "smart"}, "MODEL_MODE = 'smart' is not allowed: use compact, scripted or checkpoint, with MODEL_PATH."),
        ({"MODEL_MODE": "checkpoint"}, "MODEL_MODE = 'checkpoint' needs MODEL_PATH"),
        ({"MODEL_PATH": "nowhere"}, "Unknown policy 'nowhere' (and no such folder) from environment variable MODEL_PATH"),
        (
            {"INFERENCE_RATE_HZ": "fast"},
            "camera.hz = 'fast' from environment variable INFERENCE_RATE_HZ is not allowed: it must",
        ),
        ({"DEVICE": "gpu"}, "device = 'gpu' from environment variable DEVICE is not allowed: use cpu, cuda or cuda:N"),
    ],
)
def test_a_value_that_is_not_taken_is_refused_by_its_name(names: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as raised:
        load(SO101)
    assert words in str(raised.value)


def test_the_lines_of_others_in_the_file_are_nobody_s_mistake(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HF_TOKEN=hf_secret\nPASSWORD=x\nSAWHORSE_SEED=5\n")
    assert load({}).seed == 5
    (tmp_path / ".env").write_text("SAWHORSE_ROBOTT=cosaw\n")
    with pytest.raises(ConfigError, match="did you mean 'robot'"):
        load({})


def test_a_token_is_the_hub_library_s_and_in_no_header_and_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert get_token() == "hf_secret"
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    log_to(tmp_path / "log")
    try:
        root.setLevel(logging.DEBUG)
        with pytest.raises(PolicyError) as raised:
            hub.folder("someone/arm", logging.info, ("config.json",))
        logging.info("tried")
    finally:
        root.handlers[0].close()
        root.handlers[:], root.level = before, level
    assert "hf_secret" not in str(raised.value)
    log = (tmp_path / "log").read_text()
    assert "looking for someone/arm" in log
    assert "hf_secret" not in log
    settings = load({"robot": "so101-sim"})
    assert "hf_secret" not in json.dumps(plain(header(settings, *open_robot(settings))))


def test_a_token_is_in_no_setting_and_nothing_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    (tmp_path / ".env").write_text("HF_TOKEN=hf_secret_too\nDRY_RUN=1\n")
    for more in ((), ("--json",), ("--robot", "so101")):
        shown = CliRunner().invoke(main, ["config", "show", *more])
        assert shown.exit_code == 0
        assert "hf_secret" not in shown.output
    assert json.loads(CliRunner().invoke(main, ["config", "show", "--json", "--robot", "so101"]).stdout)["so101.dry_run"] == {
        "value": True,
        "source": f"DRY_RUN in {tmp_path / '.env'}",
    }
    assert "hf_secret" not in load(SO101).model_dump_json()
