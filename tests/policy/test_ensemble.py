"""An inference looks at what it is shown, every time, and refuses what it cannot use."""

import msgspec
import numpy as np
import pytest
import torch

from engine.policy import compact
from engine.policy.ensemble import Ensemble, policy_state
from engine.policy.loading import PolicyError
from engine.types import SIGNALS
from tests.policy.conftest import frames


def batch_of(ensemble: Ensemble, image: np.ndarray) -> dict[str, torch.Tensor]:
    images = {name: torch.from_numpy(image)[None] for name in compact.CAMERAS}
    return ensemble.prepare(images, torch.zeros(1, compact.STATE_DIM), compact.INSTRUCTION)


def picture(rgb: tuple[int, int, int]) -> np.ndarray:
    return np.tile(np.array(rgb, dtype=np.uint8), (compact.IMAGE_SIZE, compact.IMAGE_SIZE, 1))


def test_bytes_become_fractions_of_full_scale(ensemble: Ensemble) -> None:
    batch = batch_of(ensemble, picture((255, 51, 0)))
    shown = batch["observation.images.front"]
    assert shown.dtype == torch.float32
    assert shown.shape == (1, 3, compact.IMAGE_SIZE, compact.IMAGE_SIZE)
    assert shown.max() == 1.0
    assert shown.min() == 0.0


def test_colours_stay_red_green_blue(ensemble: Ensemble) -> None:
    shown = batch_of(ensemble, picture((255, 51, 0)))["observation.images.side"][0]
    assert [round(float(channel.mean()), 3) for channel in shown] == [1.0, 0.2, 0.0]


def test_the_attention_mask_is_boolean_and_whole(ensemble: Ensemble) -> None:
    mask = batch_of(ensemble, picture((0, 0, 0)))["observation.language.attention_mask"]
    assert mask.dtype == torch.bool
    assert mask.all()


def test_a_missing_camera_is_refused_with_both_shapes(ensemble: Ensemble) -> None:
    shown = frames(1)
    left = {name: image for name, image in shown.images.items() if name != "top"}
    with pytest.raises(PolicyError, match=r"needs camera 'top' as uint8 \(128, 128, 3\); the pictures are \{'front': \(128, 128, 3\)"):
        ensemble.infer(msgspec.structs.replace(shown, images=left), compact.INSTRUCTION, 1, None, lambda: 0)


def test_pictures_of_an_odd_size_are_refused_with_both_shapes(ensemble: Ensemble) -> None:
    with pytest.raises(PolicyError, match=r"needs camera 'front' as uint8 \(128, 128, 3\); the pictures are .*\(200, 200, 3\)"):
        ensemble.infer(frames(1, size=200), compact.INSTRUCTION, 1, None, lambda: 0)


def test_pictures_of_twice_the_size_are_averaged_down(ensemble: Ensemble) -> None:
    shown = frames(1)
    double = {name: image.repeat(2, axis=0).repeat(2, axis=1) for name, image in shown.images.items()}
    small = ensemble.infer(shown, compact.INSTRUCTION, 1, None, lambda: 0)
    large = ensemble.infer(msgspec.structs.replace(shown, images=double), compact.INSTRUCTION, 1, None, lambda: 0)
    np.testing.assert_array_equal(small.chunks, large.chunks)


def test_a_state_of_another_width_is_refused(ensemble: Ensemble) -> None:
    images = {name: torch.zeros(1, compact.IMAGE_SIZE, compact.IMAGE_SIZE, 3, dtype=torch.uint8) for name in compact.CAMERAS}
    with pytest.raises(PolicyError, match=r"needs a state of shape \(9,\); the robot's is \(8,\)"):
        ensemble.predict(images, torch.zeros(1, 8), compact.INSTRUCTION)


def test_every_inference_is_fresh_and_the_noise_is_fixed(ensemble: Ensemble) -> None:
    first = ensemble.infer(frames(1), compact.INSTRUCTION, 1, None, lambda: 0)
    same = ensemble.infer(frames(1), compact.INSTRUCTION, 2, None, lambda: 0)
    np.testing.assert_array_equal(first.chunks, same.chunks)
    seen = frames(1)
    darker = {name: image // 2 for name, image in seen.images.items()}
    other_picture = ensemble.infer(msgspec.structs.replace(seen, images=darker), compact.INSTRUCTION, 3, None, lambda: 0)
    other_words = ensemble.infer(seen, "Hold still.", 4, None, lambda: 0)
    moved = msgspec.structs.replace(seen.observation, pose=seen.observation.pose + 0.5)
    other_state = ensemble.infer(msgspec.structs.replace(seen, observation=moved), compact.INSTRUCTION, 5, None, lambda: 0)
    for other in (other_picture, other_words, other_state):
        assert np.abs(other.chunks - first.chunks).max() > 1e-4


def test_the_state_is_position_velocity_and_force() -> None:
    observation = frames(4).observation
    state = policy_state(observation)
    np.testing.assert_allclose(state, np.r_[observation.pose[:3], observation.twist[:3], observation.wrench[:3]], rtol=1e-6)


def test_an_inference_carries_its_times_signals_and_readings(ensemble: Ensemble) -> None:
    ticks = iter(range(100, 200, 10))
    before = ensemble.infer(frames(1, t_ns=1_000_000_000), compact.INSTRUCTION, 1, None, lambda: next(ticks))
    after = ensemble.infer(frames(2, t_ns=1_250_000_000), compact.INSTRUCTION, 2, before, lambda: next(ticks))
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
    inference = ensemble.infer(msgspec.structs.replace(seen, observation=broken), compact.INSTRUCTION, 1, None, lambda: 0)
    assert not inference.finite
    assert not inference.valid[0]


def test_latent_drift_needs_the_pass_just_before(ensemble: Ensemble) -> None:
    drift = SIGNALS.index("latent drift")
    first = ensemble.infer(frames(1, t_ns=1_000_000_000), compact.INSTRUCTION, 1, None, lambda: 0)
    ensemble.infer(frames(2, t_ns=1_250_000_000), compact.INSTRUCTION, 2, first, lambda: 0)
    skipped = ensemble.infer(frames(3, t_ns=1_500_000_000), compact.INSTRUCTION, 3, first, lambda: 0)
    assert not skipped.valid[drift]
