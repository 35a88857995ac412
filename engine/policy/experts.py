"""Many action experts run as one: their weights stacked along a member axis, every product a batched matrix product.

The arithmetic is that of LeRobot's ``VLAFlowMatching.embed_suffix`` and ``denoise_step`` (lerobot 0.6.1) for each member; tests hold
members and LeRobot equal. Axes: E members, N observations, B noise samples, H horizon, A action, P prefix tokens.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.policy.prefix import rotated

EXPERT_PARTS = ("vlm_with_expert.lm_expert.", "action_in_proj.", "action_out_proj.", "action_time_mlp_in.", "action_time_mlp_out.")


def expert_state(policy: Any) -> dict[str, Tensor]:
    """The tensors of one policy that belong to its action expert, by LeRobot's names."""
    return {name: value for name, value in policy.state_dict().items() if name.removeprefix("model.").startswith(EXPERT_PARTS)}


def time_embedding(time: Tensor, width: int, shortest: float, longest: float) -> Tensor:
    """Sine and cosine of the flow time at log-spaced periods: ``time`` (...) -> (..., width), computed in double precision."""
    share = torch.linspace(0.0, 1.0, width // 2, dtype=torch.float64, device=time.device)
    period = shortest * (longest / shortest) ** share
    angle = time.to(torch.float64)[..., None] * (2.0 * math.pi / period)
    return torch.cat((torch.sin(angle), torch.cos(angle)), dim=-1).to(torch.float32)


class StackedExperts(nn.Module):
    """The action experts of E policies of one architecture."""

    def __init__(self, policies: Sequence[Any]) -> None:
        super().__init__()
        config, inner = policies[0].config, policies[0].model.vlm_with_expert
        states = [expert_state(policy) for policy in policies]
        self.names = {name.replace(".", "/"): name for name in states[0]}
        self.weights = nn.ParameterDict(
            {key: nn.Parameter(torch.stack([state[name].detach().float() for state in states])) for key, name in self.names.items()}
        )
        self.layers: int = inner.num_expert_layers
        if self.layers != inner.num_vlm_layers:
            raise ValueError(f"the expert has {self.layers} layers and the VLM {inner.num_vlm_layers}; only equal numbers can be stacked")
        self.heads: int = inner.num_attention_heads
        self.self_every: int = inner.self_attn_every_n_layers
        self.width: int = inner.expert_hidden_size
        self.eps: float = inner.config.text_config.rms_norm_eps
        self.flow_steps: int = config.num_steps
        self.horizon: int = config.chunk_size
        self.periods: tuple[float, float] = (config.min_period, config.max_period)

    def member_state(self, member: int) -> dict[str, Tensor]:
        """One member's tensors by LeRobot's names."""
        return {name: self.weights[key][member].detach().clone() for key, name in self.names.items()}

    def _weight(self, name: str) -> Tensor:
        weight: Tensor = self.weights[f"model/{name.replace('.', '/')}"]
        return weight

    def _linear(self, x: Tensor, name: str) -> Tensor:
        """``x`` (E, ..., in) -> (E, ..., out), member by member."""
        weight = self._weight(f"{name}.weight")
        y = torch.bmm(x.flatten(1, -2), weight.transpose(1, 2))
        if f"model/{name.replace('.', '/')}/bias" in self.weights:
            y = y + self._weight(f"{name}.bias")[:, None]
        return y.reshape(*x.shape[:-1], -1)

    def _norm(self, x: Tensor, name: str) -> Tensor:
        scale = self._weight(f"{name}.weight")
        return functional.rms_norm(x, (x.shape[-1],), eps=self.eps) * scale[:, None, None]

    def _split(self, x: Tensor) -> Tensor:
        """``x`` (..., heads * D) -> (..., heads, D)."""
        return x.reshape(*x.shape[:-1], self.heads, -1)

    def context(self, keys: Tensor, values: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Per layer, the keys and values of the prefix as its experts see them: (E, N, heads, P, D) each. Once an inference, not a step."""
        members = self._weight("action_in_proj.weight").shape[0]
        seen = []
        for layer in range(self.layers):
            k, v = keys[layer].expand(members, *keys.shape[1:]), values[layer].expand(members, *values.shape[1:])
            if layer % self.self_every != 0:
                name = f"vlm_with_expert.lm_expert.layers.{layer}.self_attn"
                k = self._split(self._linear(k.flatten(-2), f"{name}.k_proj"))
                v = self._split(self._linear(v.flatten(-2), f"{name}.v_proj"))
            seen.append((k.transpose(2, 3), v.transpose(2, 3)))
        return seen

    def velocity(self, x: Tensor, time: Tensor, context: list[tuple[Tensor, Tensor]]) -> Tensor:
        """The flow's velocity. ``x`` (E, N, B, H, A), ``time`` embedded (E, N, B, width) or broadcastable -> (E, N, B, H, A)."""
        samples, horizon = x.shape[2:4]
        embedded = self._linear(x, "action_in_proj")
        hidden = torch.cat((embedded, time[..., None, :].expand_as(embedded).to(embedded.dtype)), dim=-1).flatten(2, 3)
        hidden = self._linear(functional.silu(self._linear(hidden, "action_time_mlp_in")), "action_time_mlp_out")
        step = torch.arange(horizon, device=x.device).repeat(samples)
        sample = torch.arange(samples, device=x.device).repeat_interleave(horizon)
        own = (sample[:, None] == sample[None]) & (step[:, None] >= step[None])
        prefix_length = context[0][0].shape[3]
        sees = torch.cat((own.new_ones(own.shape[0], prefix_length), own), dim=1)
        for layer in range(self.layers):
            name = f"vlm_with_expert.lm_expert.layers.{layer}"
            k, v = context[layer]
            y = self._norm(hidden, f"{name}.input_layernorm")
            q = self._split(self._linear(y, f"{name}.self_attn.q_proj"))
            if layer % self.self_every == 0:
                own_k = self._split(self._linear(y, f"{name}.self_attn.k_proj"))
                own_v = self._split(self._linear(y, f"{name}.self_attn.v_proj"))
                own_k = rotated(own_k, prefix_length + step)
                k = torch.cat((k, own_k.transpose(2, 3).to(k.dtype)), dim=3)
                v = torch.cat((v, own_v.transpose(2, 3).to(v.dtype)), dim=3)
                q = rotated(q, prefix_length + step)
                y = self._attend(q, k, v, sees)
            else:
                y = self._attend(rotated(q, step), k, v, None)
            hidden = hidden + self._linear(y, f"{name}.self_attn.o_proj")
            y = self._norm(hidden, f"{name}.post_attention_layernorm")
            y = functional.silu(self._linear(y, f"{name}.mlp.gate_proj")) * self._linear(y, f"{name}.mlp.up_proj")
            hidden = hidden + self._linear(y, f"{name}.mlp.down_proj")
        hidden = self._norm(hidden, "vlm_with_expert.lm_expert.norm")
        return self._linear(hidden, "action_out_proj").reshape(x.shape).to(torch.float32)

    @staticmethod
    def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """``q`` (E, N, T, heads, D), ``k`` and ``v`` (E, N, heads, S, D) -> (E, N, T, heads * D)."""
        members = q.shape[0]
        q, k, v = q.transpose(2, 3).flatten(0, 1).to(k.dtype), k.flatten(0, 1), v.flatten(0, 1)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        y = y.transpose(1, 2).flatten(2)
        return y.reshape(members, -1, *y.shape[1:])

    def embed_time(self, time: Tensor) -> Tensor:
        """Flow time (...) -> (..., width)."""
        return time_embedding(time, self.width, *self.periods)

    def forward(self, keys: Tensor, values: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Integrate from ``noise`` (B, H, A), the same for every member and observation, in Euler steps from time 1 to 0.

        Returns the chunks (E, N, B, H, A), normalised, and the velocity at the first step, of the same shape.
        """
        context = self.context(keys, values)
        members, n = context[0][0].shape[:2]
        x = noise.expand(members, n, *noise.shape)
        first: Tensor | None = None
        for number in range(self.flow_steps):
            time = torch.tensor(1.0 - number / self.flow_steps, dtype=torch.float32, device=noise.device).reshape(1, 1, 1)
            v = self.velocity(x, self.embed_time(time), context)
            first = v if first is None else first
            x = x - v / self.flow_steps
        assert first is not None
        return x, first
