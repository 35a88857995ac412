"""Recorded sessions as one LeRobotDataset v3, written by LeRobot's own class: a session is an episode."""

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from engine.policy.mapping import STEP_S, Mapping
from engine.session import lerobot_files
from engine.session.commit import COMMIT
from engine.session.layout import Rows, SessionError
from engine.session.lerobot_form import MEASURED, MOVED, TOLD, Form, Moments, actions, form_of, moments, states, told_joints
from engine.session.lock import held
from engine.session.reader import SECOND, Session

FPS = round(1.0 / STEP_S)  #: where nothing else is asked: one frame an action of a chunk
PROVENANCE = "meta/sawhorse.json"  #: beside LeRobot's own files, which have no place for it
PROVENANCE_VERSION = 1
SAID = 200  #: frames between two signs of progress
#: columns that go along, for whoever wants them: no policy takes a feature that is neither an observation nor an action
EXTRAS = {"score": 1, "speed_scale": 1, "pose": 7}


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """What a data set says of the session that an episode was."""

    session: str
    started: str
    started_wall: float
    robot: str
    task: str
    simulated: bool
    seed: int
    versions: dict[str, str]
    cameras: dict[str, Any]
    begin_s: float  #: of the session, at the first frame
    left_out_s: float  #: of the session, in which the robot was not armed or a camera had given no picture


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of PROVENANCE."""

    version: int
    mapping: Mapping  #: units: each number is scale * SI + offset
    action: str  #: what an action is, in a sentence
    targets: bool  #: it is what the joints' servos had been told
    episodes: list[Episode]


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    episodes: int
    frames: int
    fps: int
    cameras: tuple[str, ...]
    left_out_s: float
    action: str
    bytes: int


def export(paths: Sequence[Path], out: Path, fps: int = FPS, progress: Callable[[str], None] = lambda text: None) -> Exported:
    """Write sessions of one robot and its cameras to the new folder ``out``, as episodes in their order, ``fps`` frames a second.

    What is half written bears another name until it is whole. Raises SessionError, and leaves nothing.
    """
    if out.exists():
        raise SessionError(f"{out} exists already: nothing was exported. Choose another name.")
    sessions = [_opened(path) for path in paths]
    form, features = _one_form(sessions)
    found = [moments(session, fps) for session in sessions]
    told = form.mapping.action_space == "joint_position" and all(map(told_joints, sessions, (one.rows[1:] for one in found)))
    progress("importing lerobot")
    try:
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise SessionError(f"{out} cannot be written: {error.strerror}.") from error
    try:
        provenance = _write(beside / out.name, sessions, form, features, found, told, fps, progress)
        whole = (beside / out.name).rename(out)
    except OSError as error:
        raise SessionError(f"{out} cannot be written: {error.strerror or error}.") from error
    except (ValueError, RuntimeError) as error:
        raise SessionError(f"{out} was not written, as LeRobot refuses it: {' '.join(str(error).split())[:200]}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Exported(
        episodes=len(sessions),
        frames=sum(len(one.rows) - 1 for one in found),
        fps=fps,
        cameras=sessions[0].cameras,
        left_out_s=sum(episode.left_out_s for episode in provenance.episodes),
        action=provenance.action,
        bytes=sum(file.stat().st_size for file in whole.rglob("*") if file.is_file()),
    )


def _opened(path: Path) -> Session:
    if not (path / COMMIT).exists():
        raise SessionError(f"{path} is not a session: nothing was exported.")
    if held(path):
        raise SessionError(f"Session {path} is being recorded: stop its run first.")
    session = Session.open(path)
    if session.header.settings.get("so101", {}).get("dry_run"):
        raise SessionError(f"Session {path} is a dry run: its arm never did what it would have been told, which nothing can learn from.")
    if any(camera.get("synthetic") for camera in session.header.cameras.values()):
        raise SessionError(f"Session {path} shows test pictures in place of its cameras': nothing can learn from them.")
    return session


def _one_form(sessions: Sequence[Session]) -> tuple[Form, dict[str, dict[str, Any]]]:
    """The form and the features that all sessions share. Raises SessionError where they are of different robots or cameras."""
    forms = [form_of(session) for session in sessions]
    described = [_features(session, form) for session, form in zip(sessions, forms, strict=True)]
    for session, form, features in zip(sessions[1:], forms[1:], described[1:], strict=True):
        pair = f"Sessions {sessions[0].path.name} and {session.path.name}"
        if session.header.robot != sessions[0].header.robot or form != forms[0]:
            robots = f"{sessions[0].header.robot} and {session.header.robot}"
            raise SessionError(f"{pair} are of {robots}, or of policies with different mappings: a data set is of one; export them apart.")
        if features != described[0]:
            raise SessionError(
                f"{pair} have other cameras, sizes of pictures or columns: a data set has one kind of frame; export them apart."
            )
    return forms[0], described[0]


def _features(session: Session, form: Form) -> dict[str, dict[str, Any]]:
    """What LeRobot is told of a frame. Pictures become videos."""
    features: dict[str, dict[str, Any]] = {
        "observation.state": {"dtype": "float32", "shape": (len(form.state),), "names": list(form.state)},
        "action": {"dtype": "float32", "shape": (len(form.action),), "names": list(form.action)},
    }
    for name, size in EXTRAS.items():
        if f"tick/{name}" in session.commit.arrays:
            features[f"sawhorse.{name}"] = {"dtype": "float32", "shape": (size,), "names": None}
    for camera in session.cameras:
        picture = session.frame_at(camera, int(session.rows(f"camera/{camera}/t_ns", 0, 1)[0]))
        assert picture is not None
        names = ["height", "width", "channels"]
        features[f"observation.images.{camera}"] = {"dtype": "video", "shape": picture.image.shape, "names": names}
    return features


def _write(
    folder: Path,
    sessions: Sequence[Session],
    form: Form,
    features: dict[str, dict[str, Any]],
    found: Sequence[Moments],
    told: bool,
    fps: int,
    progress: Callable[[str], None],
) -> Provenance:
    numbers = [_numbers(session, form, features, one, told) for session, one in zip(sessions, found, strict=True)]
    dataset = lerobot_files.create(folder, form.robot_type, fps, features)
    try:
        for index, (session, one, columns) in enumerate(zip(sessions, found, numbers, strict=True), start=1):
            count = len(one.rows) - 1
            for frame, values in enumerate(_frames(session, one, columns)):
                if frame % SAID == 0:
                    progress(f"episode {index} of {len(sessions)}: frame {frame} of {count}")
                dataset.add_frame(values | {"task": session.header.instruction})
            progress(f"episode {index} of {len(sessions)}: statistics" + " and video" * bool(session.cameras))
            dataset.save_episode(parallel_encoding=False)
    except BaseException:
        with contextlib.suppress(Exception):  # what is half written goes; only its files have to be closed
            dataset.finalize()
        raise
    dataset.finalize()
    lerobot_files.mend_statistics(dataset, {name: np.concatenate([columns[name] for columns in numbers]) for name in numbers[0]})
    shutil.rmtree(folder / "images", ignore_errors=True)  # in which pictures waited to become videos
    action = MOVED if form.mapping.action_space != "joint_position" else TOLD if told else MEASURED
    provenance = Provenance(
        version=PROVENANCE_VERSION,
        mapping=form.mapping,
        action=action,
        targets=told,
        episodes=[_episode(session, one) for session, one in zip(sessions, found, strict=True)],
    )
    (folder / PROVENANCE).write_bytes(msgspec.json.format(msgspec.json.encode(provenance)))
    return provenance


def _numbers(session: Session, form: Form, features: dict[str, Any], found: Moments, told: bool) -> dict[str, Rows]:
    """(n, size) of each feature that is no picture."""
    rows = found.rows[:-1]
    columns: dict[str, Rows] = {"observation.state": states(session, form, rows), "action": actions(session, form, found, told)}
    for name, size in EXTRAS.items():
        if f"sawhorse.{name}" in features:
            columns[f"sawhorse.{name}"] = session.rows(f"tick/{name}")[rows].reshape(-1, size).astype(np.float32)
    return columns


def _frames(session: Session, found: Moments, columns: dict[str, Rows]) -> Iterator[dict[str, Any]]:
    for frame, t_ns in enumerate(found.t_ns[:-1].tolist()):
        values = {name: rows[frame] for name, rows in columns.items()}
        for camera in session.cameras:
            picture = session.frame_at(camera, t_ns)
            assert picture is not None
            values[f"observation.images.{camera}"] = picture.image
        yield values


def _episode(session: Session, found: Moments) -> Episode:
    header = session.header
    return Episode(
        session=header.id,
        started=header.started,
        started_wall=header.started_wall,
        robot=header.robot,
        task=header.task,
        simulated=header.simulated,
        seed=header.seed,
        versions=header.versions,
        cameras=header.cameras,
        begin_s=float(found.t_ns[0] - session.times[0]) / SECOND,
        left_out_s=session.seconds - float(found.t_ns[-1] - found.t_ns[0]) / SECOND,
    )
