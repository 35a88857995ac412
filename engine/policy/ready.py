"""Stacked experts as they are asked, not trained: products of weights multiplied out, and a step of the flow as suits the device.

On a processor attention is two products over buffers in which only a chunk's own keys and values are new; on a CUDA device in half
precision a step is a row of fused kernels; else it is the general step. Axes as in ``engine.policy.experts``.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.policy.experts import Context, StackedExperts
from engine.policy.prefix import rotated, same_states, split
from engine.policy.streams import Runs, Tables

PRECISE = ("entry", "action_time_mlp_in", "action_out_proj")  #: stay in float32: their error would be the actions'


class ReadyExperts(StackedExperts):
    """E experts in one precision, for inference only. Raises PolicyError for what it cannot compute."""

    def __init__(self, policies: Sequence[Any], dtype: torch.dtype) -> None:
        super().__init__(policies, own_states=not same_states(policies))
        self.fused = True  #: where they can be
        fed = {
            f"{n}.{norm}": f"{n}.{product}.weight" for n in range(len(self.itself)) for norm, product in (("before", "in"), ("after", "up"))
        }
        for norm, product in (fed | {"norm": "action_out_proj.weight"}).items():
            self._weight(product).data.mul_(self._weight(norm)[:, None])
            del self.weights[norm.replace(".", "/")]
        mixed = self._weight("action_time_mlp_in.weight")
        from_action = mixed[:, :, : self.width]
        bias = self._weight("action_time_mlp_in.bias") + torch.bmm(from_action, self._weight("action_in_proj.bias")[..., None])[..., 0]
        made = {
            "entry/weight": torch.bmm(from_action, self._weight("action_in_proj.weight")),
            "action_time_mlp_in/weight": mixed[:, :, self.width :].clone(),
            "action_time_mlp_in/bias": bias,
            **{key: super(ReadyExperts, self)._crossing(key) for key in ("cross/weight", "cross/bias") if key in self.weights},
        }
        del self.weights["action_in_proj/weight"], self.weights["action_in_proj/bias"]
        for key, tensor in made.items():
            self.weights[key] = nn.Parameter(tensor.contiguous())
        for key, weight in self.weights.items():
            weight.data = weight.data.to(torch.float32 if key.startswith(PRECISE) else dtype)
        self.requires_grad_(False)

    def _norm(self, x: Tensor, key: str) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), eps=self.eps)

    def _crossing(self, key: str) -> Tensor:
        return self._weight(key)

    def _entered(self, x: Tensor, term: Tensor) -> Tensor:
        hidden = functional.silu(self._linear(x, "entry") + term[:, :, None])
        return self._linear(hidden.to(self._weight("action_time_mlp_out.weight").dtype), "action_time_mlp_out").flatten(1, 2)

    def _out(self, hidden: Tensor) -> Tensor:
        return self._linear(self._norm(hidden, "norm").to(torch.float32), "action_out_proj")

    def integrated(self, keys: Tensor, values: Tensor, noise: Tensor, runs: Runs) -> tuple[Tensor, Tensor]:
        if self.fused and keys.is_cuda and fuses(self, keys):
            return self._launched(self._projected(keys, values), noise, runs, keys.shape[2] - (self.members - 1) * self.own_states)
        if keys.device.type != "cpu":
            return super().integrated(keys, values, noise, runs)
        terms, context = self.times(noise.device), self.context(keys, values)
        tables = self.tables(runs, context[0][0].shape[3], noise.device)
        seen = [self._rooms(k, v, tables, itself) for (k, v), itself in zip(context, self.itself, strict=True)]

        def velocity(x: Tensor, number: int) -> Tensor:
            return self._out(self._stepped(self._entered(x, terms[:, number, None]), x.shape[1], seen, tables)).reshape(x.shape)

        return self._integrated(noise, velocity)

    def _rooms(self, k: Tensor, v: Tensor, tables: Tables, itself: bool) -> tuple[Tensor, Tensor]:
        """Stream by stream keys (E, M, key heads, D, S), float32, and values (E, M, key heads, S, D): of S the last H for the chunk."""
        place = tables.place.to(torch.int64)
        k, v = k.to(torch.float32).index_select(1, place).transpose(3, 4), v.index_select(1, place)
        room = self.horizon * itself
        return functional.pad(k, (0, room)).contiguous(), functional.pad(v, (0, 0, 0, room)).contiguous()

    def _stepped(self, hidden: Tensor, streams: int, seen: Context, tables: Tables) -> Tensor:
        """All layers on ``hidden`` (E, M * H, width)."""
        after, alone = tables.after, tables.alone
        groups, scale = self.heads // self.key_heads, self.head_dim**-0.5
        q_width, k_width = self.heads * self.head_dim, self.key_heads * self.head_dim
        for number, (k, v) in enumerate(seen):
            y = self._linear(self._norm(hidden, f"{number}.before"), f"{number}.in").reshape(self.members, streams, self.horizon, -1)
            q = rotated(split(y[..., :q_width], self.heads), after if self.itself[number] else alone)
            score = torch.zeros((), dtype=torch.float32)
            if self.itself[number]:
                own_k, own_v = y[..., q_width : q_width + k_width], y[..., q_width + k_width :]
                k[..., -self.horizon :] = rotated(split(own_k, self.key_heads), after).permute(0, 1, 3, 4, 2)
                v[..., -self.horizon :, :] = split(own_v, self.key_heads).transpose(2, 3)
                score = tables.hidden.repeat(groups, 1)
            q = q.reshape(self.members, streams, self.horizon, self.key_heads, groups, self.head_dim).permute(0, 1, 3, 4, 2, 5)
            rows = q.to(torch.float32).reshape(-1, groups * self.horizon, self.head_dim)
            score = torch.baddbmm(score, rows, k.flatten(0, 2), beta=float(self.itself[number]), alpha=scale)
            y = torch.bmm(torch.softmax(score, dim=-1).to(v.dtype), v.flatten(0, 2))
            y = y.reshape(self.members, streams, self.key_heads, groups, self.horizon, self.head_dim).permute(0, 1, 4, 2, 3, 5)
            hidden = hidden + self._linear(y.reshape(self.members, -1, q_width), f"{number}.out")
            gate, up = self._linear(self._norm(hidden, f"{number}.after"), f"{number}.up").chunk(2, dim=-1)
            hidden = hidden + self._linear(functional.silu(gate) * up, f"{number}.down")
        return hidden

    def _launched(self, seen: Context, noise: Tensor, runs: Runs, prefix: int) -> tuple[Tensor, Tensor]:
        """All Euler steps by fused kernels, each from the streams (E, M, H, A) to the velocity and the streams after it."""
        from engine.policy import kernels

        half, eps, weights, shape = self.head_dim // 2, self.eps, self.weights, (self.members, *noise.shape)
        tables, terms = self.tables(runs, prefix, noise.device), self.times(noise.device)
        after, alone = (tuple(part[:, 0, half:].contiguous() for part in table) for table in (tables.after, tables.alone))
        out_weight, out_bias = weights["action_out_proj/weight"], weights["action_out_proj/bias"]
        mix_weight, mix_bias = weights["action_time_mlp_out/weight"], weights["action_time_mlp_out/bias"][:, None]
        x = noise.flatten(0, 1).repeat(self.members, 1, 1)
        first = x
        for step in range(self.flow_steps):
            hidden = kernels.added(mix_bias, kernels.entered(x, weights["entry/weight"], terms[:, step], mix_weight.dtype), mix_weight)
            for number, (k, v) in enumerate(seen):
                into, out, up, down = (weights[f"{number}/{part}/weight"] for part in ("in", "out", "up", "down"))
                itself = self.itself[number]
                table, turned = (after, self.heads + self.key_heads) if itself else (alone, self.heads)
                q, own = kernels.projected(hidden, into, table, turned, self.heads, self.head_dim, self.horizon, eps)
                y = kernels.attended(q, k, v, own if itself else None, tables.place, self.horizon, self.own_states)
                hidden = kernels.added(hidden, y, out)
                hidden = kernels.added(hidden, kernels.gated(hidden, up, eps), down)
            v, x = kernels.left(hidden, out_weight, out_bias, x, eps, 1.0 / self.flow_steps)
            first = v if step == 0 else first
        return x.reshape(shape), first.reshape(shape)


def fuses(experts: ReadyExperts, keys: Tensor) -> bool:
    """Whether fused kernels take these experts: half precision on a CUDA device with tensor memory access, Triton there, no odd sizes."""
    if keys.dtype != torch.bfloat16 or find_spec("triton") is None or torch.cuda.get_device_capability(keys.device) < (9, 0):
        return False
    plain = not any(key[0].isdigit() and key.endswith("bias") for key in experts.weights)
    read = [weight for key, weight in experts.weights.items() if weight.ndim == 3 and not key.startswith(PRECISE)]
    return plain and experts.head_dim in (32, 64, 128) and all(weight.shape[-1] % 8 == 0 for weight in read)
