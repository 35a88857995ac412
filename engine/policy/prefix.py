"""What members share: pictures, words and state of one moment turned into the keys and values their experts attend to.

The arithmetic is that of LeRobot's ``VLAFlowMatching.embed_prefix`` and ``SmolVLMWithExpertModel.forward`` with a cache being filled
(lerobot 0.6.1), on the very same parameters. Tokens that LeRobot masks (padding to ``prefix_length``, empty cameras, padded words) are
left out: nothing attends to them and positions do not count them. Pictures and words do not see the state, so members whose state
projections differ share all other tokens and carry a state token each. Tests hold the two equal.
"""

import math
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.policy.errors import PolicyError

WAVELENGTH = 10_000.0  #: longest of the rotary embedding, fixed in LeRobot
LENGTHS = 64  #: of instructions that compiled layers are kept for


def turns(positions: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Rotary tables of ``positions`` (P,) for heads of ``width`` D: cosine and signed sine, (P, 1, D) each, float32."""
    wavelength = WAVELENGTH ** (torch.arange(width // 2, device=positions.device, dtype=torch.float32) * (2.0 / width))
    angle = positions.to(torch.float32)[:, None, None] / wavelength
    sin, cos = torch.sin(angle), torch.cos(angle)
    return torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)


def rotated(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary position embedding, halves paired (Su et al. 2021). ``x`` (..., P, heads, D), ``table`` of its P positions."""
    wide = x.to(torch.float32)
    return torch.addcmul(wide * table[0], wide.roll(x.shape[-1] // 2, -1), table[1]).to(x.dtype)


def split(x: Tensor, heads: int) -> Tensor:
    """``x`` (..., heads * D) -> (..., heads, D)."""
    return x.reshape(*x.shape[:-1], heads, -1)


def attended(q: Tensor, k: Tensor, v: Tensor, sees: Tensor | None = None) -> Tensor:
    """Grouped-query attention. ``q`` (B, T, heads, D), ``k`` and ``v`` (B, key heads, S, D), ``sees`` (T, S) -> (B, T, heads * D).

    Heads that share a key head become further rows of its queries, so no key is copied.
    """
    batch, length, heads, width = q.shape
    groups = heads // k.shape[1]
    rows = q.reshape(batch, length, k.shape[1], groups, width).permute(0, 2, 3, 1, 4).flatten(2, 3).to(k.dtype)
    mask = sees if sees is None or groups == 1 else sees.repeat(groups, 1)
    y = functional.scaled_dot_product_attention(rows, k, v, attn_mask=mask)
    return y.reshape(batch, -1, groups, length, width).permute(0, 3, 1, 2, 4).reshape(batch, length, heads * width)


def picture_size(config: Any) -> tuple[int, int]:
    """(height, width) of the pictures the vision model takes. Raises PolicyError if the cameras' differ."""
    if config.resize_imgs_with_padding is not None:
        width, height = config.resize_imgs_with_padding
        return int(height), int(width)
    sizes = {tuple(feature.shape[1:]) for feature in config.image_features.values()}
    if len(sizes) != 1:
        raise PolicyError(f"the cameras' pictures have sizes {sorted(sizes)} and the policy does not resize them; expected one size")
    height, width = sizes.pop()
    return int(height), int(width)


def fitted(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Pictures (..., 3, h, w) made ``size`` (height, width) as LeRobot does: aspect kept, black on the left and top."""
    if tuple(pictures.shape[-2:]) == size:
        return pictures
    height, width = pictures.shape[-2:]
    ratio = max(width / size[1], height / size[0])
    inner = (int(height / ratio), int(width / ratio))
    flat = functional.interpolate(pictures.reshape(-1, *pictures.shape[-3:]), size=inner, mode="bilinear", align_corners=False)
    flat = functional.pad(flat, (size[1] - inner[1], 0, size[0] - inner[0], 0))
    return flat.reshape(*pictures.shape[:-2], *size)


def patch_places(size: tuple[int, int], patch: int, side: int, dtype: torch.dtype) -> Tensor:
    """(patches,) rows of the position table for a picture, by the formula of ``SmolVLMVisionEmbeddings`` and in its precision."""
    edges = torch.arange(1 / side, 1.0, 1 / side)

    def places(count: int) -> Tensor:
        share = torch.clamp(torch.arange(count, dtype=torch.float32) * (1.0 / torch.tensor(count)), max=1.0 - 1e-6)
        return torch.bucketize(share.to(dtype), edges, right=True)

    return (places(size[0] // patch)[:, None] * side + places(size[1] // patch)[None]).flatten()


def same_states(policies: Sequence[Any]) -> bool:
    """Whether all policies project the state alike."""
    first = policies[0].model.state_proj
    return all(
        torch.equal(first.weight, other.weight) and torch.equal(first.bias, other.bias)
        for other in (policy.model.state_proj for policy in policies[1:])
    )


class Prefix(nn.Module):
    """Runs on the parameters of the first of ``policies``, with the state projections of all if they differ.

    Training it trains the policy. Raises PolicyError for what it cannot compute.
    """

    places: Tensor
    special: Tensor

    def __init__(self, *policies: Any) -> None:
        super().__init__()
        inner, config = policies[0].model, policies[0].config
        vlm = inner.vlm_with_expert.vlm.model
        self.vision, self.connector, self.text = vlm.vision_model, vlm.connector, vlm.text_model
        self.states = nn.ModuleList([policy.model.state_proj for policy in (policies[:1] if same_states(policies) else policies)])
        self.vision_heads: int = vlm.config.vision_config.num_attention_heads
        self.heads: int = vlm.config.text_config.num_attention_heads
        self.key_heads: int = vlm.config.text_config.num_key_value_heads
        self.head_dim: int = vlm.config.text_config.head_dim
        self.state_dim: int = config.max_state_dim
        self.cameras, self.empty = len(config.image_features), config.empty_cameras
        self.size = picture_size(config)
        vision = vlm.config.vision_config
        rows, columns = (length // vision.patch_size for length in self.size)
        if not rows == columns > 0 or rows % vlm.config.scale_factor:
            raise PolicyError(
                f"pictures of {self.size[0]} x {self.size[1]} pixels make {rows} x {columns} patches; "
                f"expected a square a multiple of {vlm.config.scale_factor} patches wide"
            )
        places = patch_places(self.size, vision.patch_size, vision.image_size // vision.patch_size, self.vision.dtype)
        device = self.text.embed_tokens.weight.device
        self.register_buffer("places", places.to(device), persistent=False)
        ids = [inner.fake_image_token, inner.global_image_token] if config.add_image_special_tokens else []
        self._see: Any = _see
        self._ask: Any = _ask
        self._offer: Any = _offer
        self._read: Any = _read
        self.register_buffer("special", torch.tensor(ids, dtype=torch.long, device=device), persistent=False)

    def compiled(self, whether: bool = True) -> "Prefix":
        """The same with each kind of layer compiled, once for all of its kind and each length of instruction; or no longer."""
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, LENGTHS)
        made: Any = partial(torch.compile, dynamic=False) if whether else lambda step: step
        self._see, self._ask, self._offer, self._read = made(_see), made(_ask), made(_offer), made(_read)
        return self

    def joined(self) -> "Prefix":
        """The same with the weights of equal inputs laid side by side and without those that ``forward`` does not read.

        For inference only: the policy can no longer be trained or asked.
        """
        self.states = deepcopy(self.states)
        for layer in self.vision.encoder.layers:
            _join(layer.self_attn, ("q_proj", "k_proj", "v_proj"))
        for layer in self.text.layers[:-1]:
            _join(layer.self_attn, ("q_proj", "k_proj", "v_proj"))
            _join(layer.mlp, ("gate_proj", "up_proj"))
        last = self.text.layers[-1]
        _join(last.self_attn, ("k_proj", "v_proj"))
        del last.self_attn.q_proj, last.self_attn.o_proj, last.post_attention_layernorm, last.mlp, self.text.norm
        return self

    def image_tokens(self, images: Tensor) -> Tensor:
        """``images`` (M, 3, h, w) in [0, 1] -> (M, tokens, text width)."""
        vision = self.vision
        patches = vision.embeddings.patch_embedding
        x = functional.linear(
            _patches((images * 2.0 - 1.0).to(patches.weight.dtype), patches.stride[0]), patches.weight.flatten(1), patches.bias
        )
        x = x + vision.embeddings.position_embedding.weight[self.places]
        for layer in vision.encoder.layers:
            x = self._see(layer, x, self.vision_heads)
        return self.connector(vision.post_layernorm(x)) * math.sqrt(self.text.config.hidden_size)  # type: ignore[no-any-return]

    def embedded(self, images: Tensor, tokens: Tensor) -> tuple[Tensor, list[slice]]:
        """(N, T, text width) pictures and words, and where each picture's tokens are. Shapes as in ``forward``."""
        n, cameras = images.shape[:2]
        pictures = self.image_tokens(fitted(images, self.size).flatten(0, 1)).reshape(n, cameras, -1, self.text.config.hidden_size)
        words = (self.text.embed_tokens(tokens) * math.sqrt(self.text.config.hidden_size)).to(pictures.dtype).expand(n, -1, -1)
        length = pictures.shape[2]
        if not len(self.special):
            return torch.cat((pictures.flatten(1, 2), words), dim=1), [slice(0, cameras * length)]
        marks = self.text.embed_tokens(self.special).to(pictures.dtype).expand(n, -1, -1)
        parts = [part for camera in range(cameras) for part in (marks, pictures[:, camera], marks[:, :1])]
        empty = min(self.cameras - cameras, self.empty)
        where = [slice(camera * (length + 3) + 2, camera * (length + 3) + 2 + length) for camera in range(cameras)]
        return torch.cat((*parts, *(marks, marks[:, :1]) * empty, words), dim=1), where

    def forward(self, images: Tensor, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``images`` (N, C, 3, h, w) in [0, 1], ``tokens`` (L,) of one instruction, ``state`` (N, S) normalised.

        Returns keys and values (layers, N, P, key heads, D), keys already rotated, and the features (N, C * tokens, width): hidden states
        of the pictures as they enter the last layer. The state's tokens come last: one, or one a member where projections differ.
        """
        shared, where = self.embedded(images, tokens)
        state = functional.pad(state, (0, self.state_dim - state.shape[-1]))
        own = torch.stack([project(state) for project in self.states], dim=1).to(shared.dtype)
        length, count = shared.shape[1], own.shape[1]
        x = torch.cat((shared, own), dim=1)
        table = turns(torch.arange(length + count, device=x.device).clamp(max=length), self.head_dim)
        sees = None if count == 1 else torch.cat((x.new_ones(count, length), torch.eye(count, device=x.device)), dim=1) > 0
        keys, values = [], []
        for layer in self.text.layers[:-1]:
            q, k, v = self._ask(layer, x, self.heads, self.key_heads, table)
            keys.append(k)
            values.append(v)
            x = self._read(layer, x, q, k, v, length, sees)
        k, v = self._offer(self.text.layers[-1], x, self.key_heads, table)
        keys.append(k)
        values.append(v)
        return torch.stack(keys), torch.stack(values), torch.cat([x[:, part] for part in where], dim=1)


def _see(layer: Any, x: Tensor, heads: int) -> Tensor:
    """One layer of the vision model."""
    q, k, v = (split(y, heads).transpose(1, 2) for y in _products(layer.self_attn, ("q_proj", "k_proj", "v_proj"), layer.layer_norm1(x)))
    x = x + layer.self_attn.out_proj(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
    y = layer.layer_norm2(x)
    if y.is_cuda and y.dtype == torch.bfloat16 and not y.requires_grad and layer.mlp.config.hidden_act == "gelu_pytorch_tanh":
        first = layer.mlp.fc1  # with its activation one product
        y = torch._addmm_activation(first.bias, y.flatten(0, 1), first.weight.t(), use_gelu=True).reshape(*y.shape[:2], -1)
        return x + layer.mlp.fc2(y)  # type: ignore[no-any-return]
    return x + layer.mlp(y)  # type: ignore[no-any-return]


def _patches(images: Tensor, patch: int) -> Tensor:
    """(M, 3, h, w) -> (M, patches, 3 * patch * patch), what lies beyond the last whole patch left out."""
    count, channels, height, width = images.shape
    rows, columns = height // patch, width // patch
    cut = images[:, :, : rows * patch, : columns * patch].reshape(count, channels, rows, patch, columns, patch)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(count, rows * columns, -1)


def _ask(layer: Any, x: Tensor, heads: int, key_heads: int, table: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of one layer of the text model."""
    q, k, v = _products(layer.self_attn, ("q_proj", "k_proj", "v_proj"), layer.input_layernorm(x))
    return rotated(split(q, heads), table), rotated(split(k, key_heads), table), split(v, key_heads)


def _offer(layer: Any, x: Tensor, key_heads: int, table: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Keys and values of the last, whose queries nobody reads."""
    k, v = _products(layer.self_attn, ("k_proj", "v_proj"), layer.input_layernorm(x))
    return rotated(split(k, key_heads), table), split(v, key_heads)


def _read(layer: Any, x: Tensor, q: Tensor, k: Tensor, v: Tensor, length: int, sees: Tensor | None) -> Tensor:
    """The rest of that layer: the first ``length`` tokens see one another, the others those and what ``sees`` says."""
    k, v = k.transpose(1, 2), v.transpose(1, 2)
    y = torch.cat((attended(q[:, :length], k[:, :, :length], v[:, :, :length]), attended(q[:, length:], k, v, sees)), dim=1)
    x = x + layer.self_attn.o_proj(y)
    return x + _gated(layer.mlp, layer.post_attention_layernorm(x))


def _join(module: Any, names: tuple[str, ...]) -> None:
    parts = [getattr(module, name) for name in names]
    whole = nn.Linear(parts[0].in_features, sum(part.out_features for part in parts), bias=parts[0].bias is not None, device="meta")
    whole.weight = nn.Parameter(torch.cat([part.weight for part in parts]), requires_grad=False)
    if parts[0].bias is not None:
        whole.bias = nn.Parameter(torch.cat([part.bias for part in parts]), requires_grad=False)
    module.joined, module.widths = whole, [part.out_features for part in parts]
    for name in names:
        delattr(module, name)


def _products(module: Any, names: tuple[str, ...], x: Tensor) -> Sequence[Tensor]:
    if hasattr(module, "joined"):
        return module.joined(x).split(module.widths, dim=-1)  # type: ignore[no-any-return]
    return [getattr(module, name)(x) for name in names]


def _gated(mlp: Any, x: Tensor) -> Tensor:
    gate, up = _products(mlp, ("gate_proj", "up_proj"), x)
    return mlp.down_proj(mlp.act_fn(gate) * up)  # type: ignore[no-any-return]
