"""What the heads tell with their doubt: losses that skip what is not known, calibration on worked cases, the smoother, the live look."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.loops import gather
from engine.policy import calibration, checkpoint, heads, seeing, smoothing
from engine.policy.errors import PolicyError
from engine.policy.heads import Heads
from engine.policy.readings import COSAW, Reading, Sights
from engine.policy.smoothing import Sight, Smoother
from engine.policy.watching import Watch, watch
from engine.safety import vision
from engine.types import Inputs
from tests.policy.conftest import frames

TOKENS, WIDTH = 6, 8
SECOND = 1_000_000_000


@pytest.fixture
def fresh() -> Heads:
    torch.manual_seed(1)
    return Heads(TOKENS, WIDTH, COSAW)


@pytest.fixture
def outputs(fresh: Heads) -> torch.Tensor:
    """(4, 10, O): four sequences of ten looks."""
    found: torch.Tensor = fresh(torch.randn(40, TOKENS, WIDTH, generator=torch.Generator().manual_seed(2)))
    return found.detach().reshape(4, 10, -1)


def labels(count: int) -> torch.Tensor:
    rows = torch.zeros(count, len(COSAW.labels))
    rows[:, COSAW.labels.index("hand_distance")] = 0.7
    rows[:, -1] = 1.0
    return rows


def test_sights_come_back_from_json_and_bad_ones_are_refused() -> None:
    assert Sights.from_description(json.loads(json.dumps(COSAW.described()))) == COSAW
    assert COSAW.labels[-3:] == ("zone", "stuck", "human")
    assert Sights((Reading("a", 0.0, 1.0),), flags=("holding",)).labels == ("a", "holding")
    for bad in ({}, {"readings": [["a", 0.0]], "zones": [], "flags": []}, {"readings": [["a", 0.0, -1.0]], "zones": [], "flags": []}):
        with pytest.raises(PolicyError, match="describes heads"):
            heads.from_manifest(bad, TOKENS, WIDTH, "ensemble.json")


def test_heads_of_the_form_without_doubt_are_not_misread() -> None:
    assert heads.from_manifest(["line_y", "hand_distance"], TOKENS, WIDTH, "ensemble.json") is None


def test_what_is_not_known_teaches_nothing(fresh: Heads) -> None:
    features = torch.randn(5, TOKENS, WIDTH)
    wanted = labels(5)
    hand = COSAW.labels.index("hand_distance")
    wanted[:, hand] = math.nan
    wanted[2:, COSAW.labels.index("zone")] = math.nan
    fresh.loss(features, wanted).backward()  # type: ignore[no-untyped-call]
    assert fresh.out.weight.grad is not None
    assert torch.equal(fresh.out.weight.grad[hand], torch.zeros(128))
    assert all(torch.isfinite(p.grad).all() for p in fresh.parameters() if p.grad is not None)
    with torch.no_grad():
        assert float(fresh.loss(features, torch.full_like(wanted, math.nan))) == 0.0


def test_doubt_teaches_the_prefix_nothing(fresh: Heads) -> None:
    features = torch.randn(3, TOKENS, WIDTH, requires_grad=True)
    fresh.parts(fresh(features))[1].sum().backward()  # type: ignore[no-untyped-call]
    assert features.grad is None or not features.grad.any()


def test_doubt_grows_where_errors_are_large() -> None:
    torch.manual_seed(3)
    one = Heads(1, 2, Sights((Reading("a", 0.0, 1.0),)))
    generator = torch.Generator().manual_seed(4)
    optimizer = torch.optim.Adam(one.parameters(), lr=1e-2)
    for _ in range(200):
        loud = torch.randint(2, (64, 1), generator=generator).float()
        truth = torch.randn(64, 1, generator=generator) * (0.1 + loud)
        optimizer.zero_grad()
        one.loss(torch.stack((loud, 1 - loud), dim=2), truth).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        quiet, noisy = one.values(one(torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]])))[1][:, 0].tolist()
    assert 0.05 < quiet < 0.3
    assert 0.6 < noisy < 1.8


def test_a_look_has_every_name_and_its_doubt(fresh: Heads, outputs: torch.Tensor) -> None:
    found = fresh.read(outputs[0, 0])
    assert {"hand_distance", "hand_distance_sd", "zone_knot", "stuck", "human"} <= set(found)
    assert sum(value for name, value in found.items() if name.startswith("zone_")) == pytest.approx(1.0)
    fresh.stretch.fill_(2.0)
    again = fresh.read(fresh.calibrated(outputs[0, :1])[0])
    assert again["hand_distance_sd"] == pytest.approx(2.0 * found["hand_distance_sd"], rel=1e-5)
    assert again["hand_distance"] == found["hand_distance"]


def test_calibration_on_worked_cases() -> None:
    truth = np.array([0.0, 1.0, 2.0, np.nan])
    assert calibration.coverage(np.array([0.1, 1.0, 4.0, 0.0]), np.full(4, 0.5), truth) == pytest.approx(2 / 3)
    assert math.isnan(calibration.coverage(truth, truth, np.full(4, np.nan)))
    assert calibration.ece(np.array([0.9, 0.9, 0.1, 0.1]), np.array([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.25)
    normal = np.random.default_rng(5).normal(size=4000)
    assert calibration.stretch(np.zeros(4000), np.full(4000, 0.5), normal) == pytest.approx(2.0, rel=0.08)
    sure = np.where(normal > 0.0, 4.0, -4.0)
    right = (np.random.default_rng(6).random(4000) < 0.8) == (sure > 0.0)
    slope, shift = calibration.platt(sure, right.astype(np.float64))
    assert slope == pytest.approx(math.log(4.0) / 4.0, rel=0.1)
    assert abs(shift) < 0.2
    assert calibration.platt(sure, np.ones(4000)) == (1.0, 0.0)
    logits = np.stack([sure, -sure], axis=1)
    assert calibration.temperature(logits, (~right).astype(np.float64)) == pytest.approx(8.0 / math.log(4.0), rel=0.1)


def test_a_bound_that_nothing_is_known_for_is_not_kept() -> None:
    good = {"hand_coverage": 0.9, "hand_coverage_near": 0.85, "human_ece": 0.01, "stuck_ece": 0.02}
    assert calibration.found_wanting(good, calibration.BOUNDS) == []
    assert calibration.found_wanting(good | {"human_ece": 0.2}, calibration.BOUNDS) == ["human_ece"]
    del good["stuck_ece"]
    assert calibration.found_wanting(good, calibration.BOUNDS) == ["stuck_ece"]


def test_an_untrained_smoother_repeats_the_heads(fresh: Heads, outputs: torch.Tensor) -> None:
    found, _ = Smoother(fresh)(outputs, torch.full((4, 10), 0.1))
    means, doubt, _, flags = fresh.parts(outputs.flatten(0, 1))
    hand = [reading.name for reading in COSAW.readings].index("hand_distance")
    wanted = torch.stack((means[:, hand], doubt[:, hand], flags[:, 1], flags[:, 0]), dim=1).reshape(4, 10, 4)
    assert torch.equal(found, wanted)


def test_the_smoother_is_causal_and_the_same_look_by_look(fresh: Heads, outputs: torch.Tensor) -> None:
    torch.manual_seed(7)
    smoother = Smoother(fresh)
    torch.nn.init.normal_(smoother.out.weight)
    since = torch.full((4, 10), 0.2)
    whole, _ = smoother(outputs, since)
    assert not torch.allclose(whole[:, 1:], whole[:, :1])
    changed = outputs.clone()
    changed[:, 6:] = 0.0
    assert torch.equal(smoother(changed, since)[0][:, :6], whole[:, :6])
    memory, parts = None, []
    for i in range(10):
        part, memory = smoother(outputs[:, i : i + 1], since[:, i : i + 1], memory)
        parts.append(part)
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-5)


def test_a_live_look_gives_the_scores_of_raw_and_smoothed(fresh: Heads, outputs: torch.Tensor) -> None:
    smoother = Smoother(fresh)
    torch.nn.init.normal_(smoother.out.weight)
    sight = Sight(fresh, smoother, vision.IN_FORCE)
    first = sight.look(outputs[0, 0], SECOND, anew=True)
    second = sight.look(outputs[0, 1], 2 * SECOND)
    lower = vision.lower(first["hand_distance"], first["hand_distance_sd"])
    assert first["vision_raw"] == vision.score(lower, first["human"], first["stuck"])
    assert first["vision_hand"] == min(lower, vision.lower(first["hand_distance_smooth"], first["hand_distance_smooth_sd"]))
    assert first["vision_human"] == min(first["human"], first["human_smooth"])
    assert first["vision_stuck"] == max(first["stuck"], first["stuck_smooth"])
    assert sight.look(outputs[0, 1], 3 * SECOND, anew=True) != second
    assert sight.look(outputs[0, 0], 9 * SECOND) == first  # after a long pause the past counts no more


def test_a_look_that_is_no_number_scores_least_and_leaves_no_trace(fresh: Heads, outputs: torch.Tensor) -> None:
    sight = Sight(fresh, Smoother(fresh), vision.IN_FORCE)
    first = sight.look(outputs[0, 0], SECOND)
    found = sight.look(torch.full_like(outputs[0, 0], math.nan), SECOND + 1)
    assert found["vision_raw"] == found["vision_smooth"] == 0.1
    assert math.isnan(found["vision_hand"])
    assert sight.look(outputs[0, 0], SECOND + 2)["vision_raw"] == first["vision_raw"]


def described(folder: Path, smoother: Smoother, **changed: object) -> dict[str, object]:
    checkpoint.write_tensors(folder / checkpoint.SIGHT, smoother.state_dict(), half=False)
    good = {"hand_coverage": 0.9, "hand_coverage_near": 0.85, "human_ece": 0.01, "stuck_ece": 0.02}
    return {"sight": {"calibration": good, "bounds": dict(calibration.BOUNDS), **changed}}


def test_sight_is_in_force_only_while_its_calibration_keeps_its_bounds(fresh: Heads, tmp_path: Path) -> None:
    well = described(tmp_path, Smoother(fresh))
    states = [
        sight.state
        for sight in (
            smoothing.read(tmp_path, well, fresh),
            smoothing.read(tmp_path, described(tmp_path, Smoother(fresh), calibration={"hand_coverage": 0.5}), fresh),
            smoothing.read(tmp_path, described(tmp_path, Smoother(fresh), bounds={}), fresh),
        )
        if sight is not None
    ]
    assert states == [vision.IN_FORCE, vision.DISABLED, vision.DISABLED]
    assert smoothing.read(tmp_path, {}, fresh) is None
    assert smoothing.read(tmp_path, well, None) is None
    wrong: tuple[object, ...] = ("yes", {"calibration": {}}, {"calibration": {}, "bounds": {"human_ece": 3}})
    for bad in wrong:
        with pytest.raises(PolicyError, match="describes"):
            smoothing.read(tmp_path, {"sight": bad}, fresh)


def test_watched_episodes_tell_the_truth_of_what_is_drawn() -> None:
    from engine.policy import courses

    course = courses.course("cosaw")
    names = course.sights.labels
    seen = watch(course, Watch(3, 1.0, absent=1.0))
    assert not seen.labels[:, names.index("human")].all()
    gone = seen.labels[:, names.index("human")] == 0.0
    assert np.isnan(seen.labels[gone, names.index("hand_distance")]).all()
    moved = watch(course, Watch(3, 1.5, scattered=True))
    hand = moved.labels[:, names.index("hand_distance")]
    assert hand.min() < 0.45 < hand.max()
    assert (moved.labels[:, names.index("human")] == 1.0).all()


def test_sight_is_taught_to_a_policy_and_its_folder_stays_whole(untrained: Path, tmp_path: Path) -> None:
    import shutil

    from engine.policy.loading import load

    folder = tmp_path / "policy"
    shutil.copytree(untrained, folder)
    plan = seeing.Plan(workers=1, episodes=1, sequences=2, steps=1, turns=2, batch=4, seconds=0.6)
    found = seeing.train(folder, plan, lambda text: None)
    assert not found["in_force"]  # far too little of everything
    ensemble = load(str(folder))
    assert ensemble.info.vision == vision.DISABLED
    inference = ensemble.infer(frames(1), ensemble.instruction, 1, None, lambda: SECOND)
    told = gather.sight(ensemble.info, inference)
    assert told == {"vision_state": 2, "vision_t_ns": SECOND} | {name: inference.heads[name] for name in gather.SIGHT}
    assert all(map(math.isfinite, told.values()))
    assert set(told) <= set(Inputs.__struct_fields__)
    assert gather.sight(ensemble.info, None) == {"vision_state": 2}
    assert gather.sight(None, None) == {}
    manifest = checkpoint.read_json(folder / checkpoint.MANIFEST)
    assert manifest["heads"] == COSAW.described()
    assert set(manifest["sight"]["calibration"]) <= set(calibration.BOUNDS)
