"""A policy that does not fit is refused with a sentence that names the file and what was expected."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file, save_model

from engine.policy import building, checkpoint, compact
from engine.policy.ensemble import Ensemble
from engine.policy.loading import Options, PolicyError, load
from engine.policy.mapping import Offered
from engine.tasks import INSTRUCTIONS
from tests.policy.conftest import resign, retouch, rewrite

NORMALISER = "policy_preprocessor_step_5_normalizer_processor.safetensors"
UNNORMALISER = "policy_postprocessor_step_0_unnormalizer_processor.safetensors"


@pytest.fixture
def described(untrained: Path, tmp_path: Path) -> Path:
    """A copy of the untrained policy without its weights, to spoil."""
    weights = shutil.ignore_patterns(checkpoint.MODEL, checkpoint.MEMBERS)
    return Path(shutil.copytree(untrained, tmp_path / "policy", ignore=weights))


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


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"members": 0}, r"Expected `int` >= 1 - at `\$.members`"),
        ({"members": 17}, r"Expected `int` <= 16 - at `\$.members`"),
        ({"members": "five"}, r"Expected `int`, got `str` - at `\$.members`"),
        ({"members": None}, r"Expected `int`, got `null` - at `\$.members`"),
        ({"files": {"config.json": 3}}, r"Expected `str`, got `int` - at `\$.files\[...\]`"),
        ({"name": ["a"]}, r"at `\$.name`"),
        ({"robot": 7}, r"at `\$.robot`"),
        ({"instruction": {}}, r"at `\$.instruction`"),
        ({"mapping": 3}, r"at `\$.mapping`"),
        ({"heads": 3}, r"at `\$.heads`"),
        ({"sight": 3}, r"at `\$.sight`"),
    ],
)
def test_an_entry_of_a_wrong_type_in_the_manifest_is_one_sentence(folder: Path, entry: dict[str, Any], sentence: str) -> None:
    rewrite(folder / checkpoint.MANIFEST, lambda manifest: manifest.update(entry))
    with pytest.raises(PolicyError, match=rf"ensemble.json has an entry of a wrong type \(.*{sentence}"):
        load(str(folder))


def test_a_manifest_for_an_unknown_robot_must_bring_its_mapping(folder: Path) -> None:
    rewrite(folder / checkpoint.MANIFEST, lambda manifest: (manifest.update(robot="arm9"), manifest.pop("mapping")))
    with pytest.raises(PolicyError, match=r"ensemble.json is for the robot 'arm9' and brings no mapping"):
        load(str(folder))


@pytest.mark.parametrize("steps", [[3], [None], 3, [{"registry_name": 3}]])
def test_steps_of_the_processors_that_are_none_are_one_sentence(plain: Path, steps: Any) -> None:
    rewrite(plain / "policy_preprocessor.json", lambda one: one.update(steps=steps))
    with pytest.raises(PolicyError, match=r"policy_preprocessor.json has an entry of a wrong type"):
        load(str(plain))


def test_json_nested_without_end_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / checkpoint.MANIFEST).write_text('{"training": ' + '{"a": ' * 100_000)
    with pytest.raises(PolicyError, match=r"ensemble.json is not readable JSON"):
        checkpoint.read_manifest(tmp_path)


# files


def test_the_hash_of_a_policy_is_over_its_manifest_too(tmp_path: Path) -> None:
    hashes = set()
    for name, content in (("config.json", "{}"), ("ensemble.json", "{}"), ("ensemble.json", '{"name": "b"}'), ("vlm/ensemble.json", "{}")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
        hashes.add(checkpoint.folder_hash(tmp_path))
    assert len(hashes) == 4


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


@pytest.mark.parametrize("shape", [(3, 128), (1, 128, 128), (3, 0, 128), (3, 128, -1)])
def test_pictures_that_are_none_are_refused(described: Path, shape: tuple[int, ...]) -> None:
    rewrite(described / "config.json", lambda config: config["input_features"]["observation.images.side"].update(shape=shape))
    with pytest.raises(PolicyError, match=rf"camera 'side' of shape {re.escape(str(shape))}; expected 3 channels, height and width"):
        building.read_config(described)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"chunk_size": 0, "n_action_steps": 0}, "has chunk_size = 0; expected 1 to 1000"),
        ({"chunk_size": 1001}, "has chunk_size = 1001; expected 1 to 1000"),
        ({"num_steps": 0}, "has num_steps = 0; expected 1 to 50"),
        ({"num_steps": 51}, "has num_steps = 51; expected 1 to 50"),
        ({"empty_cameras": 1000}, "has empty_cameras = 1000; expected 0 to 16"),
        ({"tokenizer_max_length": 0}, "has tokenizer_max_length = 0; expected 1 to 1000"),
        ({"min_period": 0.0}, "has min_period = 0.0 and max_period = 4.0; expected the first above 0"),
        ({"max_period": -4.0}, "has min_period = 0.004 and max_period = -4.0; expected"),
        ({"resize_imgs_with_padding": [0, 128]}, r"has resize_imgs_with_padding = \(0, 128\); expected two sides of 1 to 2048"),
        ({"resize_imgs_with_padding": [128, 2049]}, r"has resize_imgs_with_padding = \(128, 2049\); expected"),
    ],
)
def test_what_nothing_can_be_computed_with_is_refused_before_it_is_built(described: Path, entry: dict[str, Any], sentence: str) -> None:
    rewrite(described / "config.json", lambda config: config.update(entry))
    with pytest.raises(PolicyError, match=f"config.json {sentence}"):
        building.read_config(described)


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


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        (UNNORMALISER, lambda one: one["action.mean"].fill_(torch.inf), "has action.mean that is not a number"),
        (UNNORMALISER, lambda one: one["action.std"][3:4].fill_(torch.nan), "has action.std that is not a number"),
        (UNNORMALISER, lambda one: one["action.std"][3:4].zero_(), "has action.std that is not above 0 throughout"),
        (NORMALISER, lambda one: one["observation.state.std"].neg_(), "has observation.state.std that is not above 0 throughout"),
        (UNNORMALISER, lambda one: one.pop("action.std"), r"lacks action.std; expected it of shape \(7,\)"),
    ],
)
def test_statistics_that_scale_to_nothing_are_refused(described: Path, file: str, change: Any, sentence: str) -> None:
    retouch(described / file, change)
    with pytest.raises(PolicyError, match=sentence):
        building.processors(described, building.read_config(described))


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


@pytest.mark.parametrize("spoiled", [torch.tensor([[1.0, torch.nan]]), torch.tensor([[-torch.inf, 1.0]]), torch.tensor([[1, 2]])])
def test_weights_that_are_no_finite_floating_numbers_are_named(tmp_path: Path, spoiled: torch.Tensor) -> None:
    path = tmp_path / "one.safetensors"
    save_file({"weight": spoiled, "bias": torch.zeros(1)}, path)
    with pytest.raises(PolicyError, match=r"one.safetensors holds weight that is not floating and finite throughout"):
        building.whole(path, torch.nn.Linear(2, 1))


@pytest.mark.parametrize("name", ["members/1.safetensors", "heads.safetensors"])
def test_the_weights_of_every_member_and_of_the_heads_are_finite(folder: Path, name: str) -> None:
    retouch(folder / name, lambda one: next(iter(one.values())).fill_(torch.nan))
    resign(folder)
    with pytest.raises(PolicyError, match=rf"{name} holds .* that is not floating and finite throughout"):
        load(str(folder))


def test_a_file_among_the_members_that_holds_more_than_an_expert_is_refused(plain: Path, untrained: Path) -> None:
    path = untrained / checkpoint.MODEL
    with pytest.raises(PolicyError, match=r"model.safetensors holds model.vlm.*, which is of no action expert; expected the folder"):
        load(str(plain), options=Options(members=(str(path),)))
    building.check_expert(untrained / checkpoint.MEMBERS / "1.safetensors")


# what ships


def test_the_shipped_files_load_through_lerobots_own_api() -> None:
    from lerobot.policies.factory import make_pre_post_processors
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    folder = checkpoint.shipped("cosaw")
    config = building.read_config(folder)
    policy = SmolVLAPolicy.from_pretrained(folder, config=config, strict=True)
    overrides = {"tokenizer_processor": {"tokenizer_name": config.vlm_model_name}}
    before, after = make_pre_post_processors(config, pretrained_path=str(folder), preprocessor_overrides=overrides)
    shown = {f"observation.images.{name}": torch.rand(3, compact.IMAGE_SIZE, compact.IMAGE_SIZE) for name in compact.CAMERAS}
    chunk = after(policy.predict_action_chunk(before({**shown, "observation.state": torch.zeros(9), "task": INSTRUCTIONS["saw"]})))
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
