"""An episode of a collection is the episode that an engine in lock-step plays by itself."""

import io
from pathlib import Path

import numpy as np
import zarr
from PIL import Image

from engine.collect.plan import Plan
from engine.session.reader import Session
from engine.session.verify import recompute, verify
from tests.collect.sides import Rounds, by_lockstep, differences


def test_a_scripted_episode_by_rounds_is_that_of_the_lockstep_to_the_bit(tmp_path: Path) -> None:
    plan = Plan(robot="pickplace", task="reach", seed=10001, policy="scripted", delay=0.5, seconds=3.0, images="lossless")
    rounds = Rounds([plan], tmp_path)
    (outcome,) = rounds.outcomes().values()
    assert not outcome.error
    one, other = Session.open(rounds.store / outcome.session), by_lockstep(plan, outcome.ticks, tmp_path)
    assert one.ticks == other.ticks == outcome.ticks
    assert one.inferences == other.inferences == outcome.inferences
    assert differences(one, other) == []
    assert {"tick/plant", "tick/score", "inference/chunks", "camera/front/frames", "events/text"} <= other.commit.arrays.keys()
    assert set(one.commit.arrays) - set(other.commit.arrays) == {"truth/t_ns", "truth/oracle"}
    assert (one.rows("truth/t_ns") == one.rows("inference/end_ns")).all()
    report = recompute(rounds.store / outcome.session)
    assert report.ok, report.problems


def test_pictures_kept_as_jpeg_are_files_that_any_reader_opens_and_replay_shows(tmp_path: Path) -> None:
    plans = [
        Plan(robot="pickplace", task="reach", seed=3, policy="scripted", delay=0.3, seconds=0.3, images=kept)
        for kept in ("lossless", "jpeg")
    ]
    sessions = []
    for plan in plans:
        rounds = Rounds([plan], tmp_path / plan.images)
        sessions.append(Session.open(rounds.store / rounds.outcomes()[0].session))
    exact, small = sessions
    assert verify(small.path).ok
    assert small.cameras == exact.cameras == ("front", "side", "top")
    found = zarr.open(small.path, mode="r")["camera/side/jpeg"][:]
    assert len(found) == exact.commit.rows("camera/side/seq") > 2
    assert Image.open(io.BytesIO(found[1])).size == (128, 128)
    now = small.times[-1]
    shown, drawn = (session.frame_at("side", now) for session in (small, exact))
    assert shown is not None
    assert drawn is not None
    assert (shown.seq, shown.exposed_ns) == (drawn.seq, drawn.exposed_ns)
    assert 0.0 < np.abs(shown.image.astype(float) - drawn.image).mean() < 4.0
