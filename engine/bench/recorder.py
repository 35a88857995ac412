"""What recording costs the control thread and the disk, beside zarr-python's own append; and how fast a long session is sought."""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np
from msgspec.structs import replace

from engine.bench import seek
from engine.bench.figure import Alternative, BenchError, Figure, Tell, figure
from engine.bench.material import Material, gather
from engine.bench.plain_zarr import PlainTable
from engine.config import Settings
from engine.loops.control import DT
from engine.session import columns
from engine.session.recorder import Recorder, check_store
from engine.session.schema import session_id
from engine.session.writer import SessionWriter
from engine.types import F64, U8, Frames

SECONDS = 15.0
MINUTES = 60.0  #: of the session that is sought
SWITCH = 50e-6  #: s, as in the engine
NOISE = 2.0  #: levels of 255, standard deviation of a sensor's noise
BLOCKS = 5
WARM_UP = 20  #: ticks


def measure(settings: Settings, seconds: float, tell: Tell, minutes: float = MINUTES) -> tuple[Figure, ...]:
    """Raises SessionError when the store cannot be written, AdapterError, BenchError."""
    check_store(settings.store)
    folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=settings.store))
    try:
        material = gather(settings, max(2 * columns.TICK_BLOCK, round(seconds / DT)), folder, tell)
        tell(f"recording it at {1 / DT:.0f} Hz for {len(material.ticks) * DT:.0f} s")
        spent = costs(material, folder)
        tell("the same rows by zarr-python")
        return (
            *caller(material, spent, folder / "zarr-ticks"),
            *writing(material, folder),
            *sizes(material, folder),
            *seek.measure(material, folder, minutes, tell),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# --- time ---


def costs(material: Material, folder: Path) -> F64:
    """(ticks,) µs of the control thread in ``Recorder.tick``, at the loop's pace, with the recorder at work beside it."""
    begun = replace(material.header, id=session_id(time.time()))
    recorder = Recorder(folder, begun)
    seen = {exposure.observation.seq: number for number, exposure in enumerate(material.exposures)}
    spent = np.zeros(len(material.ticks))
    with switch_interval(SWITCH):
        due = time.monotonic()
        for number, row in enumerate(material.ticks):
            time.sleep(max(0.0, due - time.monotonic()))
            due += DT
            start = time.perf_counter_ns()
            recorder.tick(row)
            spent[number] = (time.perf_counter_ns() - start) / 1e3
            if (index := seen.get(row.inputs.obs_seq)) is not None:
                recorder.frames(material.exposures[index])
                recorder.inference(material.inferences[index])
    if not recorder.close("measured"):
        raise BenchError(f"The recorder lost rows: {recorder.fault_text}.")
    return spent


def caller(material: Material, spent: F64, folder: Path) -> tuple[Figure, ...]:
    """What a tick costs who records it."""
    rows = material.ticks[: columns.TICK_BLOCK]
    table = PlainTable(folder, columns.tick_columns(rows[0]))
    times = []
    for row in rows[:BLOCKS]:
        values = columns.tick_values([row], lambda text: 0)
        start = time.perf_counter()
        table.append(values)
        times.append((time.perf_counter() - start) * 1e6)
    other = Alternative("zarr-python appending the tick to the same arrays, median", median(times))
    warm = spent[WARM_UP:]
    return (
        figure("recording a tick, on the control thread, p50", float(np.percentile(warm, 50)), "µs", "lower", against=other),
        figure("recording a tick, on the control thread, p99", float(np.percentile(warm, 99)), "µs", "lower", bar=50.0, against=other),
    )


def writing(material: Material, folder: Path) -> tuple[Figure, ...]:
    """A block of ticks from structs to the disk: the session's writer, committed and synced, and zarr-python, which syncs nothing."""
    writer = SessionWriter(folder, replace(material.header, id="blocks"))
    table = PlainTable(folder / "zarr-blocks", columns.tick_columns(material.ticks[0]))
    own: list[float] = []
    other: list[float] = []
    block = columns.TICK_BLOCK
    for at in range(0, len(material.ticks) // block * block, block):
        rows = material.ticks[at : at + block]
        start = time.perf_counter()
        writer.add_ticks(rows)
        writer.commit()
        middle = time.perf_counter()
        table.append(columns.tick_values(rows, lambda text: 0))
        other.append((time.perf_counter() - middle) * 1e3)
        own.append((middle - start) * 1e3)
        if len(own) > BLOCKS:
            break
    writer.release()
    against = Alternative("zarr-python appending the same rows to the same arrays, not synced", median(other[1:]))
    return (figure(f"{block} ticks to the disk and synced, off the control thread", median(own[1:]), "ms", "lower", against=against),)


@contextmanager
def switch_interval(seconds: float) -> Iterator[None]:
    """The interpreter's switch interval is so long inside."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


# --- bytes ---


def sizes(material: Material, folder: Path) -> tuple[Figure, ...]:
    """Bytes a tick, and bytes an exposure of three pictures: as drawn, and with a sensor's noise."""
    writer = SessionWriter(folder, replace(material.header, id="sizes"))
    writer.add_ticks(material.ticks)
    writer.add_frames(material.exposures)
    writer.commit(exit_reason="measured")
    writer.release()
    rng = np.random.default_rng(0)
    noisy = SessionWriter(folder, replace(material.header, id="noisy"))
    noisy.add_frames([with_noise(exposure, rng) for exposure in material.exposures])
    noisy.commit(exit_reason="measured")
    noisy.release()
    ticks, exposures = len(material.ticks), len(material.exposures)
    plain = sum(int(np.prod(c.shape, dtype=int)) * c.storage.itemsize for c in columns.tick_columns(material.ticks[0]))
    images = material.exposures[0].images
    raw = Alternative("raw", float(sum(image.nbytes for image in images.values())))
    what = f"an exposure, {len(images)} pictures of {'×'.join(str(side) for side in next(iter(images.values())).shape[:2])}, lossless"
    return (
        figure("a tick", stored(writer.path / "tick") / ticks, "bytes", "lower", against=Alternative("raw", float(plain))),
        figure(what, stored(writer.path / "camera") / exposures, "bytes", "lower", bar=50_000.0, against=raw),
        figure(f"{what}, with sensor noise", stored(noisy.path / "camera") / exposures, "bytes", "lower", against=raw),
    )


def stored(folder: Path) -> int:
    """Bytes of every shard below."""
    return sum(path.stat().st_size for path in folder.rglob("c.*"))


def with_noise(exposure: Frames, rng: np.random.Generator) -> Frames:
    """The exposure as a real sensor might have taken it: independent Gaussian noise in every value."""

    def noisy(image: U8) -> U8:
        return np.clip(np.rint(image + rng.normal(0.0, NOISE, image.shape)), 0, 255).astype(np.uint8)

    return replace(exposure, images={name: noisy(image) for name, image in exposure.images.items()})
