"""An inference looks at what it is shown, every time, and refuses what it cannot use."""

import msgspec
import numpy as np
import pytest
import torch

from engine.policy import compact
from engine.policy.ensemble import Ensemble, Prediction
from engine.policy.loading import PolicyError
from engine.signals import perturbation
from engine.tasks import INSTRUCTIONS
from engine.types import SIGNALS, Inference
from tests.policy.conftest import frames

TURNED = "Saw through the line at the log with your partner."  #: other words, as many


def test_pictures_of_an_odd_size_are_refused_with_both_shapes(ensemble: Ensemble) -> None:
    with pytest.raises(PolicyError, match=r"needs camera 'front' as uint8 \(128, 128, 3\); the pictures are .*\(200, 200, 3\)"):
        ensemble.infer(frames(1, size=200), INSTRUCTIONS["saw"], 1, None, lambda: 0)


def test_pictures_of_twice_the_size_are_averaged_down(ensemble: Ensemble) -> None:
    shown = frames(1)
    double = {name: image.repeat(2, axis=0).repeat(2, axis=1) for name, image in shown.images.items()}
    small = ensemble.infer(shown, INSTRUCTIONS["saw"], 1, None, lambda: 0)
    large = ensemble.infer(msgspec.structs.replace(shown, images=double), INSTRUCTIONS["saw"], 1, None, lambda: 0)
    np.testing.assert_array_equal(small.chunks, large.chunks)


def test_a_state_of_another_width_is_refused(ensemble: Ensemble) -> None:
    images = {name: torch.zeros(1, compact.IMAGE_SIZE, compact.IMAGE_SIZE, 3, dtype=torch.uint8) for name in compact.CAMERAS}
    with pytest.raises(PolicyError, match=r"needs a state of shape \(9,\); the robot's is \(8,\)"):
        ensemble.predict(images, torch.zeros(1, 8), INSTRUCTIONS["saw"])


def test_every_inference_is_fresh_and_the_noise_is_fixed(ensemble: Ensemble) -> None:
    first = ensemble.infer(frames(1), INSTRUCTIONS["saw"], 1, None, lambda: 0)
    same = ensemble.infer(frames(1), INSTRUCTIONS["saw"], 2, None, lambda: 0)
    np.testing.assert_array_equal(first.chunks, same.chunks)
    seen = frames(1)
    darker = {name: image // 2 for name, image in seen.images.items()}
    other_picture = ensemble.infer(msgspec.structs.replace(seen, images=darker), INSTRUCTIONS["saw"], 3, None, lambda: 0)
    moved = msgspec.structs.replace(seen.observation, pose=seen.observation.pose + 0.5)
    other_state = ensemble.infer(msgspec.structs.replace(seen, observation=moved), INSTRUCTIONS["saw"], 4, None, lambda: 0)
    other_words = ensemble.infer(seen, TURNED, 5, None, lambda: 0)
    for other in (other_picture, other_words, other_state):
        assert np.abs(other.chunks - first.chunks).max() > 1e-4


def test_an_inference_carries_its_times_signals_and_readings(ensemble: Ensemble) -> None:
    ticks = iter(range(100, 200, 10))
    before = ensemble.infer(frames(1, t_ns=1_000_000_000), INSTRUCTIONS["saw"], 1, None, lambda: next(ticks))
    after = ensemble.infer(frames(2, t_ns=1_250_000_000), INSTRUCTIONS["saw"], 2, before, lambda: next(ticks))
    assert (before.start_ns, before.end_ns, before.exposed_ns) == (100, 120, 1_000_000_000)
    assert after.finite
    assert {"line_y", "log_top", "hand_distance", "depth", "stuck", "zone_knot"} <= set(after.heads)
    valid = dict(zip(SIGNALS, after.valid, strict=True))
    assert not valid["sensitivity mean"]
    assert not valid["sensitivity max"]
    assert all(ok for name, ok in valid.items() if not name.startswith("sensitivity"))
    assert not before.valid[SIGNALS.index("overlap")]
    assert np.isnan(after.signals[~after.valid]).all()
    known = after.valid & (after.signals > 0)
    np.testing.assert_array_equal(np.isfinite(after.ratio) & known, known)
    assert ((after.quantile[after.valid] >= 0) & (after.quantile[after.valid] <= 1)).all()


def test_a_state_that_is_not_a_number_makes_an_inference_that_says_so(ensemble: Ensemble) -> None:
    seen = frames(1)
    broken = msgspec.structs.replace(seen.observation, wrench=np.full(6, np.nan))
    inference = ensemble.infer(msgspec.structs.replace(seen, observation=broken), INSTRUCTIONS["saw"], 1, None, lambda: 0)
    assert not inference.finite
    assert not inference.valid[0]


def test_a_policy_whose_answers_are_no_numbers_is_refused_before_it_is_asked_anything(
    ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Prediction(np.full((1, 3, 2, 16, 7), np.nan, dtype=np.float32), np.zeros(0, dtype=np.float32), np.zeros(0), None)
    monkeypatch.setattr(ensemble, "predict", lambda *given, **named: answer)
    with pytest.raises(PolicyError, match="answers black pictures with actions that are not finite"):
        ensemble.warm_up(lambda note: None)


def test_latent_drift_needs_the_pass_just_before(ensemble: Ensemble) -> None:
    drift = SIGNALS.index("latent drift")
    first = ensemble.infer(frames(1, t_ns=1_000_000_000), INSTRUCTIONS["saw"], 1, None, lambda: 0)
    ensemble.infer(frames(2, t_ns=1_250_000_000), INSTRUCTIONS["saw"], 2, first, lambda: 0)
    skipped = ensemble.infer(frames(3, t_ns=1_500_000_000), INSTRUCTIONS["saw"], 3, first, lambda: 0)
    assert not skipped.valid[drift]


def test_perturbed_passes_are_those_of_perturbed_pictures_at_the_first_noise(ensemble: Ensemble) -> None:
    shown = [frames(seed) for seed in (1, 2)]
    images = {name: torch.from_numpy(np.stack([one.images[name] for one in shown])) for name in compact.CAMERAS}
    states = torch.zeros(2, compact.STATE_DIM)
    found = ensemble.predict(images, states, INSTRUCTIONS["saw"], perturb=(2, 0))
    assert found.perturbed is not None
    assert found.perturbed.shape == (2, 2, 3, compact.HORIZON, compact.ACTION_DIM)
    batch = ensemble.prepare(images, states, INSTRUCTIONS["saw"])
    pictures = torch.stack([batch[f"observation.images.{name}"] for name in compact.CAMERAS], dim=1)
    noise = torch.from_numpy(perturbation.bank(tuple(pictures.shape[1:])))
    for place, number in enumerate((2, 0)):
        changed = perturbation.perturbed(pictures, noise, number)
        answer = ensemble.members(
            changed,
            batch["observation.language.tokens"][0],
            batch["observation.state"],
            ensemble.statistics.noise[:1].repeat(2, 1, 1),
            (0, 1),
        )
        expected = ensemble.restore(answer.actions).numpy().swapaxes(0, 1)
        np.testing.assert_allclose(found.perturbed[:, place], expected, atol=1e-5)
    np.testing.assert_allclose(found.chunks, ensemble.predict(images, states, INSTRUCTIONS["saw"]).chunks, atol=1e-5)


def test_perturbations_come_in_turn_and_their_signals_when_each_has_come(ensemble: Ensemble) -> None:
    assert ensemble.perturbed == 1
    sensitivity = [SIGNALS.index("sensitivity mean"), SIGNALS.index("sensitivity max")]
    inferences: list[Inference] = []
    for id in range(100, 104):
        seen = frames(id, t_ns=id * 100_000_000)
        inferences.append(ensemble.infer(seen, INSTRUCTIONS["saw"], id, inferences[-1] if inferences else None, lambda: 0))
    assert [bool(one.valid[sensitivity].all()) for one in inferences] == [False, False, True, True]
    assert inferences[-1].signal_ns[sensitivity].tolist() == [inferences[1].exposed_ns] * 2


def test_other_words_or_other_pictures_begin_anew(ensemble: Ensemble) -> None:
    overlap = SIGNALS.index("overlap")
    first = ensemble.infer(frames(1, t_ns=1_000_000_000), INSTRUCTIONS["saw"], 1, None, lambda: 0)
    second = ensemble.infer(frames(2, t_ns=1_200_000_000), INSTRUCTIONS["saw"], 2, first, lambda: 0)
    larger = ensemble.infer(frames(2, t_ns=1_400_000_000, size=256), INSTRUCTIONS["saw"], 3, second, lambda: 0)
    again = ensemble.infer(frames(2, t_ns=1_600_000_000, size=256), INSTRUCTIONS["saw"], 4, larger, lambda: 0)
    other = ensemble.infer(frames(2, t_ns=1_800_000_000, size=256), TURNED, 5, again, lambda: 0)
    assert [bool(one.valid[overlap]) for one in (first, second, larger, again, other)] == [False, True, False, True, False]
