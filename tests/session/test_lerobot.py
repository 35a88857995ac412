"""Session to LeRobot data set and back, through LeRobot's own class: what it loads is what was recorded, and nothing is made up."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lerobot_material as arm
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from console.cli import main
from console.portrait import replay_svg
from engine.session.layout import SessionError
from engine.session.lerobot_export import Exported, export
from engine.session.lerobot_form import moments
from engine.session.lerobot_import import import_episode
from engine.session.reader import Session
from engine.session.store import sessions, summary
from engine.session.verify import recompute, verify
from engine.types import Zone

DEGREES = 2e-5  #: what float32 leaves of LeRobot's numbers
LEVELS = 3.0  #: of 255, mean difference that video, and JPEG after it, leave of a smooth picture
STEPS = 4  #: frames of a chunk


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def recordings(store: Path) -> list[Session]:
    return [Session.open(arm.record(store, f"20260101-12000{number}-aaaa", ticks=80 + 60 * number)) for number in (0, 1)]


@pytest.fixture(scope="module")
def data(recordings: list[Session], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Exported]:
    """Both sessions as the episodes of one data set."""
    out = tmp_path_factory.mktemp("data") / "waves"
    return out, export([session.path for session in recordings], out, 20)


@pytest.fixture(scope="module")
def loaded(data: tuple[Path, Exported]) -> Any:
    """The same as LeRobot itself opens it to train from: chunks of actions."""
    from lerobot.datasets import LeRobotDataset

    chunk = [step / 20 for step in range(STEPS)]
    return LeRobotDataset("local/waves", root=data[0], delta_timestamps={"action": chunk}, video_backend="pyav")


@pytest.fixture(scope="module")
def brought(data: tuple[Path, Exported], store: Path) -> Session:
    """The second episode as a session again."""
    return Session.open(import_episode(data[0], 1, store))


def test_lerobot_loads_what_was_recorded(recordings: list[Session], data: tuple[Path, Exported], loaded: Any) -> None:
    frames = [moments(session, 20) for session in recordings]
    lengths = [len(found.rows) - 1 for found in frames]
    assert (loaded.num_episodes, loaded.num_frames, loaded.fps) == (2, sum(lengths), 20) == (data[1].episodes, data[1].frames, data[1].fps)
    assert loaded.meta.robot_type == "so101_follower"
    assert {path.name for path in data[0].iterdir()} == {"data", "meta", "videos"}
    assert loaded.features["action"]["names"][0] == "shoulder_pan.pos"
    for episode, (session, found) in enumerate(zip(recordings, frames, strict=True)):
        for frame in (0, 5, lengths[episode] - 1):
            item = loaded[sum(lengths[:episode]) + frame]
            row, t_ns = int(found.rows[frame]), int(found.t_ns[frame])
            assert int(item["episode_index"]) == episode
            assert item["task"] == arm.INSTRUCTION
            assert float(item["timestamp"]) == pytest.approx(frame / 20, abs=1e-6)
            wanted = [*np.degrees(session.rows("tick/q")[row]), 100.0 * (1.0 - session.rows("tick/gripper")[row])]
            np.testing.assert_allclose(item["observation.state"].numpy(), wanted, atol=DEGREES)
            assert float(item["sawhorse.score"]) == pytest.approx(session.rows("tick/score")[row], abs=1e-6)
            for camera in ("front", "top"):
                seen = session.frame_at(camera, t_ns)
                assert seen is not None
                shown = 255.0 * item[f"observation.images.{camera}"].numpy().transpose(1, 2, 0)
                assert np.abs(shown - seen.image).mean() < LEVELS


def test_a_chunk_is_what_the_servos_had_been_told_from_one_frame_on(recordings: list[Session], loaded: Any) -> None:
    session, found = recordings[0], moments(recordings[0], 20)
    item = loaded[2]
    told = np.degrees(session.rows("tick/spring_target")[found.rows[3 : 3 + STEPS]])
    np.testing.assert_allclose(item["action"][:, :5].numpy(), told, atol=DEGREES)
    assert not item["action_is_pad"].any()
    assert loaded[len(found.rows) - 2]["action_is_pad"].tolist() == [False, True, True, True]


def test_its_statistics_hold_for_a_joint_that_stands(loaded: Any) -> None:
    for name in ("action", "observation.state"):
        values = np.stack([np.asarray(row) for row in loaded.hf_dataset.with_format("numpy")[name]])
        stats = loaded.meta.stats[name]
        assert np.ptp(values[:, 4]) == 0.0
        assert np.float32(stats["mean"][4]) == values[0, 4]
        np.testing.assert_allclose(stats["mean"], values.mean(0, dtype=np.float64), rtol=1e-9)
        np.testing.assert_allclose(stats["std"], values.std(0, dtype=np.float64), rtol=1e-9, atol=1e-12)


def test_what_comes_back_is_what_went_and_opens(recordings: list[Session], brought: Session) -> None:
    session, found = recordings[1], moments(recordings[1], 20)
    rows, t_ns = found.rows[:-1], found.t_ns[:-1]
    assert brought.ticks == len(rows)
    assert (brought.times - brought.times[0]).tolist() == (t_ns - t_ns[0]).tolist()
    for name, precision in {"q": 3e-7, "gripper": 3e-7, "pose": 1e-6, "score": 1e-7, "speed_scale": 1e-7}.items():
        np.testing.assert_allclose(brought.rows(f"tick/{name}"), session.rows(f"tick/{name}")[rows], atol=precision)
    np.testing.assert_allclose(brought.rows("tick/spring_target")[1:], session.rows("tick/spring_target")[rows[1:]], atol=3e-7)
    for frame in (0, len(rows) - 1):
        before, after = session.frame_at("top", int(t_ns[frame])), brought.frame_at("top", int(brought.times[frame]))
        assert before is not None
        assert after is not None
        assert np.abs(after.image.astype(float) - before.image).mean() < LEVELS
    header = brought.header
    assert (header.robot, header.task, header.simulated, header.instruction) == ("so101-sim", "lift", True, arm.INSTRUCTION)
    assert header.imported is not None
    assert (header.imported.source, header.imported.episode, header.imported.session) == ("waves", 1, session.header.id)
    assert "IMPORTED" in replay_svg(brought, 3, 100, 36)


def test_what_a_data_set_does_not_know_is_absent_and_says_nothing(brought: Session) -> None:
    for name in ("wrench", "layer_score", "stop_category", "armed", "pose_d", "inference_id"):
        assert f"tick/{name}" not in brought.commit.arrays
    last = brought.row(-1)
    assert np.isnan(last.inputs.wrench).all()
    assert np.isnan(last.command.pose_d).all()
    assert len(last.inputs.dq) == 5
    assert (last.decision.armed, last.decision.stop_category, last.saw.zone) == (False, -1, Zone.NONE)
    assert last.operator.refused == ""
    assert brought.inferences == 0
    assert brought.header.policy is None


def test_it_verifies_and_its_decisions_cannot_be_recomputed(brought: Session) -> None:
    found = verify(brought.path)
    assert found.ok
    assert found.ticks == brought.ticks
    assert "imported from episode 1 of the data set waves" in found.note
    assert summary(brought.path).note == found.note
    again = recompute(brought.path)
    assert not again.ok
    assert again.decisions_recomputed == 0
    assert again.problems == [found.note]


def test_a_column_that_is_lost_is_still_damage_where_an_engine_recorded(recordings: list[Session]) -> None:
    assert verify(recordings[0].path).note == ""
    bare = msgspec.structs.replace(recordings[0].commit, arrays={"tick/t_ns": recordings[0].commit.arrays["tick/t_ns"]})
    with pytest.raises(SessionError, match="has no array tick/wrench"):
        Session(recordings[0].path, bare).rows("tick/wrench")


def test_an_imported_session_goes_out_again(brought: Session, loaded: Any, tmp_path: Path) -> None:
    again = export([brought.path], tmp_path / "again", 20)
    assert again.frames == brought.ticks - 1
    assert "had been told" in again.action
    back = Session.open(import_episode(tmp_path / "again", 0, tmp_path / "store"))
    np.testing.assert_allclose(back.rows("tick/q"), brought.rows("tick/q")[:-1], atol=1e-6)


def test_a_data_set_made_elsewhere_keeps_its_numbers_and_gets_angles_only_on_ones_word(data: tuple[Path, Exported], tmp_path: Path) -> None:
    bare = Path(shutil.copytree(data[0], tmp_path / "bare"))
    (bare / "meta" / "sawhorse.json").unlink()
    plain = Session.open(import_episode(bare, 0, tmp_path))
    assert "tick/q" not in plain.commit.arrays
    assert plain.describe("dataset/observation.state").labels[:1] == ("shoulder_pan.pos",)
    assert plain.header.robot == "so101_follower"
    assert plain.header.started == ""
    assert len(plain.row(0).inputs.q) == 7
    assert verify(plain.path).ok
    told = Session.open(import_episode(bare, 0, tmp_path, degrees=True))
    np.testing.assert_allclose(np.degrees(told.rows("tick/q")), plain.rows("dataset/observation.state")[:, :5], atol=DEGREES)


def test_sessions_without_pictures_give_state_alone(tmp_path: Path) -> None:
    path = arm.record(tmp_path / "store", "20260101-120000-aaaa", robot="cosaw", cameras=(), ticks=120)
    done = CliRunner().invoke(main, ["sessions", "export", str(path), str(tmp_path / "out"), "--to", "lerobot", "--fps", "10"])
    assert done.exit_code == 0, done.output
    assert "no pictures, as none were recorded" in done.output
    assert "An action is the commanded pose one frame later" in done.output
    features = json.loads((tmp_path / "out" / "meta" / "info.json").read_bytes())["features"]
    assert not any(name.startswith("observation.images") for name in features)
    done = CliRunner().invoke(main, ["sessions", "import", str(tmp_path / "out"), "--store", str(tmp_path / "store")])
    assert done.exit_code == 0, done.output
    newest = sessions(tmp_path / "store")[0]
    frames = len(moments(Session.open(path), 10).rows) - 1
    assert frames > 4
    assert (newest.ok, newest.ticks, newest.cameras, newest.robot) == (True, frames, 0, "cosaw")


@pytest.mark.parametrize("at", ["importing lerobot", "episode 1 of 2: frame 0 of 11", "episode 1 of 2: statistics and video"])
def test_an_interrupted_export_leaves_nothing(recordings: list[Session], tmp_path: Path, at: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        export([session.path for session in recordings], tmp_path / "out", 20, _interrupting(at))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_import_leaves_nothing(data: tuple[Path, Exported], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        import_episode(data[0], 0, tmp_path, progress=_interrupting("camera top: picture 0 of 11"))
    assert list(tmp_path.iterdir()) == []


def _interrupting(at: str) -> Callable[[str], None]:
    def progress(text: str) -> None:
        if text == at:
            raise KeyboardInterrupt

    return progress


def test_what_cannot_be_exported_says_why(recordings: list[Session], tmp_path: Path) -> None:
    one = str(recordings[0].path)
    taken = tmp_path / "taken"
    taken.mkdir()
    other = arm.record(tmp_path / "store", "20260101-120000-bbbb", robot="cosaw", ticks=30)
    blind = arm.record(tmp_path / "store", "20260101-120000-cccc", cameras=("front",), ticks=30)
    dry = arm.record(tmp_path / "store", "20260101-120000-dddd", cameras=(), ticks=30, settings={"so101": {"dry_run": True}})
    shown = arm.record(tmp_path / "store", "20260101-120000-eeee", ticks=30, geometry={"front": {"synthetic": True}, "top": {}})
    cases = {
        (str(dry), str(tmp_path / "out")): (3, "is a dry run"),
        (str(shown), str(tmp_path / "out")): (3, "shows test pictures"),
        (one, str(taken)): (3, "exists already"),
        (str(tmp_path), str(tmp_path / "out")): (3, "is not a session"),
        (one, str(other), str(tmp_path / "out")): (3, "are of so101-sim and cosaw"),
        (one, str(blind), str(tmp_path / "out")): (3, "have other cameras, sizes of pictures or columns"),
        (one, str(tmp_path / "none" / "out")): (3, "cannot be written: No such file or directory"),
        (one, str(tmp_path / "out"), "--fps", "1"): (3, "less than two frames at 1 a second"),
        (one, str(tmp_path / "out"), "--fps", "0"): (2, "0 is not in the range"),
    }
    for given, (code, sentence) in cases.items():
        done = CliRunner().invoke(main, ["sessions", "export", *given, "--to", "lerobot"])
        assert (done.exit_code, sentence in done.output) == (code, True), done.output
    done = CliRunner().invoke(main, ["sessions", "export", one, str(other), str(tmp_path / "out.tar")])
    assert (done.exit_code, "--to lerobot" in done.output) == (2, True)
    assert {path.name for path in tmp_path.iterdir()} == {"taken", "store"}


def test_what_cannot_be_imported_says_why_and_leaves_nothing(data: tuple[Path, Exported], tmp_path: Path) -> None:
    def refused(folder: Path, sentence: str, episode: int = 0, *, degrees: bool = False) -> None:
        with pytest.raises(SessionError, match=sentence):
            import_episode(folder, episode, tmp_path / "store", degrees=degrees)

    def damaged(name: str) -> Path:
        return Path(shutil.copytree(data[0], tmp_path / name))

    refused(tmp_path / "none", "is not a LeRobot data set: .*No such file")
    refused(data[0], "has no episode 2: it has 2, counted from 0", 2)
    old = damaged("old")
    info = json.loads((old / "meta" / "info.json").read_bytes())
    (old / "meta" / "info.json").write_text(json.dumps(info | {"codebase_version": "v2.1"}))
    refused(old, "of version v2.1, and v3.0 is what can be imported")
    (old / "meta" / "info.json").write_text("[")
    refused(old, "meta/info.json is damaged")
    lacking = damaged("lacking")
    shutil.rmtree(lacking / "videos" / "observation.images.top")
    refused(lacking, r"lacks videos/observation\.images\.top/\*/\*\.mp4, which it needs for episode 0")
    shutil.rmtree(lacking / "data")
    refused(lacking, r"lacks data/\*/\*\.parquet, which it needs for episode 0")
    (lacking / "meta" / "tasks.parquet").unlink()
    refused(lacking, r"lacks meta/tasks\.parquet, which it needs for episode 0")
    blind = damaged("blind")
    next(blind.rglob("*.mp4")).write_bytes(b"no video")
    refused(blind, "cannot be read as a LeRobot data set")
    foreign = damaged("foreign")
    (foreign / "meta" / "sawhorse.json").write_text("{}")
    refused(foreign, "sawhorse.json is damaged")
    (foreign / "meta" / "sawhorse.json").unlink()
    info["features"]["observation.state"]["names"] = ["a", "b", "c", "d", "e", "f"]
    (foreign / "meta" / "info.json").write_text(json.dumps(info))
    refused(foreign, "--degrees is for an SO-101", degrees=True)
    assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda table: table[table.frame_index != 3], "missing, out of order or not 20 a second"),
        (lambda table: table.assign(frame_index=table.frame_index[::-1].to_numpy()), "missing, out of order or not 20 a second"),
        (lambda table: table.assign(timestamp=table.timestamp / 2), "missing, out of order or not 20 a second"),
        (lambda table: table.drop(columns="frame_index"), "cannot be read as a LeRobot data set .invalid value"),
        (lambda table: table.assign(task_index=99), "with a task that its meta/tasks.parquet lacks"),
        (lambda table: table.assign(task_index=-1), "with a task that its meta/tasks.parquet lacks"),
    ],
)
def test_frames_at_no_time_or_of_no_task_are_refused(
    data: tuple[Path, Exported], tmp_path: Path, change: Callable[[Any], Any], sentence: str
) -> None:
    import pandas  # type: ignore[import-untyped]

    folder = Path(shutil.copytree(data[0], tmp_path / "changed"))
    file = next((folder / "data").rglob("*.parquet"))
    change(pandas.read_parquet(file)).to_parquet(file, index=False)
    with pytest.raises(SessionError, match=sentence):
        import_episode(folder, 0, tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ([["joint_position", 5, 0.0], ["gripper", 1]], "has a scale that is 0 or no number"),
        ([["joint_position", 7], ["gripper", 1]], r"has a state of shape \(6,\); expected \(8,\)"),
        ([["joint_position", 6], ["gripper", 0]], "has gripper of a size that it has nowhere"),
    ],
)
def test_a_mapping_that_does_not_fit_its_numbers_is_refused(
    data: tuple[Path, Exported], tmp_path: Path, state: list[list[Any]], sentence: str
) -> None:
    folder = Path(shutil.copytree(data[0], tmp_path / "changed"))
    told = json.loads((folder / "meta" / "sawhorse.json").read_bytes())
    told["mapping"]["state"] = state
    (folder / "meta" / "sawhorse.json").write_text(json.dumps(told))
    with pytest.raises(SessionError, match=sentence + ".*: restore it, or remove it to import without it"):
        import_episode(folder, 0, tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


def test_lacking_packages_are_named(recordings: list[Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(SessionError, match=r"packages that are not here \(av\): install them with pip install 'lerobot\[dataset\]"):
        export([recordings[0].path], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_of_images_by_other_hands_comes_in_as_it_is(tmp_path: Path) -> None:
    from lerobot.datasets import LeRobotDataset

    features = {
        "observation.state": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]},
        "action": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]},
        "next.success": {"dtype": "bool", "shape": (1,), "names": None},
        "note": {"dtype": "string", "shape": (1,), "names": None},
        "observation.image": {"dtype": "image", "shape": (32, 48, 3), "names": ["height", "width", "channels"]},
    }
    made = LeRobotDataset.create("local/pusher", 10, features, root=tmp_path / "pusher", use_videos=False)
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (3, 32, 48, 3)).astype(np.uint8)
    for frame, image in enumerate(images):
        place = np.array([frame, -frame], np.float32)
        values = {"observation.state": place, "action": 2 * place, "observation.image": image}
        made.add_frame(values | {"next.success": np.array([frame == 2]), "note": "free text", "task": "Push it."})
    made.save_episode()
    made.finalize()
    session = Session.open(import_episode(tmp_path / "pusher", 0, tmp_path / "store"))
    assert verify(session.path).ok
    assert (session.header.robot, session.header.instruction, session.cameras) == ("unknown", "Push it.", ("observation.image",))
    assert session.rows("dataset/action").tolist() == [[0.0, 0.0], [2.0, -2.0], [4.0, -4.0]]
    assert session.rows("dataset/next.success").tolist() == [False, False, True]
    for frame, t_ns in enumerate(session.times.tolist()):
        seen = session.frame_at("observation.image", t_ns)
        assert seen is not None
        assert (seen.image == images[frame]).all()
    assert session.snapshot(2).run.badges == ("IMPORTED",)
    with pytest.raises(SessionError, match="of the robot unknown, of which this program knows no readings"):
        export([session.path], tmp_path / "out")
