"""SmolVLA in any of its sizes with random weights, from LeRobot's own classes and without a network: for figures and equality."""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.policy import compact


@dataclass(frozen=True)
class Shape:
    """The numbers of a SmolVLA; as they stand, those of SmolVLA-450M on SmolVLM2-500M-Video-Instruct."""

    pixels: int = 512
    patch: int = 16
    scale_factor: int = 4
    vision_width: int = 768
    vision_layers: int = 12
    vision_heads: int = 12
    vision_mlp: int = 3072
    text_width: int = 960
    text_layers: int = 16  #: what SmolVLA keeps of 32
    text_heads: int = 15
    key_heads: int = 5
    text_mlp: int = 2560
    words: int = 49_280
    cameras: int = 3
    picture: tuple[int, int] = (512, 512)  #: height and width of the cameras' pictures
    state: int = 9
    action: int = 7
    more: dict[str, Any] = field(default_factory=dict)  #: further fields of LeRobot's ``SmolVLAConfig``


def build_vlm_folder(folder: Path, shape: Shape) -> None:
    """Write a VLM's configuration of this shape to ``folder``, with the compact policy's tokenizer."""
    from transformers import SmolVLMConfig

    compact.build_vlm_folder(folder, compact.Size())
    tree = SmolVLMConfig.from_pretrained(folder).to_dict()
    tree["scale_factor"] = shape.scale_factor
    tree["vision_config"] |= {
        "hidden_size": shape.vision_width,
        "intermediate_size": shape.vision_mlp,
        "num_hidden_layers": shape.vision_layers,
        "num_attention_heads": shape.vision_heads,
        "image_size": shape.pixels,
        "patch_size": shape.patch,
    }
    tree["text_config"] |= {
        "vocab_size": max(shape.words, tree["text_config"]["vocab_size"]),
        "hidden_size": shape.text_width,
        "intermediate_size": shape.text_mlp,
        "num_hidden_layers": shape.text_layers,
        "num_attention_heads": shape.text_heads,
        "num_key_value_heads": shape.key_heads,
        "head_dim": shape.text_width // shape.text_heads,
        "max_position_embeddings": 8192,
    }
    SmolVLMConfig(**tree).save_pretrained(folder)


def build_config(folder: Path, shape: Shape, device: str) -> Any:
    """LeRobot's ``SmolVLAConfig`` of this shape."""
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot.policies.smolvla.configuration_smolvla import SmolVLAConfig

    images = {f"observation.images.camera{n}": PolicyFeature(FeatureType.VISUAL, (3, *shape.picture)) for n in range(shape.cameras)}
    own = {"resize_imgs_with_padding": (shape.pixels, shape.pixels), "num_vlm_layers": 0, "push_to_hub": False}
    return SmolVLAConfig(
        vlm_model_name=str(folder),
        input_features={**images, "observation.state": PolicyFeature(FeatureType.STATE, (shape.state,))},
        output_features={"action": PolicyFeature(FeatureType.ACTION, (shape.action,))},
        device=device,
        **(own | shape.more),
    )


def new_members(folder: Path, shape: Shape, count: int, device: str = "cpu", seed: int = 0) -> list[Any]:
    """Policies that share one random VLM, module for module, with action experts and state projections of their own."""
    import torch
    from lerobot.policies.smolvla.modeling_smolvla import SmolVLAPolicy

    if not (folder / "config.json").exists():
        build_vlm_folder(folder, shape)
    torch.manual_seed(seed)
    with torch.device(device):
        first = SmolVLAPolicy(build_config(folder, shape, device)).eval().requires_grad_(False)
    vlm, inner = first.model.vlm_with_expert.vlm, first.model.vlm_with_expert
    found = [first]
    for _ in range(count - 1):
        inner.vlm = None
        member = deepcopy(first)
        inner.vlm = member.model.vlm_with_expert.vlm = vlm
        for name, tensor in member.state_dict().items():
            if "vlm_with_expert.vlm." not in name and tensor.ndim > 1:
                tensor.normal_(0.0, float(tensor.std()))
        found.append(member)
    return found


def in_half(policy: Any) -> Any:
    """A policy as LeRobot runs it in bfloat16: VLM and expert in it, the projections of state, actions and time in float32."""
    import torch

    policy.model.vlm_with_expert.to(torch.bfloat16)
    return policy
