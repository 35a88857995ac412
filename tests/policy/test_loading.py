"""A policy that does not fit is refused with a sentence that names the file and what was expected."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.policy import checkpoint, compact
from engine.policy.ensemble import Ensemble
from engine.policy.loading import PolicyError, load, read_config


@pytest.fixture
def folder(untrained: Path, tmp_path: Path) -> Path:
    """A copy of the untrained ensemble to spoil."""
    return Path(shutil.copytree(untrained, tmp_path / "policy"))


def resign(folder: Path) -> None:
    """Write the manifest again, as if training had made the spoiled files."""
    manifest = checkpoint.read_json(folder / checkpoint.MANIFEST)
    manifest.pop("files")
    checkpoint.write_manifest(folder, manifest)


def test_no_such_folder_is_named() -> None:
    with pytest.raises(PolicyError, match=r"/nowhere/policy is not a folder; expected 'compact'"):
        load("/nowhere/policy")


def test_cuda_where_there_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, untrained: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(PolicyError, match="no CUDA device is there"):
        load(str(untrained), device="cuda")


@pytest.mark.parametrize("name", ["model.safetensors", "members/2.safetensors", "heads.safetensors", "vlm/tokenizer.json", "config.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(PolicyError, match=rf"{name} is missing"):
        load(str(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "members/1.safetensors", "signals.safetensors"])
def test_an_edited_file_is_refused_by_its_hash(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(PolicyError, match=rf"{name} has SHA-256 .*damaged or was edited"):
        load(str(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "members/1.safetensors", "heads.safetensors", "signals.safetensors"])
def test_truncated_weights_are_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    resign(folder)
    with pytest.raises(PolicyError, match=rf"{name} is not a readable safetensors file"):
        load(str(folder))


def test_a_tensor_of_another_shape_is_refused_with_both_shapes(folder: Path) -> None:
    path = folder / "members/1.safetensors"
    tensors = load_file(path)
    tensors["model.action_out_proj.bias"] = torch.zeros(6)
    save_file(tensors, path)
    resign(folder)
    with pytest.raises(PolicyError, match=r"1.safetensors holds model.action_out_proj.bias of shape \(6,\); expected \(7,\)"):
        load(str(folder))


def test_a_missing_tensor_is_named(folder: Path) -> None:
    path = folder / checkpoint.MODEL
    tensors = load_file(path)
    del tensors["model.state_proj.bias"]
    save_file(tensors, path)
    resign(folder)
    with pytest.raises(PolicyError, match=r"model.safetensors lacks tensor model.state_proj.bias of shape \(192,\)"):
        load(str(folder))


def test_a_member_with_a_prefix_of_its_own_is_refused(folder: Path) -> None:
    whole = load_file(folder / checkpoint.MODEL)
    whole["model.state_proj.bias"] = whole["model.state_proj.bias"] + 1.0
    save_file(whole, folder / "members/2.safetensors")
    resign(folder)
    with pytest.raises(PolicyError, match=r"2.safetensors holds another model.state_proj.bias"):
        load(str(folder))


def test_a_policy_of_another_type_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "type": "act"}))
    resign(folder)
    with pytest.raises(PolicyError, match="policy of type 'act'; expected 'smolvla'"):
        load(str(folder))


def test_other_cameras_are_refused_with_both_lists(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["input_features"]["observation.images.wrist"] = config["input_features"].pop("observation.images.side")
    (folder / "config.json").write_text(json.dumps(config))
    resign(folder)
    with pytest.raises(PolicyError, match=r"names cameras .*wrist.*; expected .*side"):
        load(str(folder))


def test_another_action_width_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["output_features"]["action"]["shape"] = [6]
    (folder / "config.json").write_text(json.dumps(config))
    resign(folder)
    with pytest.raises(PolicyError, match=r"action of shape \(6,\); expected \(7,\)"):
        load(str(folder))


def test_actions_of_another_space_are_refused(folder: Path) -> None:
    manifest = checkpoint.read_json(folder / checkpoint.MANIFEST)
    (folder / checkpoint.MANIFEST).write_text(json.dumps({**manifest, "action_space": "joint_velocity"}))
    with pytest.raises(PolicyError, match="actions of 'joint_velocity'; expected 'cartesian_delta'"):
        load(str(folder))


def test_a_file_that_the_manifest_does_not_name_is_refused(folder: Path) -> None:
    manifest = checkpoint.read_json(folder / checkpoint.MANIFEST)
    del manifest["files"]["heads.safetensors"]
    (folder / checkpoint.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(PolicyError, match=r"heads.safetensors is not named in ensemble.json"):
        load(str(folder))


def test_a_manifest_that_names_no_files_vouches_for_none(folder: Path) -> None:
    manifest = checkpoint.read_json(folder / checkpoint.MANIFEST)
    del manifest["files"]
    (folder / checkpoint.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(PolicyError, match=r"config.json is not named in ensemble.json"):
        load(str(folder))


def test_a_plain_lerobot_folder_is_an_ensemble_of_one_whose_epistemic_signal_is_invalid(folder: Path) -> None:
    from tests.policy.conftest import frames

    for name in (checkpoint.MANIFEST, checkpoint.HEADS, checkpoint.SIGNALS):
        (folder / name).unlink()
    shutil.rmtree(folder / checkpoint.MEMBERS)
    alone = load(str(folder))
    inference = alone.infer(frames(1), compact.INSTRUCTION, 1, None, lambda: 0)
    assert alone.info.members == inference.members == 1
    assert inference.heads == {}
    assert not inference.valid[0]
    assert inference.valid[1]


def test_the_shipped_files_load_through_lerobots_own_api() -> None:
    from lerobot.policies.factory import make_pre_post_processors
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    from engine.policy.loading import COMPACT

    config = read_config(COMPACT, "cpu")
    policy = SmolVLAPolicy.from_pretrained(COMPACT, config=config, strict=True)
    overrides = {"tokenizer_processor": {"tokenizer_name": config.vlm_model_name}}
    before, after = make_pre_post_processors(config, pretrained_path=str(COMPACT), preprocessor_overrides=overrides)
    shown = {f"observation.images.{name}": torch.rand(3, compact.IMAGE_SIZE, compact.IMAGE_SIZE) for name in compact.CAMERAS}
    chunk = after(policy.predict_action_chunk(before({**shown, "observation.state": torch.zeros(9), "task": compact.INSTRUCTION})))
    assert chunk.shape == (1, compact.HORIZON, compact.ACTION_DIM)
    assert torch.isfinite(chunk).all()


def test_what_ships_is_within_twenty_megabytes() -> None:
    from engine.policy.loading import COMPACT

    assert sum(path.stat().st_size for path in COMPACT.rglob("*") if path.is_file()) <= 20_000_000


def test_progress_is_told(untrained: Path) -> None:
    said: list[str] = []
    loaded = load(str(untrained), progress=said.append)
    assert isinstance(loaded, Ensemble)
    assert said[0] == "checking files"
    assert "reading member 3" in said
