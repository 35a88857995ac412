"""A checkpoint by its name on the hub: from the cache without a network, fetched with its size told, or refused in one sentence."""

import hashlib
import http.server
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from engine.policy import hub
from engine.policy.loading import Options, PolicyError, load
from tests.policy.test_mapping import FOREIGN

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def silent(text: str) -> None:
    pass


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, a hub that may be asked, and nobody there."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    return tmp_path / "hub"


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection is refused, as on a machine without a network."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def stored(cache: Path, name: str, folder: Path) -> Path:
    """``folder`` laid out as the hub's client keeps a repository."""
    home = cache / f"models--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(folder, home / "snapshots" / COMMIT))


def test_an_id_is_an_owner_and_a_name() -> None:
    for name in ("lerobot/smolvla_base", "a/b@v1.0"):
        assert hub.is_id(name), name
    for name in ("compact", "./a/b", "/a/b", "a/b/c", "a/", "../a"):
        assert not hub.is_id(name), name


def test_a_cached_copy_loads_without_a_network(foreign: Path, cache: Path, untrained: Path) -> None:
    snapshot = stored(cache, "someone/arm", foreign)
    stored(cache, "someone/vlm", untrained / "vlm")
    config = json.loads((snapshot / "config.json").read_text())
    (snapshot / "config.json").write_text(json.dumps({**config, "vlm_model_name": "someone/vlm"}))
    loaded = load("someone/arm", options=Options(mapping=FOREIGN))
    assert loaded.info.members == 1


def test_without_a_network_one_sentence_says_what_to_run(cache: Path, refused: None) -> None:
    with pytest.raises(PolicyError) as told:
        load("lerobot/smolvla_base")
    sentence = str(told.value)
    assert sentence.startswith(f"lerobot/smolvla_base is no folder and not whole in {cache}, and https://huggingface.co did not give it (")
    assert "Connection refused" in sentence
    again = "hf download lerobot/smolvla_base --include '*.safetensors' --include '*.json' --include '*.txt' --include '*.model'"
    assert sentence.endswith(f"the same again goes on where it stopped, or by hand `{again}`")
    assert "\n" not in sentence


def test_a_forbidden_network_is_told_from_a_missing_one(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(PolicyError, match=r"not in .*hub, and HF_HUB_OFFLINE forbids the network; unset it, or .*`hf download"):
        load("lerobot/smolvla_base")


def test_a_vlm_that_is_nowhere_is_named_with_what_fetches_it(foreign: Path, cache: Path, refused: None, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(foreign, tmp_path / "arm"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vlm_model_name": "someone/vlm"}))
    with pytest.raises(PolicyError, match=r"^someone/vlm is no folder.*hf download someone/vlm --include '\*.json' --include '\*.txt'"):
        load(str(folder), options=Options(mapping=FOREIGN))


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub as one repository needs."""

    files: dict[str, bytes] = {}  # noqa: RUF012
    asked: list[str] = []  # noqa: RUF012

    def log_message(self, format: str, *args: object) -> None: ...

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.asked.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        if path.startswith("/api/models/someone/arm/tree/"):
            rows = [{"type": "file", "path": name, "size": len(content), "oid": digest(content)} for name, content in self.files.items()]
            self.answer(json.dumps(rows).encode())
        elif path.startswith("/api/models/someone/arm"):
            self.answer(json.dumps({"id": "someone/arm", "sha": COMMIT, "siblings": []}).encode())
        elif (name := path.rpartition(f"/resolve/{COMMIT}/")[2]) in self.files:
            content = self.files[name]
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            self.answer(content[start:], 206 if start else 200, **{"ETag": f'"{digest(content)}"', "X-Repo-Commit": COMMIT})
        else:
            self.answer(b"", 404, **{"X-Error-Code": "RepoNotFound"})

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), "Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch, real_connect: object) -> Iterator[type[Hub]]:
    """A hub on this machine with one repository of 3 MB of weights, and what nobody asked for."""
    kept = {"config.json": b"{}", "model.safetensors": bytes(3_000_000), "pytorch_model.bin": bytes(10), "README.md": b"arm"}
    monkeypatch.setattr(Hub, "files", kept)
    monkeypatch.setattr(Hub, "asked", [])
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{served.server_port}")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", constants.ENDPOINT + "/{repo_id}/resolve/{revision}/{filename}")
    yield Hub
    served.shutdown()
    served.server_close()


def test_a_download_tells_its_size_and_leaves_pickles_where_they_are(server: type[Hub]) -> None:
    said: list[str] = []
    folder = hub.folder("someone/arm", said.append, ("config.json",))
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert said[0] == "looking for someone/arm on the hub"
    assert said[-1] == "downloading someone/arm: 3 of 3 MB"
    server.asked.clear()
    assert hub.folder("someone/arm", said.append, ("config.json", "model.safetensors")) == folder
    assert server.asked == []


def test_an_interrupted_download_goes_on_where_it_stopped(server: type[Hub], cache: Path) -> None:
    part = cache / "models--someone--arm" / "blobs" / f"{digest(server.files['model.safetensors'])}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(1_000_000))
    said: list[str] = []
    folder = hub.folder("someone/arm", said.append, ("config.json",))
    assert (folder / "model.safetensors").read_bytes() == bytes(3_000_000)
    assert f"GET /someone/arm/resolve/{COMMIT}/model.safetensors bytes=1000000-" in server.asked
    assert "downloading someone/arm: 1 of 3 MB" in said


def test_a_download_that_came_damaged_is_refused_and_not_kept(server: type[Hub], cache: Path) -> None:
    part = cache / "models--someone--arm" / "blobs" / f"{digest(server.files['model.safetensors'])}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"damage")
    with pytest.raises(PolicyError, match=r"model.safetensors came with SHA-256 \w+… in place of"):
        hub.folder("someone/arm", silent, ("config.json",))
    assert not part.exists()
    hub.folder("someone/arm", silent, ("config.json",))


def test_weights_of_another_kind_of_policy_are_not_fetched(server: type[Hub]) -> None:
    server.files["config.json"] = b'{"type": "act"}'
    with pytest.raises(PolicyError, match=r"config.json describes a policy of type 'act'; expected 'smolvla'"):
        load("someone/arm")
    assert not [asked for asked in server.asked if asked.startswith("GET") and "model.safetensors" in asked]


def test_a_repository_that_is_not_there_is_named(server: type[Hub]) -> None:
    with pytest.raises(PolicyError, match=r"knows no someone/leg, or shows it only to its owner"):
        hub.folder("someone/leg", silent, ("config.json",))
