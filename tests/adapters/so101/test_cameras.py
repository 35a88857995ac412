"""LeRobot's own camera class, on films and on a live stream in a pipe: what it gives, when it was exposed, and how each failure stops."""

import fcntl
import os
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from adapters.base import AdapterError, CameraRig
from adapters.mujoco.tabletop import entry
from adapters.so101 import cameras
from adapters.so101.emulator import Emulator
from engine.clock import SimulatedClock
from engine.config import Settings
from engine.engine import Engine
from engine.faults.parts import FaultyRig
from engine.messages import Arm, Go
from engine.policy.errors import PolicyError
from engine.policy.mapping import SO101, Offered
from engine.policy.scripted import Scripted
from engine.so101_settings import CameraSpec, camera_of
from engine.stop import StopPage
from engine.types import LAYERS, U8, Observation, Reason

PX = 64
FPS = 50
S = 1_000_000_000
VALIDITY = LAYERS.index("validity")

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a picture that comes is waited for."""
    monkeypatch.setattr(cameras, "WAIT", 10.0)
    monkeypatch.setattr(cameras, "OPENING", 30.0)
    monkeypatch.setattr("adapters.so101.eye.FIRST", 30.0)


def spec(device: Path | int, name: str = "front") -> CameraSpec:
    return CameraSpec(name, device, None, None, None)


def film(path: Path, *pictures: U8, fps: float = FPS) -> Path:
    """An AVI of RGB pictures, each a JPEG."""
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (width, height))
    for picture in pictures:
        writer.write(np.ascontiguousarray(picture[:, :, ::-1]))
    writer.release()
    return path


def plain(colour: tuple[int, int, int], height: int = 128, width: int = 192) -> U8:
    return np.full((height, width, 3), colour, np.uint8)


class Live:
    """A camera that runs until it is unplugged: a pipe with a never ending film in it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "live.avi"
        begun = film(folder / "begun.avi", *[plain((90, 90, 90))] * 2).read_bytes()
        self._head = begun[: begun.index(b"00dc", begun.index(b"movi"))]
        self.scene = lambda count: plain((60, 120, 40 + count % 100))  #: what it sees at its n-th picture
        self.running = True  #: False: it hangs
        self._unplugged = threading.Event()
        self.plug()

    def plug(self) -> None:
        os.mkfifo(self.path)
        self._pipe = os.open(self.path, os.O_RDWR)
        self._unplugged.clear()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        self._unplugged.set()
        self._thread.join()
        os.close(self._pipe)
        self.path.unlink()

    def _play(self) -> None:
        os.write(self._pipe, self._head)
        count = 0
        while not self._unplugged.wait(1 / FPS):
            if self.running:
                count += 1
                jpeg = cv2.imencode(".jpg", self.scene(count)[:, :, ::-1])[1].tobytes()
                waiting = fcntl.ioctl(self._pipe, termios.FIONREAD, bytes(4))
                if int.from_bytes(waiting, "little") < 8192:  # as a camera does, it drops what nobody fetches
                    os.write(self._pipe, b"00dc" + len(jpeg).to_bytes(4, "little") + jpeg + bytes(len(jpeg) % 2))


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    camera = Live(tmp_path)
    yield camera
    if camera.path.exists():
        camera.unplug()


@pytest.fixture(scope="module")
def observation() -> Observation:
    robot, _ = entry.build("so101-sim", "so101", 1, PX, "lift")
    robot.connect()
    return robot.read(S)


@pytest.fixture
def opened() -> Iterator[Callable[..., CameraRig]]:
    """A function that opens cameras; they are closed at the end."""
    rigs: list[CameraRig] = []

    def open_them(*given: CameraSpec, px: int = PX) -> CameraRig:
        rig = cameras.rig(given, px)
        rigs.append(rig)
        rig.open()
        return rig

    yield open_them
    for rig in rigs:
        rig.close()


def endless(path: Path, picture: U8) -> Path:
    return film(path, *[picture] * 200, fps=10)


# --- what a picture is ---


def test_red_green_and_blue_come_in_this_order(tmp_path: Path, opened: Callable[..., CameraRig], observation: Observation) -> None:
    shown = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}
    rig = opened(*[spec(endless(tmp_path / f"{name}.avi", plain(colour)), name) for name, colour in shown.items()])
    frames = rig.capture(observation, 1, S)
    assert tuple(frames.images) == rig.names == ("red", "green", "blue")
    for name, colour in shown.items():
        picture = frames.images[name]
        assert (picture.dtype, picture.shape) == (np.uint8, (PX, PX, 3))
        assert np.abs(picture.astype(int) - colour).max() < 12, name


def test_a_picture_is_the_middle_square_averaged_down(tmp_path: Path, opened: Callable[..., CameraRig], observation: Observation) -> None:
    wide = plain((20, 20, 20))
    wide[:, 32:160] = (200, 200, 200)
    wide[::2, 32:160] = (100, 100, 100)
    tall = plain((20, 20, 20), 192, 128)
    tall[32:160] = (150, 150, 150)
    rig = opened(spec(endless(tmp_path / "w.avi", wide), "wide"), spec(endless(tmp_path / "t.avi", tall), "tall"))
    images = rig.capture(observation, 1, S).images
    for name in rig.names:
        assert np.abs(images[name][2:-2, 2:-2].astype(int) - 150).max() < 15, name
        assert images[name].min() > 100, name


def test_an_exposure_is_as_old_as_the_camera_that_is_furthest_behind(
    tmp_path: Path, live: Live, opened: Callable[..., CameraRig], observation: Observation
) -> None:
    slow = 0.2  # s a picture
    film(tmp_path / "slow.avi", *[plain((90, 80, 70))] * 50, fps=1 / slow)
    rig = opened(spec(live.path, "quick"), spec(tmp_path / "slow.avi", "slow"))
    before, stamps = time.perf_counter(), []
    for number in range(1, 4):
        t_ns = S + round((time.perf_counter() - before) * 1e9)
        frames = rig.capture(observation, number, t_ns)
        received_ns = S + round((time.perf_counter() - before) * 1e9)
        assert (frames.seq, frames.t_ns, frames.observation) == (number, t_ns, observation)
        assert t_ns - slow * 1e9 < frames.exposed_ns <= received_ns - slow * 1e9
        stamps.append(frames.exposed_ns)
    assert stamps == sorted(set(stamps))


def test_a_picture_is_one_that_was_received_after_it_was_asked_for(
    live: Live, opened: Callable[..., CameraRig], observation: Observation
) -> None:
    rig = opened(spec(live.path))

    def shown(channel: int) -> bool:
        return float(rig.capture(observation, 1, S).images["front"][..., channel].mean()) > 230.0

    live.scene = lambda count: plain((250, 10, 10))
    assert any(shown(0) for _ in range(200))
    live.scene = lambda count: plain((10, 250, 10))
    assert any(shown(1) for _ in range(20))  # those that were under way come first
    asked = [number for number in range(10) if shown(1)]
    assert asked == list(range(10))


# --- what cannot be opened ---


def refused(given: CameraSpec, px: int = PX) -> str:
    rig = cameras.Cameras([given], px)
    with pytest.raises(AdapterError) as refusal:
        rig.open()
    return str(refusal.value)


def test_what_is_no_camera_or_not_as_asked_for_is_refused_in_a_sentence(tmp_path: Path) -> None:
    movie = endless(tmp_path / "film.avi", plain((90, 90, 90)))
    text = tmp_path / "text.avi"
    text.write_text("no film")
    assert refused(camera_of("front=77")) == "The camera front (77) is not there; plug it in, or name another device with --camera."
    assert refused(spec(tmp_path / "none")).endswith("is not there; plug it in, or name another device with --camera.")
    assert refused(spec(text)).endswith("does not open; it is no camera, or another program has it.")
    assert "does not give 320x240@30; ask for what it has" in refused(camera_of(f"front={movie}:320x240@30"))
    assert "gives 192x128; ask it for 256x256 or more" in refused(spec(movie), 256)


def test_a_device_that_hangs_while_it_opens_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cameras, "OPENING", 0.2)
    silent = tmp_path / "silent.avi"
    os.mkfifo(silent)
    try:
        rig = cameras.Cameras([spec(silent, "side")], PX)
        with pytest.raises(AdapterError, match=r"^The camera side \(.*\) hangs while it opens; plug it in anew\.$"):
            rig.open()
        (looked,) = cameras.look([spec(silent, "side")], PX, seconds=0.2)
        assert looked.trouble.endswith("hangs while it opens; plug it in anew.")
    finally:
        while any(thread.name.startswith("camera side") for thread in threading.enumerate()):
            os.close(os.open(silent, os.O_RDWR))
            time.sleep(0.01)


def test_what_hangs_in_a_reading_is_left_to_it_and_not_freed(live: Live) -> None:
    from adapters.so101.eye import Eye

    eye = Eye(live.path, None, None, None)
    eye.connect(warmup=False)
    assert eye.after(0.0, time.perf_counter() + 30.0) is not None
    live.running = False
    while eye.after(time.perf_counter(), time.perf_counter() + 0.2) is not None:
        pass
    eye.shut(0.1)
    assert eye.alive
    assert eye.is_connected
    live.unplug()
    eye.thread.join()
    eye.shut(0.0)
    assert not eye.is_connected


def test_the_doctor_learns_size_rate_and_brightness(tmp_path: Path) -> None:
    movie = endless(tmp_path / "film.avi", plain((90, 120, 60)))
    good, absent = cameras.look([spec(movie), spec(78, "side")], PX, seconds=30.0)
    assert (good.trouble, good.width, good.height, good.fps) == ("", 192, 128, 10.0)
    assert abs(good.mean - 90.0) < 4.0
    assert absent == cameras.Look(spec(78, "side"), "The camera side (78) is not there; plug it in, or name another device with --camera.")


# --- what the engine makes of it ---


class Bench:
    """The engine with the simulated arm under a scripted policy, which looks through other cameras; stepped by hand."""

    def __init__(self, folder: Path, rig: CameraRig) -> None:
        robot, _ = entry.build("so101-sim", "so101", 3, PX, "lift")
        self.clock = SimulatedClock()
        slow = FaultyRig(rig)  # the clock stands still while a picture is waited for: none is of later than that
        slow.change = lambda fresh, _: msgspec.structs.replace(fresh, exposed_ns=min(fresh.exposed_ns, fresh.t_ns))
        self.engine = Engine(
            Settings(robot="so101-sim", policy="scripted", seed=3),
            run="test",
            robot=robot,
            rig=slow,
            load_policy=lambda progress: Scripted("so101-sim", "lift"),
            page=StopPage(folder / "stop", create=True),
            recorder=None,
            console_required=False,
            clock=self.clock,
        )
        self.engine.prepare_lockstep()

    def run(self, ticks: int) -> Reason:
        """What the validity layer says in the end."""
        engine = self.engine
        for tick in range(ticks):
            self.clock.advance(0.01)
            engine.control.step()
            if tick % 13 == 0:
                before = engine._boxes.frames.get()
                engine.camera.once()
                exposure = engine._boxes.frames.get()
                if exposure is not None and exposure is not before and exposure[1] != Reason.CAMERA_WRONG:
                    engine.inference.deliver(engine.inference.infer(exposure[0], self.clock.now_ns))
        assert engine.control.last is not None
        return Reason(engine.control.last.decision.layer_reason[VALIDITY])

    def drive(self) -> None:
        """Arm, go and move."""
        assert self.run(30) == Reason.OK
        self.engine.post(Arm(robot="so101-sim"))
        self.run(30)
        self.engine.post(Go())
        assert self.run(40) == Reason.OK
        assert self.engine.control.last is not None
        assert self.engine.control.last.decision.going

    @property
    def told(self) -> list[str]:
        return [event.text for event in self.engine.snapshot().events if event.kind == "fault"]


def black(live: Live) -> None:
    live.scene = lambda count: plain((count % 2, 0, 0))


def frozen(live: Live) -> None:
    live.scene = lambda count: plain((60, 120, 40))


def hanging(live: Live) -> None:
    live.running = False


FAILURES = {
    Live.unplug: (Reason.CAMERA_STALE, "is gone; plug it in again"),
    hanging: (Reason.CAMERA_STALE, "gives no picture; check its cable, or plug it in anew"),
    black: (Reason.CAMERA_DARK, ""),
    frozen: (Reason.CAMERA_FROZEN, ""),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_camera_that_fails_stops_the_arm_with_its_reason(
    failure: Callable[[Live], None], live: Live, tmp_path: Path, opened: Callable[..., CameraRig], monkeypatch: pytest.MonkeyPatch
) -> None:
    reason, told = FAILURES[failure]
    bench = Bench(tmp_path, opened(spec(live.path)))
    bench.drive()
    failure(live)
    if failure is hanging:
        monkeypatch.setattr(cameras, "WAIT", 0.1)
    bench.run(80)
    assert [stop.reason for stop in bench.engine.stops] == [reason.name.lower()]
    assert [text for text in bench.told if told in text] == bench.told
    assert bool(bench.told) == bool(told)


def test_a_camera_that_is_plugged_in_again_is_opened_again(
    live: Live, opened: Callable[..., CameraRig], observation: Observation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "AGAIN", 0.0)
    rig = opened(spec(live.path))
    live.unplug()

    def trouble() -> str:
        """ "" while there are pictures."""
        try:
            return "" if rig.capture(observation, 1, S).images["front"].shape == (PX, PX, 3) else "shape"
        except AdapterError as error:
            time.sleep(0.01)
            return str(error)

    until = time.monotonic() + 60.0
    while not (told := trouble()):
        assert time.monotonic() < until
    assert told.endswith("is gone; plug it in again")
    live.plug()
    while trouble():
        assert time.monotonic() < until


def test_without_a_camera_nothing_is_invented_and_nothing_moves_by_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path, cameras.rig((), PX))
    assert bench.run(30) == Reason.CAMERA_NONE
    assert bench.told == ["camera: no camera is given, so nothing is done by itself; name each with --camera, as front=0:320x240@30"]


def test_a_policy_that_needs_more_cameras_says_which(live: Live) -> None:
    rig = cameras.rig((spec(live.path),), PX)
    sizes = dict.fromkeys(SO101.cameras, (3, PX, PX))
    with pytest.raises(PolicyError, match="needs camera 'side'; the robot has front"):
        SO101.check_robot("the policy", sizes, Offered(rig.names, PX, 5))


def test_a_test_picture_is_never_acted_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, cameras.rig((), PX, synthetic=True))
    assert bench.run(30) == Reason.CAMERA_SYNTHETIC
    bench.engine.post(Arm(robot="so101-sim"))
    bench.run(30)
    assert bench.engine.control.last is not None
    assert not bench.engine.control.last.decision.armed


@pytest.mark.parametrize("px", [64, 128, 256])
def test_a_test_picture_has_its_words_on_colours_and_is_never_twice_the_same(px: int) -> None:
    first, second = cameras.marked(px, 1), cameras.marked(px, 2)
    assert first.shape == (px, px, 3)
    assert (first != second).any()
    assert len(np.unique(first.reshape(-1, 3), axis=0)) == 9  # seven bars, black and white
    rows, columns = np.nonzero((first[: 9 * px // 16] == 255).all(axis=2))  # two words, whole and on black
    lines = np.flatnonzero(np.bincount(rows))
    assert (np.diff(lines) > 1).sum() == 1
    assert px // 8 < rows.min() < rows.max() < 9 * px // 16 - 1
    assert px // 16 < columns.min() < px // 4 < 3 * px // 4 < columns.max() < px - px // 16 - 1


def test_an_emulated_arm_is_seen_where_its_servos_have_put_it(observation: Observation) -> None:
    rig = cameras.rig((), PX, drawn=True)
    assert rig.names == cameras.USUAL == tuple(SO101.cameras.values())
    rig.open()
    with Emulator(arm="cube") as arm:
        before = after = arm.plant()
        arm.place(1, 0.5)
        until = time.monotonic() + 60.0
        while np.abs(after - before).max() < 0.3 and time.monotonic() < until:
            after = arm.plant()
            time.sleep(0.01)
    here, there = (
        rig.capture(msgspec.structs.replace(observation, plant=plant), 1, S).images["front"].astype(int) for plant in (before, after)
    )
    cube = (here[..., 0] > 70) & (here[..., 0] > 2 * here[..., 1])
    assert cube.sum() > 20
    assert (np.abs(there - here).max(axis=2) > 30).sum() > 100
