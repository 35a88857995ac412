"""Isaac Lab as the settings and the command line ask for it, and a run without a screen that ends by itself."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapters.isaaclab import entry, known
from console.cli import main
from console.commands.common import check_isaac, isaac_flags
from engine import headless
from engine.config import ConfigError, Settings, load
from engine.exits import CLEAN, USAGE
from engine.limits import Limits
from engine.messages import AdjustForce, Hold
from engine.operator import NO_SAW, Operator
from engine.policy import mapping
from engine.policy.scripted import expert_of
from engine.snapshot import badges
from engine.tasks import KINDS, SMOLVLA
from tests.adapters.isaaclab import plant_side

LIFT, REACH = "Isaac-SO-ARM101-Lift-Cube-v0", "Isaac-SO-ARM101-Reach-v0"


def test_without_a_word_it_picks_the_cube_with_smolvla_which_gets_what_it_needs() -> None:
    found = load({"robot": "isaaclab"})
    assert (found.task, found.policy, found.instruction) == (LIFT, SMOLVLA, "Pick the cube.")
    assert found.camera.pixels == 256
    table = mapping.from_json(found.mapping, "it")
    assert (table.state_size, len(table.action), set(table.cameras.values())) == (6, 6, set(known.VIEWS))
    own = load({"robot": "isaaclab", "camera": {"pixels": 64}, "instruction": "Wave."})
    assert (own.camera.pixels, own.instruction) == (64, "Wave.")
    assert Settings.model_validate_json(found.model_dump_json()) == found


def test_the_shipped_policy_is_so101_sims_and_needs_nothing() -> None:
    found = load({"robot": "isaaclab", "policy": "compact"})
    assert (found.camera.pixels, found.mapping) == (128, {})
    assert KINDS["isaaclab"].checkpoint == KINDS["so101-sim"].checkpoint
    assert KINDS["isaaclab"].twin == "so101-sim"
    assert load({"robot": "so101-sim", "policy": SMOLVLA}).mapping == {}


def test_the_expert_of_a_task_is_the_arms_whatever_the_task_is_called() -> None:
    assert expert_of("isaaclab", REACH).args == ("so101", "reach")  # type: ignore[attr-defined]
    assert expert_of("so101-sim", "lift").args == ("so101", "lift")  # type: ignore[attr-defined]


def test_the_worker_is_asked_for_what_the_settings_say() -> None:
    given = load(
        {
            "robot": "isaaclab",
            "task": REACH,
            "policy": "compact",
            "seed": 3,
            "device": "cuda",
            "camera": {"hz": 20.0},
            "isaaclab": {"num_envs": 3, "ee_in_obs": False, "ee_link_name": "wrist_link"},
        }
    )
    asked = entry.handshake(given)
    assert asked["camera_every"] == 5  # of 10 ms
    assert asked["cameras"] == {name: [128, 128] for name in known.VIEWS}
    assert {key: asked[key] for key in ("task", "seed", "environments", "joints", "pace", "device", "ee_in_obs", "ee_link_name")} == {
        "task": REACH,
        "seed": 3,
        "environments": 3,
        "joints": list(known.JOINTS),
        "pace": "clock",
        "device": "cuda:0",
        "ee_in_obs": False,
        "ee_link_name": "wrist_link",
    }
    json.dumps(asked)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"num_envs": 65}, "isaaclab.num_envs = 65 from flag --num-envs is not allowed: it must be at least 1 and at most 64"),
        ({"robot_name": "a b"}, "isaaclab.robot_name = 'a b' from flag --robot-name is not allowed: use letters, digits and _"),
        ({"link": "a/b"}, "isaaclab.link = 'a/b'"),
        ({"nums": 1}, "Unknown setting 'isaaclab.nums' from flag --nums: did you mean 'num_envs'"),
    ],
)
def test_what_isaac_lab_cannot_be_is_refused_in_a_sentence(section: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load({"robot": "isaaclab", "isaaclab": section})
    assert words in str(refused.value)


def test_its_flags_are_its_own_with_dashes_or_underscores() -> None:
    other = CliRunner().invoke(main, ["run", "--robot", "so101-sim", "--num_envs", "2", "--no_ee_in_obs", "--headless"])
    assert (other.exit_code, other.stderr) == (
        USAGE,
        "sawhorse: Of isaaclab only: --num-envs, --ee-in-obs; leave that out, or give --robot isaaclab.\n",
    )
    given = dict.fromkeys(("num_envs", "max_steps", "episodes", "robot_name", "ee_link_name", "ee_in_obs", "isaac_python"))
    flags = isaac_flags({"robot": "isaaclab", **given, "episodes": 2})
    assert flags == {"robot": "isaaclab", "isaaclab": {"episodes": 2}}
    check_isaac(load(flags), flags)
    task = CliRunner().invoke(main, ["run", "--robot", "isaaclab", "--task", "Isaac-SO-ARM101-Lift-v0", "--headless"])
    assert (task.exit_code, f"did you mean '{LIFT}'?" in task.stderr) == (USAGE, True)


def test_nothing_that_plays_in_lock_step_is_done_with_it(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["collect", str(tmp_path / "set"), "--robot", "isaaclab", "--policy", "scripted"])
    assert told.exit_code == USAGE
    assert "in lock-step, which isaaclab does not play here" in told.stderr


def test_several_environments_are_a_badge() -> None:
    assert badges({"num_envs": 4}, None) == ("1 OF 4 ENVIRONMENTS",)
    assert badges({"num_envs": 1}, None) == badges({}, None) == ()


@pytest.mark.parametrize("pushed", [True, False])
def test_keys_push_a_robot_without_a_saw_only_where_that_means_something(pushed: bool) -> None:
    operator = Operator(Limits(), "isaaclab", 5, pushed=pushed)
    told = {"at_rest": True, "in_kerf": False, "armed": True, "saw": False}
    operator.apply(AdjustForce(delta=5.0), 1, **told)
    assert operator.refused == ("" if pushed else NO_SAW)
    operator.apply(Hold(axis="pull", down=True, repeat=False, seq=1), 2, **told)
    assert operator.hand_force == (20.0 if pushed else 0.0)
    operator.refused = ""
    operator.apply(Hold(axis="press", down=True, repeat=False, seq=2), 3, **told)
    assert operator.refused == NO_SAW


def test_a_run_without_a_screen_ends_in_good_order_when_its_episodes_are_over() -> None:
    link = f"test-{os.getpid()}-run"
    limits = {"observation_age_max": 0.1, "frame_age_max": 1.0, "inference_age_max": 2.0, "clock_step_max": 1.0, "watchdog_self": 5.0}
    given = load(
        {
            "robot": "isaaclab",
            "task": REACH,
            "policy": "scripted",
            "record": False,
            "limits": limits | {"watchdog_camera": 5.0, "watchdog_inference": 5.0},
            "isaaclab": {"link": link, "episodes": 2, "max_steps": 100_000},
        }
    )
    command = [sys.executable, "-m", plant_side.__name__, link, "steps"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=Path(__file__).parents[3]) as worker:
        try:
            summary, code = headless.run(given, plant_side.WITHIN, io.StringIO())
        finally:
            worker.kill()
    assert (summary["exit_reason"], summary["task_done"], code) == ("2 episodes are over, 2 of them done", True, CLEAN)
