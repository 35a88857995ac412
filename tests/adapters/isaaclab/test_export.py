"""The exported folder by itself: LeRobot's own hub loader fetches it from a hub of this test's own, and steps what it makes."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from adapters.base import AdapterError
from adapters.isaaclab import export
from tests.adapters.isaaclab.test_vector import WITHIN, served

COMMIT = "c0ffee" + "0" * 34

#: a stranger's program: it has LeRobot and knows this program's packages only from what is exported
STEPPING = """
import json, sys
import numpy as np
made = make({"link": sys.argv[1], "camera_height": 16, "camera_width": 24, "table": "radians", "camera_names": "front"})
(suite, tasks), = made.items()
env = tasks[0]
seen, info = env.reset(seed=[1, 2])
seen, reward, *_ = env.step(seen["agent_pos"])
import adapters
print(json.dumps({"suite": suite, "shape": seen["pixels"]["front"].shape, "reward": reward.tolist(), "from": adapters.__file__}))
env.close()
"""
LOCAL = """
from lerobot.envs.utils import _call_make_env, _import_hub_module, _normalize_hub_result
def make(cfg):
    return _normalize_hub_result(_call_make_env(_import_hub_module(sys.argv[2] + "/env.py", "owner/name"), 2, False, cfg))
"""
HUB = """
from dataclasses import dataclass
from lerobot.envs import HubEnvConfig, make_env
@dataclass
class Table(HubEnvConfig):
    link: str = ""
    camera_height: int = 0
    camera_width: int = 0
    table: str = ""
    camera_names: str = ""
def make(cfg):
    return make_env(Table(hub_path="owner/name", **cfg), n_envs=2, trust_remote_code=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("exported") / "table"
    export.export(found)
    return found


@pytest.fixture
def hub(folder: Path) -> Iterator[str]:
    """The address of a hub with the folder as its one repository."""

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            path = unquote(self.path.partition("?")[0])
            if path.startswith("/api/models/owner/name"):
                files = [one for one in sorted(folder.rglob("*")) if one.is_file()]
                tree = [{"type": "file", "path": str(one.relative_to(folder)), "size": one.stat().st_size, "oid": ""} for one in files]
                siblings = [{"rfilename": one["path"]} for one in tree]
                body = json.dumps(tree if "/tree/" in path else {"id": "owner/name", "sha": COMMIT, "siblings": siblings}).encode()
            elif not path.startswith("/owner/name/resolve/"):
                self.send_error(404)
                return
            else:
                body = (folder / path.split("/", 5)[5]).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def stepped(script: str, tmp_path: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """What the stranger's program tells."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHONPATH"))}
    given = kept | {"XDG_STATE_HOME": str(tmp_path / "state"), "HF_HOME": str(tmp_path / "hf"), **environment}
    with served() as (name, _):
        ended = subprocess.run(
            [sys.executable, "-c", f"import sys\n{script}{STEPPING}", name, *arguments],
            env=given,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=5 * WITHIN,
        )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    assert (told["suite"], told["shape"], told["reward"]) == ("Isaac-SO-ARM101-Lift-Cube-v0", [2, 16, 24, 3], [5.0, 5.0])
    return told


def test_lerobot_s_loader_takes_the_folder_as_it_is(folder: Path, tmp_path: Path) -> None:
    told = stepped(LOCAL, tmp_path, str(folder))
    assert Path(told["from"]).is_relative_to(folder)


def test_lerobot_fetches_env_py_from_a_hub_and_that_the_rest_once(folder: Path, tmp_path: Path, hub: str) -> None:
    told = stepped(HUB, tmp_path, HF_ENDPOINT=hub)
    kept = tmp_path / "hf/hub/models--owner--name/sawhorse" / COMMIT
    assert Path(told["from"]).is_relative_to(kept)
    for name in ("worker/main.py", "worker/main.py.lock", "guard.py"):
        one = kept / "sawhorse/adapters/isaaclab" / name
        assert not one.is_symlink()
        assert one.read_bytes() == (folder / "sawhorse/adapters/isaaclab" / name).read_bytes()
    stepped(HUB, tmp_path, HF_ENDPOINT=hub, HF_HUB_OFFLINE="1")


def test_the_folder_needs_nothing_but_what_its_requirements_name(folder: Path, tmp_path: Path) -> None:
    """The compact table needs most. Of what LeRobot brings: numpy, gymnasium and what that needs."""
    script = f"""
import sys
import gymnasium, numpy
class Others:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
allowed = {{"env", "adapters", "engine", *sys.argv[1].split()}}
sys.meta_path.insert(0, Others())
sys.path.insert(0, {str(folder)!r})
import env
try:
    env.make_env(cfg={{"table": "x"}})
except Exception as error:
    print(type(error).__name__, error)
from adapters.isaaclab.vector import Tool
Tool(1)
"""
    needed = {line.split("==")[0].split(">=")[0].strip() for line in export.requirements().splitlines()}
    modules = " ".join(name.replace("-", "_") for name in needed)
    ended = subprocess.run([sys.executable, "-c", script, modules], cwd=tmp_path, capture_output=True, text=True, timeout=WITHIN)
    assert ended.returncode == 0, ended.stderr
    assert "there are lerobot, radians, compact" in ended.stdout
    lacking = subprocess.run([sys.executable, "-c", script, ""], cwd=tmp_path, capture_output=True, text=True, timeout=WITHIN)
    assert f"is missing: `pip install -r {folder / 'requirements.txt'}` brings it." in lacking.stdout


def test_the_readme_says_how_it_is_used_with_every_setting(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    for word in ("Start no app", "isaac_python", "requirements.txt", "trust_remote_code=True", "NEXT_STEP", "`max_steps`: `0`", "jaw rad"):
        assert word in text
    assert not list(folder.rglob("*.safetensors"))


def test_nothing_is_written_over_unless_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / ".gitattributes").write_text("mine")
    export.export(tmp_path)
    old = tmp_path / "sawhorse/adapters/old.py"
    old.write_text("")
    with pytest.raises(AdapterError, match=r"has env\.py already: give --force to write over it, or another folder\."):
        export.export(tmp_path)
    export.export(tmp_path, force=True)
    assert not old.exists()
    assert (tmp_path / ".gitattributes").read_text() == "mine"


def test_somebody_else_s_folder_of_that_name_stays_even_so(tmp_path: Path) -> None:
    precious = tmp_path / "sawhorse" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("mine")
    with pytest.raises(AdapterError, match="was not written by this command and is not written over"):
        export.export(tmp_path, force=True)
    assert precious.read_text() == "mine"
    assert not (tmp_path / "env.py").exists()


def held(folder: Path) -> dict[str, Any]:
    """All that lies there: the bytes of files, where links lead, None for folders."""
    return {
        str(one.relative_to(folder)): os.readlink(one) if one.is_symlink() else one.read_bytes() if one.is_file() else None
        for one in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("name", ["README.md", "requirements.txt", "env.py"])
@pytest.mark.parametrize("kind", ["file", "folder", "link", "broken link"])
@pytest.mark.parametrize("beside", ["alone", "an earlier export"])
def test_what_another_wrote_stays_byte_for_byte(name: str, kind: str, beside: str, folder: Path, tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    shutil.copytree(folder, place, ignore=shutil.ignore_patterns("*" if beside == "alone" else "sawhorse"))
    (place / name).unlink(missing_ok=True)
    if kind == "file":
        (place / name).write_text("mine")
    elif kind == "folder":
        (place / name).mkdir()
    else:
        if kind == "link":
            elsewhere.write_text((folder / name).read_text())
        (place / name).symlink_to(elsewhere)
    before = held(tmp_path)
    for force in (False, True):
        with pytest.raises(AdapterError, match=f"{name} was not written by this command and is not written over"):
            export.export(place, force)
        assert held(tmp_path) == before


def test_packages_that_are_another_s_or_elsewhere_stay(folder: Path, tmp_path: Path) -> None:
    """Beside this command's own ``env.py``, for somebody may have taken that alone."""
    for kind in ("link", "more"):
        place = tmp_path / kind
        shutil.copytree(folder, place)
        if kind == "link":
            (place / "sawhorse").rename(tmp_path / "moved")
            (place / "sawhorse").symlink_to(tmp_path / "moved")
        else:
            (place / "sawhorse/thesis.txt").write_text("mine")
        before = held(tmp_path)
        with pytest.raises(AdapterError, match="sawhorse was not written by this command"):
            export.export(place, force=True)
        assert held(tmp_path) == before


@pytest.mark.parametrize("place", ["sawhorse", "sawhorse/new", "sawhorse/adapters/new", "way", "way/new", "other/../sawhorse", "."])
def test_the_program_s_own_files_are_no_place_for_it(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "sawhorse"
    for name in export.BROUGHT:
        (own / name).mkdir(parents=True)
        (own / name / "mine.py").write_text("mine")
    (tmp_path / "env.py").write_text(export.ENV)
    (tmp_path / "other").mkdir()
    (tmp_path / "way").symlink_to(own)
    monkeypatch.setattr(export, "PACKAGES", own)
    before = held(tmp_path)
    with pytest.raises(AdapterError, match="lies in this program's own files"):
        export.export(tmp_path / place, force=True)
    assert held(tmp_path) == before
