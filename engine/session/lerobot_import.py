"""One episode of a LeRobotDataset v3 as a session of the store: what the data set does not tell is not there.

Every number goes along as it stands, in ``dataset/``; what is known to be a reading of the robot becomes a column of ``tick/`` as well.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from engine.limits import Limits
from engine.policy.errors import PolicyError
from engine.policy.mapping import READINGS, Mapping, from_json
from engine.session import lerobot_files, pictures
from engine.session.columns import EVENTS, TICK_BLOCK, TICK_SCALARS, WORDS, camera_columns, event_values
from engine.session.layout import DAMAGE, Column, Rows, SessionError
from engine.session.lerobot_export import EXTRAS, PROVENANCE, PROVENANCE_VERSION, Provenance
from engine.session.lerobot_form import SERVOS, SO101, joint_targets, readings
from engine.session.reader import SECOND
from engine.session.recorder import check_store
from engine.session.schema import SCHEMA_VERSION, UNITS, Header, Imported, session_id
from engine.session.writer import SessionWriter
from engine.types import U8, Event

FORMAT = "v3.0"
IMAGES, STATE, ACTION = "observation.images.", "observation.state", "action"
BATCH = 64  #: pictures decoded together
#: how a session keeps what LeRobot keeps in another type
WIDER = {"float16": "float32", "int8": "int64", "int16": "int64", "uint16": "int64", "uint32": "int64"}
KEPT = ("float32", "float64", "int32", "int64", "uint8", "bool")


class Source(NamedTuple):
    """One episode of a data set, opened."""

    folder: Path
    episode: int
    dataset: Any  #: LeRobot's
    info: dict[str, Any]
    provenance: Provenance | None  #: None where this program did not write it
    numbers: dict[str, Rows]  #: (n, ...) by feature
    cameras: dict[str, str]  #: camera's name -> its feature


def import_episode(
    folder: Path, episode: int, store: Path, *, degrees: bool = False, progress: Callable[[str], None] = lambda text: None
) -> Path:
    """Make episode ``episode`` of the data set in ``folder`` a session in ``store``; returns the session's folder.

    ``degrees`` says that six joints of an SO-101 are in LeRobot's degrees, which a data set itself does not tell. What is half written
    bears another name until it is whole. Raises SessionError, and leaves nothing.
    """
    info, provenance = _described(folder, episode)
    check_store(store)
    progress("importing lerobot")
    beside = Path(tempfile.mkdtemp(prefix=".importing-", dir=store))
    try:
        source = _source(folder, episode, info, provenance, beside)
        mapping, header = _mapping(source, degrees), _header(source)
        writer = SessionWriter(beside, header)
        try:
            _fill(writer, source, mapping, progress)
        finally:
            writer.release()
        return writer.path.rename(store / header.id)
    except OSError as error:
        raise SessionError(f"{folder} was not imported into {store}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _described(folder: Path, episode: int) -> tuple[dict[str, Any], Provenance | None]:
    """What the data set says of itself, held against what can be imported."""
    try:
        info = msgspec.json.decode((folder / "meta" / "info.json").read_bytes(), type=dict)
        version, episodes = info["codebase_version"], int(info["total_episodes"])
    except OSError as error:
        raise SessionError(f"{folder} is not a LeRobot data set: its meta/info.json cannot be read ({error.strerror}).") from error
    except DAMAGE as error:
        raise SessionError(f"{folder} is not a LeRobot data set: its meta/info.json is damaged ({error}).") from error
    if version != FORMAT:
        raise SessionError(
            f"{folder} is a LeRobot data set of version {version}, and {FORMAT} is what can be imported: convert it with LeRobot."
        )
    if not 0 <= episode < episodes:
        raise SessionError(f"{folder} has no episode {episode}: it has {episodes}, counted from 0.")
    if not (folder / PROVENANCE).exists():
        return info, None
    try:
        provenance = msgspec.json.decode((folder / PROVENANCE).read_bytes(), type=Provenance)
    except (OSError, *DAMAGE) as error:
        raise SessionError(f"{folder / PROVENANCE} is damaged ({error}): restore it, or remove it to import without it.") from error
    if provenance.version != PROVENANCE_VERSION or len(provenance.episodes) != episodes:
        raise SessionError(f"{folder / PROVENANCE} is of another data set or version: remove it to import without it.")
    return info, provenance


def _source(folder: Path, episode: int, info: dict[str, Any], provenance: Provenance | None, scratch: Path) -> Source:
    from huggingface_hub.errors import OfflineModeIsEnabled

    try:
        dataset = lerobot_files.opened(folder, episode, scratch)
        features: dict[str, dict[str, Any]] = dataset.features
        kept = [name for name, one in features.items() if WIDER.get(one["dtype"], one["dtype"]) in KEPT]
        table = dataset.hf_dataset.with_format("numpy").select_columns(kept)
        numbers = {name: _stored(np.asarray(table[name]), features[name]) for name in kept}
        _check_frames(folder, episode, dataset, numbers)
    except SessionError:
        raise
    except OfflineModeIsEnabled as error:  # where LeRobot would fetch what is not there
        raise SessionError(
            f"{folder} lacks {_lacking(folder, info)}, which it needs for episode {episode}: restore it from a copy."
        ) from error
    except Exception as error:  # LeRobot and what it stands on raise many kinds, all of them about these files
        raise _unreadable(folder, error) from error
    cameras = {
        name.removeprefix(IMAGES): name
        for name, one in features.items()
        if one["dtype"] in ("image", "video") and tuple(one["shape"])[-1] == 3 and not (one.get("info") or {}).get("is_depth_map")
    }
    return Source(folder, episode, dataset, info, provenance, numbers, cameras)


def _check_frames(folder: Path, episode: int, dataset: Any, numbers: dict[str, Rows]) -> None:
    """Raises SessionError unless the frames are all there, in order, at the times that their rate says, and of a task that is there."""
    count, rate, tasks = len(numbers["frame_index"]), int(dataset.fps), numbers["task_index"]
    whole = count == dataset.meta.episodes[episode]["length"] and np.array_equal(numbers["frame_index"], np.arange(count))
    if not whole or not np.allclose(numbers["timestamp"], np.arange(count) / rate, rtol=1e-6, atol=dataset.tolerance_s):
        raise SessionError(
            f"{folder} has frames of episode {episode} that are missing, out of order or not {rate} a second: restore it from a copy."
        )
    if tasks.min() < 0 or tasks.max() >= len(dataset.meta.tasks):
        raise SessionError(
            f"{folder} has frames of episode {episode} with a task that its meta/tasks.parquet lacks: restore it from a copy."
        )


def _lacking(folder: Path, info: dict[str, Any]) -> str:
    """The first pattern of files that nothing fits, of those that a data set has."""
    videos = [f"videos/{name}/*/*.mp4" for name, one in info["features"].items() if one.get("dtype") == "video"]
    wanted = ("meta/tasks.parquet", "meta/episodes/*/*.parquet", "data/*/*.parquet", *videos)
    return next((files for files in wanted if not any(folder.glob(files))), "one of its files under data or videos")


def _unreadable(folder: Path, error: Exception) -> SessionError:
    return SessionError(f"{folder} cannot be read as a LeRobot data set ({' '.join(str(error).split())[:160]}): restore it from a copy.")


def _stored(values: Rows, feature: dict[str, Any]) -> Rows:
    """(n, *shape) of a feature in a type that a session keeps; a shape of (1,) is none. Raises where a whole number is lacking."""
    shape = () if tuple(feature["shape"]) == (1,) else tuple(feature["shape"])
    with np.errstate(invalid="raise"):
        return values.reshape(-1, *shape).astype(WIDER.get(feature["dtype"], feature["dtype"]))


def _mapping(source: Source, degrees: bool) -> Mapping | None:
    """What the numbers of state and action are; None where nobody says."""
    if source.provenance is not None:
        mapping, where = source.provenance.mapping, f"{source.folder / PROVENANCE}"
        try:
            from_json({**mapping.as_json(), "cameras": {"any": "any"}}, where)  # a data set's are its own, and here in no mapping
            mapping.check(where, dict.fromkeys(mapping.cameras, (0, 0, 0)), *(_flat(source, name).shape[1:] for name in (STATE, ACTION)))
            odd = [part.name for part in mapping.state if not 0 < part.size == (READINGS[part.name][1] or part.size)]
            if odd:
                raise PolicyError(f"{where} has {odd[0]} of a size that it has nowhere")
        except PolicyError as error:
            raise SessionError(f"{error}: restore it, or remove it to import without it.") from error
        return mapping
    if not degrees:
        return None
    wanted = [f"{servo}.pos" for servo in SERVOS]
    for name in (STATE, ACTION):
        found = source.info["features"].get(name, {}).get("names")
        if found != wanted:
            raise SessionError(f"--degrees is for an SO-101, with {name} of {', '.join(wanted)}; that of {source.folder} is {found}.")
    return SO101


def _header(source: Source) -> Header:
    """What holds for the whole session, as far as the data set knows."""
    known = source.provenance.episodes[source.episode] if source.provenance is not None else None
    first = int(source.numbers["task_index"][0])
    return Header(
        schema=SCHEMA_VERSION,
        id=session_id(time.time()),
        started=known.started if known else "",
        started_wall=known.started_wall + known.begin_s if known else 0.0,
        robot=known.robot if known else str(source.info.get("robot_type") or "unknown"),
        task=known.task if known else "",
        instruction=str(source.dataset.meta.tasks.iloc[first].name),
        simulated=known.simulated if known else False,
        seed=known.seed if known else 0,
        policy=None,
        settings={},
        versions=known.versions if known else {},
        cameras=known.cameras if known else {},
        units=UNITS,
        limits=Limits(),
        robot_limits={},
        cell={},
        imported=Imported(
            source=source.folder.name, episode=source.episode, fps=int(source.dataset.fps), session=known.session if known else ""
        ),
    )


def _fill(writer: SessionWriter, source: Source, mapping: Mapping | None, progress: Callable[[str], None]) -> None:
    """All rows, and the commit that closes the session."""
    t_ns = SECOND + source.numbers["frame_index"].astype(np.int64) * SECOND // int(
        source.dataset.fps
    )  # its timestamp is the same in float32
    ticks = _ticks(source, mapping, t_ns)
    known = {column.name: column for column in TICK_SCALARS}
    made = [msgspec.structs.replace(known[name], shape=values.shape[1:]) for name, values in ticks.items()]
    writer.add_rows(WORDS, [np.array([""], object)])  # which every text that is not known is
    writer.add_rows(made, list(ticks.values()))
    writer.add_rows([_as_it_stands(source, name) for name in source.numbers], list(source.numbers.values()))
    of = f"episode {source.episode} of the LeRobot data set {source.folder.name}"
    text = f"imported from {of}, {source.dataset.fps} frames a second: decisions, limits and forces are not known"
    event = Event(seq=0, tick=0, t_ns=int(t_ns[0]), wall=time.time(), kind="system", text=text)
    writer.add_rows(EVENTS, event_values([event]))
    for camera, feature in source.cameras.items():
        jpeg = source.dataset.features[feature]["dtype"] == "video"
        for start, images in _pictures(source, feature, jpeg):
            progress(f"camera {camera}: picture {start} of {len(t_ns)}")
            _add_pictures(writer, camera, images, t_ns[start : start + len(images)], start, jpeg)
            writer.commit()
    writer.commit(exit_reason=f"imported from {of}")


def _ticks(source: Source, mapping: Mapping | None, t_ns: Rows) -> dict[str, Rows]:
    """What is known of each tick, by column: a frame is one."""
    count = len(t_ns)
    ticks: dict[str, Rows] = {"tick/tick": np.arange(count, dtype=np.int64), "tick/t_ns": t_ns, "tick/obs_t_ns": t_ns}
    ticks["tick/obs_seq"] = np.arange(1, count + 1, dtype=np.int64)
    if source.cameras:
        ticks |= {"tick/frame_seq": ticks["tick/obs_seq"], "tick/frame_t_ns": t_ns}
    ticks |= {
        f"tick/{name}": source.numbers[f"sawhorse.{name}"].astype(np.float64) for name in EXTRAS if f"sawhorse.{name}" in source.numbers
    }
    if mapping is not None:
        ticks |= readings(mapping, _flat(source, STATE))
        if source.provenance is None or source.provenance.targets:
            ticks |= joint_targets(mapping, _flat(source, ACTION))
    return ticks


def _flat(source: Source, name: str) -> Rows:
    """(n, size) of a feature; (n, 0) where there is none."""
    count = len(source.numbers["timestamp"])
    return source.numbers.get(name, np.empty((count, 0))).reshape(count, -1)


def _as_it_stands(source: Source, name: str) -> Column:
    values, names = source.numbers[name], source.dataset.features[name].get("names")
    labels = tuple(map(str, names)) if isinstance(names, list) and values.shape[1:] == (len(names),) else ()
    return Column(name=f"dataset/{name}", dtype=str(values.dtype), shape=values.shape[1:], block_rows=TICK_BLOCK, labels=labels)


def _pictures(source: Source, feature: str, video: bool) -> Iterator[tuple[int, list[U8]]]:
    """The pictures of a camera, some at a time, each time with the number of the first of them."""
    dataset, count = source.dataset, len(source.numbers["timestamp"])
    try:
        if video:
            begin = dataset.meta.episodes[source.episode][f"videos/{feature}/from_timestamp"]
            times = (begin + source.numbers["timestamp"].astype(np.float64)).tolist()
            path = source.folder / dataset.meta.get_video_file_path(source.episode, feature)
        plain = dataset.hf_dataset.with_format(None)
        for start in range(0, count, BATCH):
            stop = min(count, start + BATCH)
            if video:
                images = lerobot_files.video_frames(path, times[start:stop], dataset.tolerance_s).permute(0, 2, 3, 1).contiguous().numpy()
                yield start, list(images)
            else:
                yield start, [np.asarray(plain[row][feature].convert("RGB")) for row in range(start, stop)]
    except Exception as error:  # as where it was opened
        raise _unreadable(source.folder, error) from error


def _add_pictures(writer: SessionWriter, camera: str, images: list[U8], t_ns: Rows, start: int, jpeg: bool) -> None:
    numbers = np.arange(start + 1, start + 1 + len(images), dtype=np.int64)
    stored = np.array([pictures.encoded(image) for image in images], object) if jpeg else np.stack(images)
    writer.add_rows(camera_columns(camera, images[0], jpeg), [numbers, t_ns, t_ns, numbers, stored])
