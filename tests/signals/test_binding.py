"""The statistics that lie beside weights are theirs, and no others'."""

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.policy import checkpoint, statistics
from engine.policy.errors import PolicyError
from engine.signals import familiarity, nominal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of a base and one more member, as little as has a hash, with statistics bound to them."""
    rng = np.random.default_rng(0)
    for name in (checkpoint.MODEL, "members/1.safetensors"):
        checkpoint.write_tensors(tmp_path / name, {"weight": torch.from_numpy(rng.normal(size=4))}, half=True)
    usual = nominal.fit(rng.normal(1.0, 0.1, (60, 18)), np.ones((60, 18), dtype=np.bool_))
    statistics.save(tmp_path, statistics.Statistics(statistics.noise_bank(2, 4, 3), usual, familiarity.fit(rng.normal(size=(50, 6)), 2)))
    return tmp_path


def test_statistics_come_back_as_they_were_kept(folder: Path) -> None:
    found = statistics.load(folder, 4, 3, ensemble=True)
    torch.testing.assert_close(found.noise, statistics.noise_bank(2, 4, 3))
    assert found.nominal is not None
    assert found.familiarity is not None
    assert found.nominal.table.shape == (18, 101)
    assert found.familiarity.components.shape == (2, 6)


@pytest.mark.parametrize("name", [checkpoint.MODEL, "members/1.safetensors", "members/2.safetensors"])
def test_other_weights_than_they_were_made_for_are_refused(folder: Path, name: str) -> None:
    checkpoint.write_tensors(folder / name, {"weight": torch.zeros(4)}, half=True)
    with pytest.raises(PolicyError, match=r"signals.safetensors was made for weights with SHA-256 [0-9a-f]{12}; .* have [0-9a-f]{12}"):
        statistics.load(folder, 4, 3, ensemble=True)


def test_statistics_bound_to_nothing_are_refused(folder: Path) -> None:
    checkpoint.write_tensors(folder / checkpoint.SIGNALS, {"noise": statistics.noise_bank(2, 4, 3)}, half=False)
    with pytest.raises(PolicyError, match="made for weights with SHA-256 none"):
        statistics.load(folder, 4, 3, ensemble=True)


def test_only_a_folder_that_lerobot_alone_wrote_may_have_none(folder: Path) -> None:
    (folder / checkpoint.SIGNALS).unlink()
    with pytest.raises(PolicyError, match=r"signals.safetensors is missing"):
        statistics.load(folder, 4, 3, ensemble=True)
    found = statistics.load(folder, 4, 3, ensemble=False)
    assert found.noise.shape == (statistics.DEFAULT_SAMPLES, 4, 3)
    assert found.nominal is None


def test_half_of_what_belongs_together_is_refused_by_name(folder: Path) -> None:
    whole = checkpoint.read_tensors(folder / checkpoint.SIGNALS)
    del whole["familiarity.precision"]
    metadata = {statistics.WEIGHTS: checkpoint.weights_hash(folder)}
    checkpoint.write_tensors(folder / checkpoint.SIGNALS, whole, half=False, metadata=metadata)
    with pytest.raises(PolicyError, match=r"lacks tensor familiarity.precision"):
        statistics.load(folder, 4, 3, ensemble=True)
