"""The shared, stacked path says what LeRobot says, member by member."""

from pathlib import Path

import numpy as np
import torch

from engine.policy import compact
from engine.policy.ensemble import Ensemble
from engine.policy.loading import load
from engine.tasks import INSTRUCTIONS
from tests.policy.conftest import frames


def lerobot_chunks(ensemble: Ensemble, seed: int) -> np.ndarray:
    """(E, B, H, A) by LeRobot's own ``predict_action_chunk`` and processors, one member and one noise sample after another."""
    shown = frames(seed)
    images = {name: torch.from_numpy(image)[None] for name, image in shown.images.items()}
    batch = ensemble.prepare(images, torch.from_numpy(ensemble.mapping.state_of(shown.observation))[None], INSTRUCTIONS["saw"])
    rows = []
    for member in range(ensemble.info.members):
        policy = ensemble.member(member)
        noise = ensemble.statistics.noise
        chunks = [policy.predict_action_chunk(dict(batch), noise=noise[b : b + 1].clone()) for b in range(len(noise))]
        rows.append(torch.cat([ensemble.restore(chunk) for chunk in chunks]))
    return torch.stack(rows).numpy()


def test_every_member_equals_lerobots_predict_action_chunk(ensemble: Ensemble) -> None:
    inference = ensemble.infer(frames(1), INSTRUCTIONS["saw"], 1, None, lambda: 0)
    expected = lerobot_chunks(ensemble, 1)
    assert inference.chunks.shape == expected.shape == (3, 2, compact.HORIZON, compact.ACTION_DIM)
    np.testing.assert_allclose(inference.chunks, expected, atol=1e-5)
    assert np.abs(inference.chunks[0] - inference.chunks[1]).max() > 0.01


def test_the_shipped_ensemble_equals_lerobot_too() -> None:
    shipped = load("compact")
    assert shipped.info.members == 5
    inference = shipped.infer(frames(2), INSTRUCTIONS["saw"], 1, None, lambda: 0)
    np.testing.assert_allclose(inference.chunks, lerobot_chunks(shipped, 2), atol=1e-5)


def test_a_batch_equals_its_observations_one_by_one(ensemble: Ensemble) -> None:
    shown = [frames(seed) for seed in (3, 4)]
    images = {name: torch.from_numpy(np.stack([f.images[name] for f in shown])) for name in compact.CAMERAS}
    states = torch.from_numpy(np.stack([ensemble.mapping.state_of(f.observation) for f in shown]))
    together = ensemble.predict(images, states, INSTRUCTIONS["saw"])
    for i, one in enumerate(shown):
        alone = ensemble.infer(one, INSTRUCTIONS["saw"], 1, None, lambda: 0)
        np.testing.assert_allclose(together.chunks[i], alone.chunks, atol=1e-5)


def test_a_policy_saved_and_loaded_is_the_same_policy(untrained: Path, ensemble: Ensemble, tmp_path: Path) -> None:
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    from engine.policy.building import read_config

    plain = SmolVLAPolicy.from_pretrained(untrained, config=read_config(untrained), strict=True)
    first = ensemble.member(0).state_dict()
    plain.save_pretrained(tmp_path)
    again = SmolVLAPolicy.from_pretrained(tmp_path, config=read_config(untrained), strict=True)
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, first[name]), name
        assert torch.equal(tensor, again.state_dict()[name]), name
