"""A policy that does not fit is refused with a sentence that names the file and what was expected."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_model

from engine.policy import building, checkpoint, compact
from engine.policy.ensemble import Ensemble
from engine.policy.loading import COMPACT, PolicyError, load, read_config
from engine.policy.mapping import Offered
from tests.policy.conftest import resign, retouch, rewrite

NORMALISER = "policy_preprocessor_step_5_normalizer_processor.safetensors"
UNNORMALISER = "policy_postprocessor_step_0_unnormalizer_processor.safetensors"


# what there is not


def test_no_such_folder_is_named() -> None:
    with pytest.raises(PolicyError, match=r"/nowhere/policy is not a folder; expected 'compact'"):
        load("/nowhere/policy")


def test_cuda_where_there_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, untrained: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(PolicyError, match="no CUDA device is there"):
        load(str(untrained), device="cuda")


def test_a_cuda_device_beyond_the_last_is_refused(monkeypatch: pytest.MonkeyPatch, untrained: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(PolicyError, match="device 'cuda:2' was asked for, but there are 2 CUDA devices, counted from 0"):
        load(str(untrained), device="cuda:2")


def test_no_member_is_refused(folder: Path, plain: Path) -> None:
    (folder / checkpoint.MODEL).unlink()
    with pytest.raises(PolicyError, match=r"model.safetensors is missing; expected a safetensors file"):
        load(str(plain))


def test_an_ensemble_of_none_is_refused(folder: Path) -> None:
    rewrite(folder / checkpoint.MANIFEST, lambda manifest: manifest.update(members=0))
    with pytest.raises(PolicyError, match=r"ensemble.json has 0 members; expected at least one"):
        load(str(folder))


# files


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


def test_a_header_that_was_edited_is_refused_without_a_manifest_too(plain: Path) -> None:
    content = bytearray((plain / checkpoint.MODEL).read_bytes())
    content[8:10] = b"!!"
    (plain / checkpoint.MODEL).write_bytes(bytes(content))
    with pytest.raises(PolicyError, match=r"model.safetensors is not a readable safetensors file"):
        load(str(plain))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "optimizer.pkl"])
def test_a_pickle_is_refused_by_name(plain: Path, name: str) -> None:
    (plain / checkpoint.MODEL).rename(plain / name)
    with pytest.raises(PolicyError, match=rf"{name} is a pickle, which may hold code and is never opened; expected model.safetensors"):
        load(str(plain))


def test_a_step_of_the_processors_with_a_class_of_its_own_is_never_imported(plain: Path) -> None:
    rewrite(plain / "policy_preprocessor.json", lambda one: one["steps"].append({"class": "antigravity.Step", "config": {}}))
    with pytest.raises(PolicyError, match=r"policy_preprocessor.json has a step of a class of its own, antigravity.Step"):
        load(str(plain))


def test_code_of_the_vlms_own_is_never_run(plain: Path) -> None:
    rewrite(plain / "vlm/config.json", lambda one: one.update(auto_map={"AutoConfig": "mine.Config"}))
    with pytest.raises(PolicyError, match=r"vlm/config.json asks for code of its own \(auto_map\)"):
        load(str(plain))


def test_a_tensor_of_another_shape_is_refused_with_both_shapes(folder: Path) -> None:
    retouch(folder / "members/1.safetensors", lambda one: one.update({"model.action_out_proj.bias": torch.zeros(6)}))
    resign(folder)
    with pytest.raises(PolicyError, match=r"1.safetensors holds model.action_out_proj.bias of shape \(6,\); expected \(7,\)"):
        load(str(folder))


def test_a_missing_tensor_is_named(folder: Path) -> None:
    retouch(folder / checkpoint.MODEL, lambda one: one.pop("model.state_proj.bias"))
    resign(folder)
    with pytest.raises(PolicyError, match=r"model.safetensors lacks tensor model.state_proj.bias of shape \(192,\)"):
        load(str(folder))


def test_a_file_that_the_manifest_does_not_name_is_refused(folder: Path) -> None:
    rewrite(folder / checkpoint.MANIFEST, lambda manifest: manifest["files"].pop("heads.safetensors"))
    with pytest.raises(PolicyError, match=r"heads.safetensors is not named in ensemble.json"):
        load(str(folder))


def test_a_manifest_that_names_no_files_vouches_for_none(folder: Path) -> None:
    rewrite(folder / checkpoint.MANIFEST, lambda manifest: manifest.pop("files"))
    with pytest.raises(PolicyError, match=r"config.json is not named in ensemble.json"):
        load(str(folder))


# what a policy is, takes and gives


def test_a_policy_of_another_type_is_refused(plain: Path) -> None:
    rewrite(plain / "config.json", lambda config: config.update(type="act"))
    with pytest.raises(PolicyError, match="policy of type 'act'; expected 'smolvla'"):
        load(str(plain))


def test_other_cameras_are_refused_with_both_lists(plain: Path) -> None:
    def renamed(config: dict[str, Any]) -> None:
        config["input_features"]["observation.images.wrist"] = config["input_features"].pop("observation.images.side")

    rewrite(plain / "config.json", renamed)
    with pytest.raises(PolicyError, match=r"names cameras .*wrist.*; expected .*side"):
        load(str(plain))


def test_another_action_width_is_refused(plain: Path) -> None:
    rewrite(plain / "config.json", lambda config: config["output_features"]["action"].update(shape=[6]))
    with pytest.raises(PolicyError, match=r"action of shape \(6,\); expected \(7,\)"):
        load(str(plain))


def test_actions_of_another_space_are_refused(folder: Path) -> None:
    rewrite(folder / checkpoint.MANIFEST, lambda manifest: manifest["mapping"].update(action_space="joint_velocity"))
    with pytest.raises(PolicyError, match="actions of 'joint_velocity'; expected cartesian_delta or joint_position"):
        load(str(folder))


def test_a_policy_for_another_robot_is_refused(folder: Path) -> None:
    with pytest.raises(PolicyError, match=r"was trained for the robot 'cosaw'; expected one for 'pickplace'"):
        load(str(folder), robot="pickplace")


def test_pictures_that_the_robot_does_not_take_are_refused_with_the_setting_that_would(plain: Path) -> None:
    with pytest.raises(PolicyError, match=r"its pictures are \(192, 192\); camera.pixels = 128 would fit"):
        load(str(plain), offered=Offered(("front", "side", "top"), 192, 7))


@pytest.mark.parametrize(("file", "feature"), [(NORMALISER, "observation.state"), (UNNORMALISER, "action")])
def test_missing_statistics_are_named(plain: Path, file: str, feature: str) -> None:
    def without(tensors: dict[str, torch.Tensor]) -> None:
        del tensors[f"{feature}.mean"], tensors[f"{feature}.std"]

    retouch(plain / file, without)
    with pytest.raises(PolicyError, match=rf"has no statistics of {feature}; expected mean and spread for \([79],\)"):
        load(str(plain))


def test_statistics_that_are_no_numbers_are_refused(plain: Path) -> None:
    retouch(plain / UNNORMALISER, lambda one: one["action.mean"].fill_(torch.inf))
    with pytest.raises(PolicyError, match=r"has action.mean that is not a number"):
        load(str(plain))


def test_statistics_of_another_shape_are_refused_with_both(plain: Path) -> None:
    retouch(plain / UNNORMALISER, lambda one: one.update({"action.mean": torch.zeros(6), "action.std": torch.ones(6)}))
    with pytest.raises(PolicyError, match=r"has action.(mean|std) of shape \(6,\); expected \(7,\)"):
        load(str(plain))


def test_a_checkpoint_without_processors_is_told_how_to_get_them(plain: Path) -> None:
    (plain / "policy_preprocessor.json").unlink()
    with pytest.raises(PolicyError, match=r"policy_preprocessor.json is missing; .*LeRobot 0.4 gets it by `python -m lerobot.processor"):
        load(str(plain))


def test_of_tensors_that_share_their_memory_a_file_may_hold_one(tmp_path: Path) -> None:
    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.answer = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
            self.answer.weight = self.words.weight

    kept, read = Tied(), Tied()
    save_model(kept, str(tmp_path / "tied.safetensors"))
    assert len(load_file(tmp_path / "tied.safetensors")) == 3
    building.whole(tmp_path / "tied.safetensors", read)
    assert torch.equal(read.answer.weight, kept.words.weight)


# what ships


def test_the_shipped_files_load_through_lerobots_own_api() -> None:
    from lerobot.policies.factory import make_pre_post_processors
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    config = read_config(COMPACT)
    policy = SmolVLAPolicy.from_pretrained(COMPACT, config=config, strict=True)
    overrides = {"tokenizer_processor": {"tokenizer_name": config.vlm_model_name}}
    before, after = make_pre_post_processors(config, pretrained_path=str(COMPACT), preprocessor_overrides=overrides)
    shown = {f"observation.images.{name}": torch.rand(3, compact.IMAGE_SIZE, compact.IMAGE_SIZE) for name in compact.CAMERAS}
    chunk = after(policy.predict_action_chunk(before({**shown, "observation.state": torch.zeros(9), "task": compact.INSTRUCTION})))
    assert chunk.shape == (1, compact.HORIZON, compact.ACTION_DIM)
    assert torch.isfinite(chunk).all()


def test_what_ships_is_within_twenty_megabytes() -> None:
    for shipped in checkpoint.SHIPPED.iterdir():
        assert sum(path.stat().st_size for path in shipped.rglob("*") if path.is_file()) <= 20_000_000, shipped.name


def test_progress_is_told(untrained: Path) -> None:
    said: list[str] = []
    loaded = load(str(untrained), progress=said.append)
    assert isinstance(loaded, Ensemble)
    assert said[0] == "checking files"
    assert "reading member 3 of 3" in said
    assert said[-1].endswith("GB on cpu")
