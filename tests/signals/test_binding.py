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
    found = statistics.load(folder, 4, 3, 6, ensemble=True)
    torch.testing.assert_close(found.noise, statistics.noise_bank(2, 4, 3))
    assert found.nominal is not None
    assert found.familiarity is not None
    assert found.nominal.table.shape == (18, 101)
    assert found.familiarity.components.shape == (2, 6)


@pytest.mark.parametrize("name", [checkpoint.MODEL, "members/1.safetensors", "members/2.safetensors"])
def test_other_weights_than_they_were_made_for_are_refused(folder: Path, name: str) -> None:
    checkpoint.write_tensors(folder / name, {"weight": torch.zeros(4)}, half=True)
    with pytest.raises(PolicyError, match=r"signals.safetensors was made for weights with SHA-256 [0-9a-f]{12}; .* have [0-9a-f]{12}"):
        statistics.load(folder, 4, 3, 6, ensemble=True)


def test_statistics_bound_to_nothing_are_refused(folder: Path) -> None:
    checkpoint.write_tensors(folder / checkpoint.SIGNALS, {"noise": statistics.noise_bank(2, 4, 3)}, half=False)
    with pytest.raises(PolicyError, match="made for weights with SHA-256 none"):
        statistics.load(folder, 4, 3, 6, ensemble=True)


def test_only_a_folder_that_lerobot_alone_wrote_may_have_none(folder: Path) -> None:
    (folder / checkpoint.SIGNALS).unlink()
    with pytest.raises(PolicyError, match=r"signals.safetensors is missing"):
        statistics.load(folder, 4, 3, 6, ensemble=True)
    found = statistics.load(folder, 4, 3, 6, ensemble=False)
    assert found.noise.shape == (statistics.DEFAULT_SAMPLES, 4, 3)
    assert found.nominal is None


def test_half_of_what_belongs_together_is_refused_by_name(folder: Path) -> None:
    whole = checkpoint.read_tensors(folder / checkpoint.SIGNALS)
    del whole["familiarity.precision"]
    checkpoint.write_tensors(folder / checkpoint.SIGNALS, whole, half=False, metadata=checkpoint.bound(folder))
    with pytest.raises(PolicyError, match=r"lacks tensor familiarity.precision"):
        statistics.load(folder, 4, 3, 6, ensemble=True)


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("noise", torch.full((2, 4, 3), torch.nan)),
        ("noise", torch.zeros(0, 4, 3)),
        ("nominal.table", torch.zeros(18, 100)),
        ("nominal.table", torch.full((18, 101), torch.nan)),
        ("nominal.p95", torch.full((18,), torch.inf)),
        ("nominal.p95", torch.zeros(17)),
        ("familiarity.mean", torch.zeros(5)),
        ("familiarity.components", torch.zeros(3, 6)),
        ("familiarity.components", torch.zeros(2, 5)),
        ("familiarity.components", torch.zeros(6)),
        ("familiarity.precision", torch.full((2, 2), torch.nan)),
        ("other", torch.zeros(1)),
    ],
)
def test_statistics_of_other_shapes_or_without_numbers_are_refused_by_name(folder: Path, name: str, spoilt: torch.Tensor) -> None:
    tensors = checkpoint.read_tensors(folder / checkpoint.SIGNALS) | {name: spoilt}
    checkpoint.write_tensors(folder / checkpoint.SIGNALS, tensors, half=False, metadata=checkpoint.bound(folder))
    with pytest.raises(PolicyError, match=r"signals.safetensors holds .*(noise|familiarity|tensor other|" + name + ")"):
        statistics.load(folder, 4, 3, 6, ensemble=True)


def test_a_signal_that_was_never_valid_has_no_distribution(folder: Path) -> None:
    valid = np.ones((60, 18), dtype=np.bool_)
    valid[:, 5] = False
    statistics.save(folder, statistics.Statistics(statistics.noise_bank(2, 4, 3), nominal.fit(np.ones((60, 18)), valid)))
    found = statistics.load(folder, 4, 3, 6, ensemble=True).nominal
    assert found is not None
    assert np.isnan(found.p95).nonzero()[0].tolist() == [5]
