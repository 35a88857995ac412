"""Any policies of one kind asked together: those that share a prefix tensor by tensor run on one, the others each on their own."""

import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from engine.policy.errors import PolicyError
from engine.policy.experts import EXPERT_PARTS
from engine.policy.prefix import Prefix
from engine.policy.ready import ReadyExperts
from engine.policy.streams import runs_of

MEMBERS_OWN = (*EXPERT_PARTS, "state_proj.")  #: what members may differ in and still share a prefix

WARM_UPS = 3  #: passes before a graph is captured, in which kernels are compiled and libraries loaded

type Also = Callable[[Tensor], tuple[Tensor, ...]]
type Inputs = tuple[Tensor, Tensor, Tensor, Tensor]
type Step = Callable[..., Answer]


class Answer(NamedTuple):
    """One pass of all members."""

    actions: Tensor  #: (E, M, H, A) normalised, float32
    velocity: Tensor  #: (E, M, H, A) at the first flow step
    features: Tensor  #: (N, T, W) of the first group's prefix
    also: tuple[Tensor, ...] = ()  #: what the caller computes from the features


def ran_out(error: BaseException) -> bool:
    """Whether memory was lacking, for which torch has no class of error on the CPU."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def prefix_difference(first: dict[str, Tensor], other: dict[str, Tensor]) -> str | None:
    """The first tensor outside what is a member's own that is not bit for bit the same in both; None if all are shared."""
    for name, tensor in first.items():
        if not name.removeprefix("model.").startswith(MEMBERS_OWN) and not torch.equal(tensor, other[name]):
            return name
    return None


def grouped(policies: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
    """Member numbers by equal prefix, compared tensor by tensor. Raises PolicyError if tensors differ in name or shape."""
    states = [policy.state_dict() for policy in policies]
    shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in states]
    for number, shape in enumerate(shapes):
        for name in shapes[0].keys() | shape.keys():
            if shapes[0].get(name) != shape.get(name):
                raise PolicyError(f"member {number} has {name} of shape {shape.get(name)} and member 0 of {shapes[0].get(name)}")
    groups: list[list[int]] = []
    for number, state in enumerate(states):
        home = next((group for group in groups if prefix_difference(states[group[0]], state) is None), None)
        if home is None:
            groups.append([number])
        else:
            home.append(number)
    return tuple(tuple(group) for group in groups)


def check(config: Any) -> None:
    """Raises PolicyError for a configuration whose arithmetic this engine does not have."""
    if config.adapt_to_pi_aloha:
        raise PolicyError("the policy converts states and actions for an Aloha (adapt_to_pi_aloha), which this engine does not do")
    if not config.use_cache:
        raise PolicyError("the policy runs without a cache of the prefix (use_cache false), which LeRobot cannot denoise with either")


class Members(nn.Module):
    """E policies on one device, all asked at once in one precision. Raises PolicyError for what cannot be computed."""

    def __init__(self, policies: Sequence[Any], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        if not policies:
            raise PolicyError("an ensemble needs at least one member")
        for policy in policies:
            check(policy.config)
        self.size = len(policies)
        self.groups = grouped(policies)
        self.actions: int = policies[0].config.action_feature.shape[0]
        self.prefixes, self.experts = nn.ModuleList(), nn.ModuleList()
        for group in self.groups:
            own = [policies[number] for number in group]
            self.prefixes.append(Prefix(_prefix_only(own[0], dtype), *own[1:]).joined())
            self.experts.append(ReadyExperts(own, dtype).to(next(own[0].parameters()).device))
        self.requires_grad_(False).eval()

    def _pairs(self) -> list[tuple[Prefix, ReadyExperts]]:
        """Each group's prefix and experts."""
        return cast("list[tuple[Prefix, ReadyExperts]]", list(zip(self.prefixes, self.experts, strict=True)))

    @property
    def path(self) -> str:
        """Which way the members run, in words."""
        return "shared prefix" if len(self.groups) == 1 else "member by member"

    @property
    def bytes(self) -> int:
        """Of the weights held."""
        return sum(parameter.nbytes for parameter in self.parameters())

    def forward(
        self, images: Tensor, tokens: Tensor, states: Tensor, noise: Tensor, which: tuple[int, ...], also: Also | None = None
    ) -> Answer:
        """``images`` (N, C, 3, h, w) in [0, 1], ``tokens`` (L,), ``states`` (N, S) normalised, ``noise`` (M, H, A) of M streams.

        ``which`` names each stream's observation, in order; streams of one observation share its prefix.
        """
        runs = runs_of(which)
        found, features = [], None
        for prefix, experts in self._pairs():
            keys, values, seen = prefix(images, tokens, states)
            features = seen if features is None else features
            found.append(experts.integrated(keys, values, noise, runs))
        assert features is not None
        places = [number for group in self.groups for number in group]
        actions, velocity = (
            parts[0] if len(parts) == 1 else torch.stack([torch.cat(parts)[places.index(member)] for member in range(self.size)])
            for parts in zip(*((part[..., : self.actions] for part in both) for both in found), strict=True)
        )
        return Answer(actions, velocity, features, () if also is None else also(features))

    def recorded(
        self,
        images: Tensor,
        tokens: Tensor,
        states: Tensor,
        noise: Tensor,
        which: tuple[int, ...],
        also: Also | None = None,
        tell: Callable[[str], None] = lambda text: None,
    ) -> Step:
        """The pass for inputs of these shapes as one recorded graph that takes ``images``, ``tokens``, ``states`` and ``noise``.

        On a CUDA device the layers are compiled and the answer is overwritten by the next call. What cannot be recorded runs as it is, and
        ``tell`` hears why.
        """
        inputs = (images, tokens, states, noise)

        def step(*given: Tensor) -> Answer:
            return self(*given, which, also)  # type: ignore[no-any-return]

        for fast in (True, False) if images.is_cuda else (False,):
            for prefix, experts in self._pairs():
                prefix.compiled(fast)
                experts.fused = fast
            try:
                return (_captured if images.is_cuda else _traced)(step, inputs)
            except Exception as error:  # compilers raise many kinds
                if ran_out(error):
                    raise
                slower = "goes uncompiled" if fast else "runs unrecorded"
                tell(
                    f"the pass could not be {'compiled' if fast else 'recorded'} and {slower} ({str(error).strip().partition(chr(10))[0]})"
                )
        return step


def _traced(step: Step, inputs: Inputs) -> Step:
    """As a frozen graph, which runs without holding the interpreter."""

    class Pass(nn.Module):
        def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
            answer = step(*given)
            return (*answer[:3], *answer.also)

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the shapes and step times that the tracer warns of are fixed for this graph
        graph = torch.jit.freeze(torch.jit.trace(Pass().eval(), inputs, check_trace=False))  # type: ignore[no-untyped-call]
    return lambda *given: _answer(graph(*given))


def _captured(step: Step, inputs: Inputs) -> Step:
    """As a CUDA graph on inputs of its own."""
    own = tuple(tensor.clone() for tensor in inputs)
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side), torch.inference_mode():
        for _ in range(WARM_UPS):
            step(*own)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.inference_mode():
        answer = step(*own)

    def replayed(*given: Tensor) -> Answer:
        for kept, new in zip(own, given, strict=True):
            kept.copy_(new, non_blocking=True)
        graph.replay()
        return answer

    return replayed


def _answer(parts: tuple[Tensor, ...]) -> Answer:
    return Answer(parts[0], parts[1], parts[2], tuple(parts[3:]))


def _prefix_only(policy: Any, dtype: torch.dtype) -> Any:
    """A copy of a policy without its expert, whose prefix is ours to change."""
    inner = policy.model.vlm_with_expert
    expert, inner.lm_expert = inner.lm_expert, None
    try:
        copied = deepcopy(policy)
    finally:
        inner.lm_expert = expert
    copied.model.vlm_with_expert.vlm.lm_head = None
    copied.model.vlm_with_expert.vlm.to(dtype)
    return copied
