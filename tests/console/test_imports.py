"""What the console's modules may load: the command line must be light, and nothing of the engine's decisions is decided here."""

import subprocess
import sys

import pytest

HEAVY = ("textual", "numpy", "torch", "lerobot", "mujoco", "zarr", "pydantic")


def loaded(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("module", ["console", "console.cli"])
def test_the_command_line_loads_nothing_heavy(module: str) -> None:
    assert not loaded(f"import {module}") & set(HEAVY)


def test_the_live_screen_loads_neither_model_nor_simulator_nor_store() -> None:
    assert not loaded("import console.app, console.screens.live") & {"torch", "lerobot", "transformers", "mujoco", "warp", "zarr"}
