"""Many action experts run as one: their weights stacked along a member axis, every product a batched matrix product.

The arithmetic is that of LeRobot's ``VLAFlowMatching.embed_suffix`` and ``denoise_step`` (lerobot 0.6.1) for each member; tests hold
members and LeRobot equal. Axes: E members, N observations, M streams of noise, B streams an observation, H horizon, A action, P prefix
tokens. Streams of one observation lie together; ``Runs`` counts them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.policy.errors import PolicyError
from engine.policy.prefix import attended, rotated, split
from engine.policy.streams import Runs, Tables, tables, time_embedding

EXPERT_PARTS = ("vlm_with_expert.lm_expert.", "action_in_proj.", "action_out_proj.", "action_time_mlp_in.", "action_time_mlp_out.")
LAYERS = "vlm_with_expert.lm_expert.layers"

type Context = list[tuple[Tensor, Tensor]]  #: a layer's keys and values of the prefix as its experts see them: (E, N, key heads, P, D)


def expert_state(policy: Any) -> dict[str, Tensor]:
    """The tensors of one policy that belong to its action expert, by LeRobot's names."""
    return {name: value for name, value in policy.state_dict().items() if name.removeprefix("model.").startswith(EXPERT_PARTS)}


def attends_itself(inner: Any) -> list[bool]:
    """Which expert layers attend to their own chunk beside the prefix; the others to the prefix alone. Raises PolicyError.

    As LeRobot's ``forward`` chooses, which counts the VLM's layers while its constructor counts the expert's.
    """
    step = inner.num_vlm_layers // inner.num_expert_layers
    if inner.num_vlm_layers % inner.num_expert_layers:
        raise PolicyError(f"the VLM's {inner.num_vlm_layers} layers are no multiple of the expert's {inner.num_expert_layers}")
    crosses, every = "cross" in inner.attention_mode, inner.self_attn_every_n_layers
    alone = [not crosses or (every > 0 and layer % every == 0) for layer in range(inner.num_vlm_layers)]
    if any(alone[layer] for layer in range(inner.num_vlm_layers) if layer % step):
        raise PolicyError(
            f"attention_mode '{inner.attention_mode}' every {every} layers meets VLM layers that have no expert layer "
            f"({inner.num_vlm_layers} over {inner.num_expert_layers}), which LeRobot cannot run either"
        )
    for number, itself in enumerate(alone[::step]):
        width = inner.lm_expert.layers[number].self_attn.k_proj.in_features
        fed = inner.expert_hidden_size if itself else inner.config.text_config.num_key_value_heads * inner.config.text_config.head_dim
        if width != fed:
            raise PolicyError(f"expert layer {number} takes keys from {width} features and is fed {fed}, which LeRobot cannot run either")
    return alone[::step]


class StackedExperts(nn.Module):
    """The action experts of E policies of one architecture. Raises PolicyError for what it cannot compute.

    With ``own_states`` the prefix they attend to ends with a state's token for each member, else with one for all.
    """

    def __init__(self, policies: Sequence[Any], own_states: bool = False) -> None:
        super().__init__()
        config, inner = policies[0].config, policies[0].model.vlm_with_expert
        text = inner.lm_expert.config
        if text.model_type != "llama" or text.hidden_act != "silu":
            raise PolicyError(f"the action expert is a '{text.model_type}' with '{text.hidden_act}'; expected a 'llama' with 'silu'")
        self.itself = attends_itself(inner)
        self.every: int = inner.num_vlm_layers // inner.num_expert_layers
        self.heads: int = inner.num_attention_heads
        self.key_heads: int = inner.num_key_value_heads
        self.head_dim: int = inner.config.text_config.head_dim
        self.width: int = inner.expert_hidden_size
        self.eps: float = text.rms_norm_eps
        self.flow_steps: int = config.num_steps
        self.horizon: int = config.chunk_size
        self.periods: tuple[float, float] = (config.min_period, config.max_period)
        self.members = len(policies)
        self.own_states = own_states
        self._kept: dict[tuple[Runs, int, torch.device], Tables] = {}
        states = [expert_state(policy) for policy in policies]
        self.parts = self._parts(states[0])
        self.rows = {name: len(tensor) for name, tensor in states[0].items()}
        self.weights = nn.ParameterDict(
            {
                key.replace(".", "/"): nn.Parameter(
                    torch.stack([torch.cat([state[name].detach().float() for name in names]) for state in states])
                )
                for key, names in self.parts.items()
            }
        )

    def _parts(self, state: dict[str, Tensor]) -> dict[str, tuple[str, ...]]:
        """What is laid side by side in one parameter, because one product reads it: key -> LeRobot's names."""
        crossing = [number for number, itself in enumerate(self.itself) if not itself]
        parts: dict[str, tuple[str, ...]] = {
            name: (name,) for name in ("action_in_proj", "action_time_mlp_in", "action_time_mlp_out", "action_out_proj")
        }
        parts["cross"] = tuple(f"{LAYERS}.{number}.self_attn.{part}_proj" for number in crossing for part in "kv")
        for number, itself in enumerate(self.itself):
            name = f"{LAYERS}.{number}"
            parts[f"{number}.in"] = tuple(f"{name}.self_attn.{part}_proj" for part in ("qkv" if itself else "q"))
            parts[f"{number}.out"] = (f"{name}.self_attn.o_proj",)
            parts[f"{number}.up"] = (f"{name}.mlp.gate_proj", f"{name}.mlp.up_proj")
            parts[f"{number}.down"] = (f"{name}.mlp.down_proj",)
        whole = {
            f"{key}.{kind}": tuple(f"model.{name}.{kind}" for name in names)
            for key, names in parts.items()
            for kind in ("weight", "bias")
            if names and f"model.{names[0]}.{kind}" in state
        }
        for number in range(len(self.itself)):
            whole[f"{number}.before"] = (f"model.{LAYERS}.{number}.input_layernorm.weight",)
            whole[f"{number}.after"] = (f"model.{LAYERS}.{number}.post_attention_layernorm.weight",)
        whole["norm"] = (f"model.{LAYERS.removesuffix('.layers')}.norm.weight",)
        if missing := set(state) - {name for names in whole.values() for name in names}:
            raise PolicyError(f"the action expert holds {min(missing)}, which this engine has no place for")
        return whole

    def member_state(self, member: int) -> dict[str, Tensor]:
        """One member's tensors by LeRobot's names, float32."""
        found: dict[str, Tensor] = {}
        for key, names in self.parts.items():
            whole = torch.split(self._weight(key)[member].detach().float(), [self.rows[name] for name in names])
            found.update({name: part.clone() for name, part in zip(names, whole, strict=True)})
        return found

    def _weight(self, key: str) -> Tensor:
        weight: Tensor = self.weights[key.replace(".", "/")]
        return weight

    def _linear(self, x: Tensor, key: str) -> Tensor:
        """``x`` (E, ..., in) -> (E, ..., out), member by member."""
        weight = self._weight(f"{key}.weight").transpose(1, 2)
        if f"{key}/bias" in self.weights:
            y = torch.baddbmm(self._weight(f"{key}.bias")[:, None], x.flatten(1, -2), weight)
        else:
            y = torch.bmm(x.flatten(1, -2), weight)
        return y.reshape(*x.shape[:-1], -1)

    def _norm(self, x: Tensor, key: str) -> Tensor:
        y = functional.rms_norm(x, (x.shape[-1],), eps=self.eps)
        return y * self._weight(key)[:, None] if key.replace(".", "/") in self.weights else y

    def _crossing(self, key: str) -> Tensor:
        """Weight or bias of the keys' and values' products where layers attend to the prefix alone: (2 * layers, E * out, in or none)."""
        parts: Tensor = self.weights[key]
        return parts.reshape(self.members, 2 * self.itself.count(False), -1, *parts.shape[2:]).transpose(0, 1).flatten(1, 2)

    def context(self, keys: Tensor, values: Tensor) -> Context:
        """What each layer's experts see of a prefix's keys and values (layers, N, T, key heads, D). Once an inference, not a step."""
        return [(self._of_members(k), self._of_members(v)) for k, v in self._projected(keys, values)]

    def _projected(self, keys: Tensor, values: Tensor) -> Context:
        """The same with every state's token, (E, N, key heads, T, D) each. Layers that attend to the prefix alone share one product."""
        keys, values = keys[:: self.every], values[:: self.every]
        crossing = [number for number, itself in enumerate(self.itself) if not itself]
        seen = [(k.expand(self.members, *k.shape), v.expand(self.members, *v.shape)) for k, v in zip(keys, values, strict=True)]
        if crossing:
            fed = torch.stack([part for number in crossing for part in (keys[number], values[number])]).flatten(1, 2).flatten(2)
            weight = self._crossing("cross/weight").transpose(1, 2)
            if "cross/bias" in self.weights:
                y = torch.baddbmm(self._crossing("cross/bias")[:, None], fed.to(weight.dtype), weight)
            else:
                y = torch.bmm(fed.to(weight.dtype), weight)
            y = y.reshape(len(crossing), 2, *keys.shape[1:3], self.members, self.key_heads, -1).permute(0, 1, 4, 2, 3, 5, 6)
            for number, (k, v) in zip(crossing, y, strict=True):
                seen[number] = (k, v)
        return [(k.transpose(2, 3), v.transpose(2, 3)) for k, v in seen]

    def _of_members(self, x: Tensor) -> Tensor:
        """(E, N, heads, T, D) -> (E, N, heads, P, D), of the state's tokens only the member's own."""
        if not self.own_states:
            return x
        shared = x.shape[3] - self.members
        own = torch.stack([x[member, :, :, shared + member] for member in range(self.members)])
        return torch.cat((x[..., :shared, :], own[..., None, :]), dim=3)

    def embed_time(self, time: Tensor) -> Tensor:
        """Flow time (...) -> (..., width)."""
        return time_embedding(time, self.width, *self.periods)

    def velocity(self, x: Tensor, time: Tensor, context: Context) -> Tensor:
        """The flow's velocity. ``x`` (E, N, B, H, A), ``time`` embedded (E, N, B, width) or broadcastable -> (E, N, B, H, A)."""
        members, n, samples = x.shape[:3]
        term = self.time_term(time.expand(members, *time.shape[1:]).flatten(1, 2))
        return self.flow(x.flatten(1, 2), term, context, ((n, samples),)).reshape(x.shape)

    def time_term(self, time: Tensor) -> Tensor:
        """What embedded times (E, m, width) add before the first activation, (E, m, width)."""
        weight, bias = self._weight("action_time_mlp_in.weight"), self._weight("action_time_mlp_in.bias")
        return torch.baddbmm(bias[:, None], time.to(weight.dtype), weight[:, :, -self.width :].transpose(1, 2))

    def _entered(self, x: Tensor, term: Tensor) -> Tensor:
        """Streams (E, M, H, A) as they enter the first layer, (E, M * H, width)."""
        hidden = self._linear(x, "action_in_proj")
        weight = self._weight("action_time_mlp_in.weight")[:, :, : self.width]
        hidden = torch.bmm(hidden.flatten(1, 2), weight.transpose(1, 2)).reshape(hidden.shape)
        return self._linear(functional.silu(hidden + term[:, :, None]), "action_time_mlp_out").flatten(1, 2)

    def _out(self, hidden: Tensor) -> Tensor:
        """The velocity (E, M * H, A) that leaves the last layer, float32."""
        return self._linear(self._norm(hidden, "norm"), "action_out_proj").to(torch.float32)

    def flow(self, x: Tensor, term: Tensor, context: Context, runs: Runs) -> Tensor:
        """The velocity of streams ``x`` (E, M, H, A); ``term`` as of ``time_term``, for each stream or for all -> (E, M, H, A), float32."""
        return self._out(self._layered(self._entered(x, term), x.shape[1], context, runs)).reshape(x.shape)

    def _layered(self, hidden: Tensor, streams: int, context: Context, runs: Runs) -> Tensor:
        """All layers on ``hidden`` (E, M * H, width)."""
        kept = self.tables(runs, context[0][0].shape[3], hidden.device)
        after, alone, masks = kept.after, kept.alone, kept.masks
        q_width, k_width = self.heads * self.head_dim, self.key_heads * self.head_dim
        for number, (k, v) in enumerate(context):
            y = self._linear(self._norm(hidden, f"{number}.before"), f"{number}.in")
            y = y.reshape(self.members, streams, self.horizon, -1)
            if self.itself[number]:
                q, own_k, own_v = torch.split(y, [q_width, k_width, k_width], dim=-1)
                own = (rotated(split(own_k, self.key_heads), after).to(k.dtype), split(own_v, self.key_heads).to(v.dtype))
                y = self._attend(rotated(split(q, self.heads), after), k, v, runs, own, masks)
            else:
                y = self._attend(rotated(split(y, self.heads), alone), k, v, runs)
            hidden = hidden + self._linear(y.to(hidden.dtype), f"{number}.out")
            gate, up = self._linear(self._norm(hidden, f"{number}.after"), f"{number}.up").chunk(2, dim=-1)
            hidden = hidden + self._linear(functional.silu(gate) * up, f"{number}.down")
        return hidden

    def tables(self, runs: Runs, prefix: int, device: torch.device) -> Tables:
        """What is the same at every inference over a prefix of so many tokens, kept."""
        if (runs, prefix, device) not in self._kept:
            with torch.inference_mode(False):
                self._kept[runs, prefix, device] = tables(runs, self.horizon, prefix, self.head_dim, device)
        return self._kept[runs, prefix, device]

    def _attend(
        self, q: Tensor, k: Tensor, v: Tensor, runs: Runs, own: tuple[Tensor, Tensor] | None = None, masks: dict[int, Tensor] | None = None
    ) -> Tensor:
        """``q`` (E, M, H, heads, D), ``k``, ``v`` (E, N, key heads, P, D), ``own`` (E, M, H, key heads, D) -> (E, M * H, heads * D)."""
        found, stream, observation = [], 0, 0
        for count, samples in runs:
            streams, seen = slice(stream, stream + count * samples), slice(observation, observation + count)
            rows = (self.members, count, samples * self.horizon)
            part = [k[:, seen], v[:, seen]]
            if own is not None:
                part = [
                    torch.cat((x, y[:, streams].reshape(*rows, *y.shape[3:]).transpose(2, 3)), dim=3)
                    for x, y in zip(part, own, strict=True)
                ]
            mask = None if masks is None else masks[samples]
            y = attended(
                q[:, streams].reshape(self.members * count, rows[2], *q.shape[3:]), part[0].flatten(0, 1), part[1].flatten(0, 1), mask
            )
            found.append(y.reshape(self.members, count * rows[2], -1))
            stream, observation = streams.stop, seen.stop
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)

    def times(self, device: torch.device) -> Tensor:
        """(E, steps, width) what the time of each flow step adds, from 1 down."""
        steps = torch.arange(self.flow_steps, device=device, dtype=torch.float64)
        time = self.embed_time((1.0 - steps / self.flow_steps).to(torch.float32))
        return self.time_term(time.expand(self.members, *time.shape))

    def integrated(self, keys: Tensor, values: Tensor, noise: Tensor, runs: Runs) -> tuple[Tensor, Tensor]:
        """Euler steps from time 1 to 0, from ``noise`` (M, H, A), the same for every member; keys and values as of a prefix.

        Returns the chunks (E, M, H, A), normalised, and the velocity at the first step, of the same shape.
        """
        terms, context = self.times(noise.device), self.context(keys, values)
        return self._integrated(noise, lambda x, number: self.flow(x, terms[:, number, None], context, runs))

    def _integrated(self, noise: Tensor, velocity: Callable[[Tensor, int], Tensor]) -> tuple[Tensor, Tensor]:
        x = noise.expand(self.members, *noise.shape)
        first = velocity(x, 0)
        x = x - first / self.flow_steps
        for number in range(1, self.flow_steps):
            x = x - velocity(x, number) / self.flow_steps
        return x, first
