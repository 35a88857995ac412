"""A SmolVLA small enough to ship and to run on two cores: its sizes, its tokenizer and its folder, made without a network.

Everything here builds LeRobot's own, unmodified ``SmolVLAPolicy``; only the numbers are small.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.tasks import INSTRUCTIONS

CAMERAS: tuple[str, ...] = ("front", "side", "top")
IMAGE_SIZE = 128  #: pixels, square
STATE_DIM = 9  #: of the co-sawing cell and of the Franka with its hand; a course says its own
ACTION_DIM = 7  #: dx, dy, dz in m, rotation vector (3) in rad, grip (1)
HORIZON = 16
STEP_S = 0.05  #: s between the actions of a chunk
ACTION_SPACE = "cartesian_delta"

_SENTENCES = (
    *INSTRUCTIONS.values(),
    "Reach the target with the gripper. Lift the cube from the table.",
    "Stop sawing, hold still, move left, move right, up, down, forward, back, push, pull, press, slow, faster.",
    "The robot and the person cut the wooden log with a two-handed saw along the projected line.",
)
_SPECIAL = {
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "bos_token": "<bos>",
    "eos_token": "<end_of_utterance>",
}
_IMAGE_TOKENS = {
    "fake_image_token": "<fake_token_around_image>",
    "global_image_token": "<global-img>",
    "image_token": "<image>",
    "end_of_utterance_token": "<end_of_utterance>",
    "video_token": "<video>",
}


@dataclass(frozen=True)
class Size:
    """The numbers that make the compact model; widths in features, depths in layers."""

    vision_width: int = 128
    vision_layers: int = 3
    vision_heads: int = 4
    vision_mlp: int = 512
    patch: int = 16
    scale_factor: int = 2  #: 2 x 2 patches become one token: 16 tokens a camera
    text_width: int = 192
    text_layers: int = 4
    text_heads: int = 4
    text_mlp: int = 512
    expert_share: float = 0.5  #: expert's width over the text model's
    flow_steps: int = 4


def build_vlm_folder(folder: Path, size: Size) -> None:
    """Write a SmolVLM configuration, tokenizer and processor files to ``folder``, from nothing but this file."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, SmolVLMConfig, SmolVLMProcessor
    from transformers.models.smolvlm.image_processing_smolvlm import SmolVLMImageProcessor
    from transformers.models.smolvlm.video_processing_smolvlm import SmolVLMVideoProcessor

    folder.mkdir(parents=True, exist_ok=True)
    special = list(dict.fromkeys([*_SPECIAL.values(), *_IMAGE_TOKENS.values()]))
    tokenizer = Tokenizer(models.BPE(unk_token=_SPECIAL["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=512, special_tokens=special, initial_alphabet=alphabet, min_frequency=1, show_progress=False)
    tokenizer.train_from_iterator(_SENTENCES, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, extra_special_tokens=_IMAGE_TOKENS, model_max_length=512, **_SPECIAL)
    side = {"longest_edge": IMAGE_SIZE}
    SmolVLMProcessor(
        SmolVLMImageProcessor(size=side, max_image_size=side, do_image_splitting=False),
        fast,
        SmolVLMVideoProcessor(size=side, max_image_size=side),
        image_seq_len=(IMAGE_SIZE // size.patch // size.scale_factor) ** 2,
    ).save_pretrained(folder)
    head_dim = size.text_width // size.text_heads
    SmolVLMConfig(
        image_token_id=fast.convert_tokens_to_ids(_IMAGE_TOKENS["image_token"]),
        pad_token_id=fast.pad_token_id,
        tie_word_embeddings=False,
        scale_factor=size.scale_factor,
        dtype="float32",
        vision_config={
            "hidden_size": size.vision_width,
            "intermediate_size": size.vision_mlp,
            "num_hidden_layers": size.vision_layers,
            "num_attention_heads": size.vision_heads,
            "image_size": IMAGE_SIZE,
            "patch_size": size.patch,
            "dtype": "float32",
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(fast),
            "hidden_size": size.text_width,
            "intermediate_size": size.text_mlp,
            "num_hidden_layers": size.text_layers,
            "num_attention_heads": size.text_heads,
            "num_key_value_heads": size.text_heads,
            "head_dim": head_dim,
            "max_position_embeddings": 256,
            "pad_token_id": fast.pad_token_id,
            "bos_token_id": fast.bos_token_id,
            "eos_token_id": fast.eos_token_id,
            "tie_word_embeddings": False,
            "dtype": "float32",
        },
        architectures=["SmolVLMForConditionalGeneration"],
    ).save_pretrained(folder)


def build_config(vlm_folder: Path, size: Size, device: str = "cpu", state: int = STATE_DIM, action: int = ACTION_DIM) -> Any:
    """LeRobot's ``SmolVLAConfig`` for the compact model, its VLM described by the files in ``vlm_folder``; numbers of state and action."""
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig

    images = {f"observation.images.{name}": PolicyFeature(FeatureType.VISUAL, (3, IMAGE_SIZE, IMAGE_SIZE)) for name in CAMERAS}
    return SmolVLAConfig(
        vlm_model_name=str(vlm_folder),
        load_vlm_weights=False,
        input_features={**images, "observation.state": PolicyFeature(FeatureType.STATE, (state,))},
        output_features={"action": PolicyFeature(FeatureType.ACTION, (action,))},
        chunk_size=HORIZON,
        n_action_steps=HORIZON,
        max_state_dim=state,
        max_action_dim=action,
        resize_imgs_with_padding=(IMAGE_SIZE, IMAGE_SIZE),
        num_steps=size.flow_steps,
        num_vlm_layers=0,
        expert_width_multiplier=size.expert_share,
        self_attn_every_n_layers=2,
        freeze_vision_encoder=False,
        train_expert_only=False,
        push_to_hub=False,
        device=device,
    )


def new_policy(vlm_folder: Path, size: Size, seed: int, device: str = "cpu", state: int = STATE_DIM, action: int = ACTION_DIM) -> Any:
    """An untrained ``SmolVLAPolicy`` of the given size. Writes ``vlm_folder`` if it is not there."""
    import torch
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    if not (vlm_folder / "config.json").exists():
        build_vlm_folder(vlm_folder, size)
    torch.manual_seed(seed)
    return SmolVLAPolicy(build_config(vlm_folder, size, device, state, action)).to(device).eval()
