"""How the pictures are changed, and what their change does to the chunk."""

import numpy as np
import pytest
import torch

from engine.signals import Pass, perturbation, sensitivity

SCALE = np.array([0.1, 0.1, 0.1, 0.5, 0.5, 0.5, 1.0])
SHAPE = (3, 3, 64, 64)


def test_the_response_is_the_way_from_the_clean_chunk_of_the_same_noise() -> None:
    chunks = np.zeros((2, 2, 4, 7), np.float32)
    chunks[:, 1] = 9.0  # another noise sample than the perturbed pass has
    perturbed = np.zeros((2, 4, 7), np.float32)
    perturbed[0, ..., 0] = 0.1  # one spread in one of seven components of one of two members
    now = Pass(chunks, 0, np.zeros(3), 0.05, SCALE)
    assert sensitivity.response(now, perturbed) == pytest.approx(np.sqrt(1 / 14))


def test_without_responses_there_is_no_sensitivity() -> None:
    assert sensitivity.mean(()) is None
    assert sensitivity.largest(()) is None


def test_the_bank_is_the_same_in_every_run_and_two_hundredths_of_full_scale() -> None:
    first, second = perturbation.bank(SHAPE), perturbation.bank(SHAPE)
    np.testing.assert_array_equal(first, second)
    assert first.shape == (perturbation.COUNT, *SHAPE)
    assert first.std(axis=(1, 2, 3, 4)) == pytest.approx([0.02] * 3, rel=0.02)
    assert np.abs(first[0] - first[1]).max() > 0.02


def test_a_perturbation_adds_its_noise_and_its_brightness_and_stays_in_range() -> None:
    noise = perturbation.bank(SHAPE)
    grey = np.full((2, *SHAPE), 0.5, np.float32)
    for number, gain in enumerate((1.0, 1.05, 0.95)):
        shown = perturbation.perturbed(grey, noise, number)
        assert shown.mean() == pytest.approx(0.5 * gain, abs=1e-3)
        np.testing.assert_allclose(shown[1], 0.5 * gain + noise[number], rtol=1e-6)
    for full in (0.0, 1.0):
        shown = perturbation.perturbed(np.full(SHAPE, full, np.float32), noise, 1)
        assert shown.min() >= 0.0
        assert shown.max() <= 1.0


def test_torch_perturbs_as_numpy_does() -> None:
    noise = perturbation.bank(SHAPE)
    pictures = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    found = perturbation.perturbed(torch.from_numpy(pictures), torch.from_numpy(noise), 2)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), perturbation.perturbed(pictures, noise, 2), rtol=1e-6)


@pytest.mark.parametrize(("passes", "inferences"), [(1, 3), (2, 2), (3, 1)])
def test_in_turn_every_perturbation_is_run(passes: int, inferences: int) -> None:
    for first in range(1, 5):
        turns = [perturbation.turn(passes, first + number) for number in range(inferences)]
        assert all(len(turn) == passes for turn in turns)
        assert {number for turn in turns for number in turn} == {0, 1, 2}
    assert perturbation.turn(0, 5) == ()
