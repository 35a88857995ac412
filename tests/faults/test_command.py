"""``sawhorse doctor --faults`` as it is typed: one fault as JSON, and a name that no fault bears."""

import json
import os
import subprocess
import sys
from pathlib import Path

from engine.exits import CLEAN, USAGE
from engine.faults.processes import PROGRAM

NAME = "grip sensor says NaN"


def doctor(home: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """With settings of its own, and the placeholder policy, which needs no loading."""
    config = home / "config.toml"
    config.write_text('policy = "scripted"\n')
    command = [sys.executable, "-c", PROGRAM, "doctor", "--faults", "--config", str(config), "--json", *arguments]
    return subprocess.run(
        command, env=os.environ | {"TMPDIR": str(home)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_one_fault_is_one_row_of_json_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--only", NAME)
    assert done.returncode == CLEAN, done.stderr + done.stdout
    rows = json.loads(done.stdout)
    assert [(row["fault"], row["ok"], row["stop_category"], row["rows_lost"], row["reason"]) for row in rows] == [
        (NAME, True, 2, 0, "grip_not_finite")
    ]
    assert rows[0]["ticks_to_stop"] <= rows[0]["limit_ticks"] + 1
    assert rows[0]["rest_s"] <= 0.3
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_name_that_no_fault_bears_is_told_in_one_sentence(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--only", "gremlins")
    assert done.returncode == USAGE
    assert done.stdout == ""
    assert "'gremlins'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
