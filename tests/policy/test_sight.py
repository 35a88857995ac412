"""What the heads tell with their doubt: losses that skip what is not known, calibration on worked cases, the smoother, the live look."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.loops import gather
from engine.policy import calibration, checkpoint, heads, judging, seeing, smoothing
from engine.policy.checkpoint import Calibrated, Manifest
from engine.policy.errors import PolicyError
from engine.policy.heads import Heads
from engine.policy.judging import Sequences
from engine.policy.readings import COSAW, Reading, Sights
from engine.policy.smoothing import Sight, Smoother
from engine.policy.watching import Watch, watch
from engine.safety import vision
from engine.types import F64, Inputs
from tests.policy.conftest import frames

TOKENS, WIDTH = 6, 8
SECOND = 1_000_000_000
GOOD = {"hand_coverage": 0.9, "hand_coverage_near": 0.85, "human_ece": 0.01, "stuck_ece": 0.02, "human_auroc": 0.99, "stuck_auroc": 0.8}
SIGHTED = Manifest(sight=Calibrated(GOOD))


@pytest.fixture
def fresh() -> Heads:
    torch.manual_seed(1)
    return Heads(TOKENS, WIDTH, COSAW)


@pytest.fixture
def outputs(fresh: Heads) -> torch.Tensor:
    """(4, 10, O): four sequences of ten looks."""
    found: torch.Tensor = fresh(torch.randn(40, TOKENS, WIDTH, generator=torch.Generator().manual_seed(2)))
    return found.detach().reshape(4, 10, -1)


def kept_sight(folder: Path, heads: Heads, smoother: Smoother) -> None:
    """A folder with as little as sight is bound to: weights of a base, and heads."""
    checkpoint.write_tensors(folder / checkpoint.MODEL, {"weight": torch.zeros(3)}, half=False)
    checkpoint.write_tensors(folder / checkpoint.HEADS, heads.state_dict(), half=False)
    smoothing.write(folder, smoother)


def labels(count: int) -> torch.Tensor:
    rows = torch.zeros(count, len(COSAW.labels))
    rows[:, COSAW.labels.index("hand_distance")] = 0.7
    rows[:, -1] = 1.0
    return rows


def test_sights_come_back_from_json_and_bad_ones_are_refused() -> None:
    assert Sights.from_description(json.loads(json.dumps(COSAW.described()))) == COSAW
    assert COSAW.labels[-3:] == ("zone", "stuck", "human")
    assert Sights((Reading("a", 0.0, 1.0),), flags=("holding",)).labels == ("a", "holding")
    for bad in (
        ["line_y"],
        {},
        {"readings": [["a", 0.0]], "zones": [], "flags": []},
        {"readings": [["a", 0.0, -1.0]], "zones": [], "flags": []},
    ):
        with pytest.raises(PolicyError, match="describes heads"):
            heads.from_manifest(bad, TOKENS, WIDTH, "ensemble.json")


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
    assert calibration.ece(np.array([np.nan, 0.5]), np.array([np.nan, 1.0])) == pytest.approx(0.5)
    assert all(math.isnan(calibration.ece(np.array([bad, 0.5]), np.array([1.0, 1.0]))) for bad in (math.nan, math.inf, -0.1))
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
    assert calibration.found_wanting(GOOD) == []
    assert calibration.found_wanting(GOOD | {"human_ece": 0.2, "stuck_auroc": math.nan}) == ["human_ece", "stuck_auroc"]
    assert calibration.found_wanting({name: value for name, value in GOOD.items() if name != "stuck_ece"}) == ["stuck_ece"]


def sequences(fresh: Heads, human: F64, stuck: F64) -> Sequences:
    """(40, 50) moments with a known hand, which the heads tell well, and flags that they tell with these probabilities."""
    rng = np.random.default_rng(8)
    columns, count = COSAW.labels, 2000
    truth = np.zeros((count, len(columns)), dtype=np.float32)
    truth[:, columns.index("hand_distance")] = rng.uniform(0.1, 0.8, count)
    truth[:, columns.index("human")] = rng.random(count) < 0.925
    truth[:, columns.index("stuck")] = rng.random(count) < 0.03
    hand = [reading.name for reading in COSAW.readings].index("hand_distance")
    outputs = torch.zeros(count, 2 * len(COSAW.readings) + len(COSAW.zones) + 2)
    means, doubt, _, flags = fresh.parts(outputs)
    error = 0.3 * torch.randn(count, generator=torch.Generator().manual_seed(9))
    means[:, hand] = (torch.from_numpy(truth[:, columns.index("hand_distance")]) - fresh.centre[hand]) / fresh.scale[hand] + error
    doubt[:, hand] = 2.0 * math.log(0.3)
    for name, told in (("human", human), ("stuck", stuck)):
        chance = np.where(truth[:, columns.index(name)] == 1.0, told[1], told[0])
        flags[:, COSAW.flags.index(name)] = torch.from_numpy(judging.logit(chance)).float()
    times = np.tile(np.arange(50) * 0.1, (40, 1))
    return Sequences(fresh, torch.cat(fresh.parts(outputs), dim=1).reshape(40, 50, -1), truth.reshape(40, 50, -1), times)


def test_probabilities_that_never_change_tell_nobody_apart_however_well_calibrated(fresh: Heads) -> None:
    seeing_well = judging.bounded(sequences(fresh, np.array([0.01, 0.999]), np.array([0.01, 0.9])), Smoother(fresh))
    assert calibration.found_wanting(seeing_well) == []
    blind = judging.bounded(sequences(fresh, np.array([0.925, 0.925]), np.array([0.03, 0.03])), Smoother(fresh))
    assert calibration.found_wanting(blind) == ["human_auroc", "stuck_auroc"]
    assert blind["human_auroc"] == 0.5


def test_a_probability_that_is_no_number_is_no_separation(fresh: Heads) -> None:
    told = sequences(fresh, np.array([0.01, 0.999]), np.array([0.01, 0.9]))
    told.outputs[0, 0] = math.nan
    assert {"human_auroc", "stuck_auroc", "human_ece", "stuck_ece"} <= set(
        calibration.found_wanting(judging.bounded(told, Smoother(fresh)))
    )


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


def test_sight_is_in_force_only_while_its_calibration_keeps_its_bounds(fresh: Heads, tmp_path: Path) -> None:
    def state(**figures: float) -> int | None:
        """As a checkpoint loads that states these figures, and bounds of its own that they keep."""
        sight = {"calibration": figures, "bounds": {name: [0.0, 1.0] for name in figures}}
        (tmp_path / checkpoint.MANIFEST).write_text(json.dumps({"sight": sight}))
        found = smoothing.read(tmp_path, checkpoint.read_manifest(tmp_path), fresh)
        return None if found is None else found.state

    kept_sight(tmp_path, fresh, Smoother(fresh))
    assert state(**GOOD) == vision.IN_FORCE
    assert state(**GOOD | {"human_ece": 0.9}) == state(**GOOD | {"stuck_auroc": 0.5}) == state(a=1.0) == state() == vision.DISABLED
    assert smoothing.read(tmp_path, Manifest(), fresh) is None
    assert smoothing.read(tmp_path, checkpoint.read_manifest(tmp_path), None) is None
    for bad in ("yes", {}, {"calibration": {"human_ece": "low"}}):
        (tmp_path / checkpoint.MANIFEST).write_text(json.dumps({"sight": bad}))
        with pytest.raises(PolicyError, match=r"ensemble\.json .*\$\.sight"):
            checkpoint.read_manifest(tmp_path)


@pytest.mark.parametrize("name", [checkpoint.MODEL, "members/1.safetensors", checkpoint.HEADS])
def test_sight_holds_for_its_weights_and_heads_and_no_others(fresh: Heads, tmp_path: Path, name: str) -> None:
    kept_sight(tmp_path, fresh, Smoother(fresh))
    checkpoint.write_tensors(tmp_path / name, {"weight": torch.ones(3)}, half=False)
    with pytest.raises(PolicyError, match=r"sight.safetensors was made for weights and heads.safetensors with SHA-256 [0-9a-f]{12}; "):
        smoothing.read(tmp_path, SIGHTED, fresh)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize(("part", "name"), [(0, "stretch"), (0, "soften"), (0, "slope"), (1, "stretch"), (1, "slope")])
def test_a_calibration_that_makes_no_doubt_is_refused(fresh: Heads, tmp_path: Path, part: int, name: str, bad: float) -> None:
    smoother = Smoother(fresh)
    (fresh, smoother)[part].get_buffer(name)[0] = bad
    kept_sight(tmp_path, fresh, smoother)
    with pytest.raises(PolicyError, match=rf"{('heads', 'sight')[part]}.safetensors holds {name} that is not positive and finite"):
        smoothing.read(tmp_path, SIGHTED, fresh)


def test_weights_of_the_smoother_that_are_no_numbers_are_refused(fresh: Heads, tmp_path: Path) -> None:
    smoother = Smoother(fresh)
    torch.nn.init.constant_(smoother.out.bias, math.nan)
    kept_sight(tmp_path, fresh, smoother)
    with pytest.raises(PolicyError, match=r"sight.safetensors holds out.bias that is not finite"):
        smoothing.read(tmp_path, SIGHTED, fresh)


def test_the_shipped_policy_sees_well_enough_to_count() -> None:
    sight = checkpoint.read_manifest(checkpoint.shipped("cosaw")).sight
    assert sight is not None
    assert calibration.found_wanting(sight.calibration) == []


def test_other_heads_leave_nothing_told_of_those_before() -> None:
    before = Manifest(name="a", heads={"readings": []}, training={"head_errors": {"depth": 0.1}, "observations": 3})
    after = seeing.described(before, COSAW, GOOD, seeing.Plan())
    assert (after.name, after.heads, after.training) == ("a", COSAW.described(), {"observations": 3})
    assert after.sight is not None
    assert after.sight.calibration == GOOD


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
    manifest = checkpoint.read_manifest(folder)
    assert manifest.heads == COSAW.described()
    assert manifest.sight is not None
    assert set(manifest.sight.calibration) <= set(calibration.BOUNDS)


def test_runs_side_by_side_see_what_each_sees_alone(fresh: Heads, outputs: torch.Tensor) -> None:
    smoother = Smoother(fresh)
    torch.nn.init.normal_(smoother.out.weight)
    sight, looking = Sight(fresh, smoother, vision.IN_FORCE), Sight(fresh, smoother, vision.IN_FORCE).looking(5)
    alone = [Sight(fresh, smoother, vision.IN_FORCE) for _ in range(4)]
    broken = outputs.clone()
    broken[2, 3] = math.nan
    for look in range(10):
        rows = [row for row in range(4) if (look + row) % 3]  # not all of them each time
        times = [(look + 1) * SECOND // 4 + row for row in rows]
        some = looking.of([row + 1 for row in rows])
        found = sight.looks(broken[rows, look], times, [look == 0] * len(rows), some)
        looking.put([row + 1 for row in rows], some)
        for row, t_ns, together in zip(rows, times, found, strict=True):
            assert together == pytest.approx(alone[row].look(broken[row, look], t_ns, look == 0), abs=1e-5, nan_ok=True)
