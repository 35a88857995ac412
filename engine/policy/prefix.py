"""What all members share: pictures, words and state of one moment turned into the keys and values their experts attend to.

The arithmetic is that of LeRobot's ``VLAFlowMatching.embed_prefix`` and ``SmolVLMWithExpertModel.forward`` with a cache being filled
(lerobot 0.6.1), on the very same parameters, without the masks that a batch of one instruction does not need. Tests hold the two equal.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


def rotated(x: Tensor, positions: Tensor) -> Tensor:
    """Rotary position embedding, halves paired (Su et al. 2021). ``x`` (..., P, heads, D), ``positions`` (P,)."""
    half = x.shape[-1] // 2
    wavelength = 10_000.0 ** (torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angle = positions.to(torch.float32)[:, None, None] / wavelength
    sin, cos = torch.sin(angle), torch.cos(angle)
    first, second = x[..., :half], x[..., half:]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)


def split(x: Tensor, heads: int) -> Tensor:
    """``x`` (..., heads * D) -> (..., heads, D)."""
    return x.reshape(*x.shape[:-1], heads, -1)


class Prefix(nn.Module):
    """Runs on the parameters of one ``SmolVLAPolicy``; training it trains the policy."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        vlm = policy.model.vlm_with_expert.vlm.model
        self.vision = vlm.vision_model
        self.connector = vlm.connector
        self.text = vlm.text_model
        self.state_proj = policy.model.state_proj
        self.vision_heads: int = vlm.config.vision_config.num_attention_heads
        self.heads: int = vlm.config.text_config.num_attention_heads
        self.key_heads: int = vlm.config.text_config.num_key_value_heads
        self.head_dim: int = vlm.config.text_config.head_dim
        if self.heads != self.key_heads:
            raise ValueError(f"grouped keys are not supported: {self.heads} heads over {self.key_heads} key heads")

    def image_tokens(self, images: Tensor) -> Tensor:
        """``images`` (M, 3, h, w) in [0, 1] -> (M, tokens, text width)."""
        vision = self.vision
        x = vision.embeddings.patch_embedding(images * 2.0 - 1.0).flatten(2).transpose(1, 2)
        x = x + vision.embeddings.position_embedding.weight
        for layer in vision.encoder.layers:
            y = layer.layer_norm1(x)
            q, k, v = (
                split(proj(y), self.vision_heads).transpose(1, 2)
                for proj in (layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj)
            )
            y = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
            x = x + layer.self_attn.out_proj(y)
            x = x + layer.mlp(layer.layer_norm2(x))
        return self.connector(vision.post_layernorm(x)) * float(self.text.config.hidden_size) ** 0.5  # type: ignore[no-any-return]

    def forward(self, images: Tensor, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``images`` (N, C, 3, h, w) in [0, 1], ``tokens`` (L,) of one instruction, ``state`` (N, S) normalised.

        Returns keys and values (layers, N, P, heads, D), keys already rotated, and the features (N, C * tokens, width): hidden states of
        the pictures as they enter the last layer. Pictures and words do not see the state, so the features come from them alone.
        """
        n = images.shape[0]
        pictures = self.image_tokens(images.flatten(0, 1)).reshape(n, -1, self.text.config.hidden_size)
        words = self.text.embed_tokens(tokens) * float(self.text.config.hidden_size) ** 0.5
        body = self.state_proj(state)[:, None]
        x = torch.cat((pictures, words.expand(n, -1, -1).to(pictures.dtype), body.to(pictures.dtype)), dim=1)
        length = x.shape[1]
        positions = torch.arange(length, device=x.device)
        sees = torch.ones(length, length, dtype=torch.bool, device=x.device)
        sees[:-1, -1] = False
        keys, values = [], []
        for number, layer in enumerate(self.text.layers):
            y = layer.input_layernorm(x)
            k = rotated(split(layer.self_attn.k_proj(y), self.heads), positions)
            v = split(layer.self_attn.v_proj(y), self.heads)
            keys.append(k)
            values.append(v)
            if number == len(self.text.layers) - 1:
                break
            q = rotated(split(layer.self_attn.q_proj(y), self.heads), positions)
            q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
            y = functional.scaled_dot_product_attention(q, k, v, attn_mask=sees).transpose(1, 2).flatten(2)
            x = x + layer.self_attn.o_proj(y)
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return torch.stack(keys), torch.stack(values), x[:, : pictures.shape[1]]
