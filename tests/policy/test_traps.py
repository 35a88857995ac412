"""The classic ways to ask a trained policy wrongly without any error: each of them shows here."""

import copy

import msgspec
import numpy as np
import pytest
import torch

from engine.policy import compact
from engine.policy.ensemble import Ensemble
from engine.policy.loading import PolicyError
from engine.tasks import INSTRUCTIONS
from engine.types import U8
from tests.policy.conftest import frames


def picture(rgb: tuple[int, int, int]) -> U8:
    return np.tile(np.array(rgb, dtype=np.uint8), (compact.IMAGE_SIZE, compact.IMAGE_SIZE, 1))


def batch_of(ensemble: Ensemble, image: U8) -> dict[str, torch.Tensor]:
    images = {name: torch.from_numpy(image)[None] for name in compact.CAMERAS}
    return ensemble.prepare(images, torch.zeros(1, compact.STATE_DIM), INSTRUCTIONS["saw"])


def test_bytes_become_fractions_of_full_scale(ensemble: Ensemble) -> None:
    shown = batch_of(ensemble, picture((255, 51, 0)))["observation.images.front"]
    assert shown.dtype == torch.float32
    assert shown.shape == (1, 3, compact.IMAGE_SIZE, compact.IMAGE_SIZE)
    assert (shown.min(), shown.max()) == (0.0, 1.0)


def test_pictures_that_are_fractions_already_are_refused(ensemble: Ensemble) -> None:
    images = {name: torch.rand(1, compact.IMAGE_SIZE, compact.IMAGE_SIZE, 3) for name in compact.CAMERAS}
    with pytest.raises(PolicyError, match="needs camera 'front' as uint8"):
        ensemble.prepare(images, torch.zeros(1, compact.STATE_DIM), INSTRUCTIONS["saw"])


def test_colours_stay_red_green_blue(ensemble: Ensemble) -> None:
    shown = batch_of(ensemble, picture((255, 51, 0)))["observation.images.side"][0]
    assert [round(float(channel.mean()), 3) for channel in shown] == [1.0, 0.2, 0.0]


def test_the_attention_mask_is_boolean_and_whole(ensemble: Ensemble) -> None:
    mask = batch_of(ensemble, picture((0, 0, 0)))["observation.language.attention_mask"]
    assert mask.dtype == torch.bool
    assert mask.all()


def test_every_tensor_goes_with_the_members_to_their_device(ensemble: Ensemble) -> None:
    """A constant left behind would meet tensors of another device here and fail."""
    away = copy.deepcopy(ensemble.members).to("meta")
    noise = ensemble.statistics.noise.to("meta")
    size = compact.IMAGE_SIZE
    given = (torch.zeros(1, 3, 3, size, size), torch.zeros(5, dtype=torch.long), torch.zeros(1, compact.STATE_DIM))
    answer = away(*(one.to("meta") for one in given), noise, (0,) * len(noise))
    assert {answer.actions.device.type, answer.velocity.device.type, answer.features.device.type} == {"meta"}


def test_a_missing_camera_is_refused_with_both_shapes(ensemble: Ensemble) -> None:
    shown = frames(1)
    left = {name: image for name, image in shown.images.items() if name != "top"}
    with pytest.raises(PolicyError, match=r"needs camera 'top' as uint8 \(128, 128, 3\); the pictures are \{'front': \(128, 128, 3\)"):
        ensemble.infer(msgspec.structs.replace(shown, images=left), INSTRUCTIONS["saw"], 1, None, lambda: 0)


def test_cameras_are_told_apart_by_name_and_not_by_their_order(ensemble: Ensemble) -> None:
    shown = frames(1)
    turned = msgspec.structs.replace(shown, images=dict(reversed(shown.images.items())))
    one, other = (ensemble.infer(seen, INSTRUCTIONS["saw"], 1, None, lambda: 0).chunks for seen in (shown, turned))
    np.testing.assert_array_equal(one, other)
