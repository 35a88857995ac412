"""What is seen, smoothed over time by a small causal GRU, and the vision scores that the raw look and the smoothed one lead to."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.policy import calibration, checkpoint
from engine.policy.errors import PolicyError
from engine.policy.heads import DOUBTS, Heads
from engine.safety import vision

NEEDED = ("hand_distance", "human", "stuck")  #: what the score is made of
HIDDEN = 16
POSITIVE = ("stretch", "soften", "slope")  #: what calibration sets, of heads and smoother
LONGEST_S = 1.0  #: between two looks; after a longer pause the past counts no more
FINE = 5.0  #: by which the change from look to look is enlarged: a stroke's is a small share of what a reading ranges over
Memory = tuple[Tensor, Tensor]  #: (1, N, HIDDEN) of the GRU, (N, R) means of the look before


class Smoother(nn.Module):
    """Sequences of heads' outputs (N, T, O) with the seconds since the look before (N, T) -> (N, T, 4) and the memory after them.

    The four are mean and log-variance of the hand's distance as the heads have them, and the logits of human and stuck. Untrained, it
    repeats the heads.
    """

    stretch: Tensor
    slope: Tensor
    shift: Tensor

    def __init__(self, heads: Heads) -> None:
        super().__init__()
        sights = heads.sights
        missing = [name for name in NEEDED if name not in sights.labels]
        if missing:
            raise PolicyError(f"the heads do not read {', '.join(missing)}; there is no vision score without")
        names = [reading.name for reading in sights.readings]
        self._sizes = [len(names), len(names), len(sights.zones), len(sights.flags)]
        hand, first = names.index("hand_distance"), sum(self._sizes[:3])
        self._columns = [hand, len(names) + hand, first + sights.flags.index("human"), first + sights.flags.index("stuck")]
        self.gru = nn.GRU(2 * self._sizes[0] + sum(self._sizes[1:]) + 1, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, 4)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.register_buffer("stretch", torch.ones(1))  #: of the hand's standard deviation, set by calibration
        self.register_buffer("slope", torch.ones(2))  #: of the two logits
        self.register_buffer("shift", torch.zeros(2))  #: added to them

    def forward(self, outputs: Tensor, since: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        means, doubt, zones, flags = torch.split(outputs, self._sizes, dim=2)
        last = means[:, :1] if memory is None else memory[1][:, None]
        moved = means - torch.cat((last, means[:, :-1]), dim=1)
        seen = torch.cat(
            (
                means.clamp(-20.0, 20.0) / 5.0,
                (moved * FINE).clamp(-5.0, 5.0),
                doubt.clamp(*DOUBTS) / 5.0,
                torch.softmax(zones, dim=2),
                flags.clamp(-10.0, 10.0) / 5.0,
                since[:, :, None].clamp(0.0, LONGEST_S),
            ),
            dim=2,
        )
        hidden, kept = self.gru(seen, None if memory is None else memory[0])
        mean, spread, *logits = (outputs[:, :, self._columns] + self.out(hidden)).unbind(dim=2)
        marks = torch.stack(logits, dim=2) * self.slope + self.shift
        found = torch.cat((torch.stack((mean, spread.clamp(*DOUBTS) + 2.0 * self.stretch.log()), dim=2), marks), dim=2)
        return found, (kept, means[:, -1])

    def loss(self, outputs: Tensor, since: Tensor, truth: Tensor) -> Tensor:
        """Mean loss against ``truth`` (N, T, 3): the hand's distance as the heads count it, human and stuck; NaN where unknown.

        Likelihood of the hand weighted by its standard deviation (beta-NLL with beta 1/2), cross entropy of the others.
        """
        found, _ = self(outputs, since)
        known = torch.isfinite(truth)
        wanted = torch.where(known, truth, torch.zeros_like(truth))
        doubt = found[..., 1]
        hand = 0.5 * torch.exp(0.5 * doubt.detach()) * (torch.exp(-doubt) * (found[..., 0] - wanted[..., 0]) ** 2 + doubt)
        marks = functional.binary_cross_entropy_with_logits(found[..., 2:], wanted[..., 1:], reduction="none")
        each = torch.cat((hand[..., None], marks), dim=2) * known
        return each.sum() / known.sum().clamp_min(1)


class Looking:
    """What N runs remember from look to look."""

    def __init__(self, hidden: Tensor, before: Tensor, count: int) -> None:
        self.hidden = hidden  #: (N, HIDDEN) of the GRU
        self.before = before  #: (N, R) means of the look before
        self.exposed_ns = torch.zeros(count, dtype=torch.int64)
        self.known = torch.zeros(count, dtype=torch.bool)  #: whether there was one that counts

    def of(self, rows: Sequence[int]) -> "Looking":
        """Those of some of the runs; ``put`` brings them back."""
        some = Looking(self.hidden[rows], self.before[rows], 0)
        some.exposed_ns, some.known = self.exposed_ns[rows], self.known[rows]
        return some

    def put(self, rows: Sequence[int], some: "Looking") -> None:
        """Take over what those runs remember."""
        for name in ("hidden", "before", "exposed_ns", "known"):
            getattr(self, name)[rows] = getattr(some, name)


class Sight:
    """Heads and smoother at work, one look after another; one thread calls it."""

    def __init__(self, heads: Heads, smoother: Smoother, state: int) -> None:
        self.state = state  #: as ``Inputs.vision_state``
        self._heads = heads
        self.smoother = smoother.cpu().eval().requires_grad_(False)
        names = [reading.name for reading in heads.sights.readings]
        hand = heads.sights.readings[names.index("hand_distance")]
        self._centre, self._scale = hand.centre, hand.scale
        self._looking = self.looking(1)

    def looking(self, count: int) -> "Looking":
        """For so many runs, before their first looks."""
        return Looking(torch.zeros(count, HIDDEN), torch.zeros(count, len(self._heads.sights.readings)), count)

    def look(self, outputs: Tensor, exposed_ns: int, anew: bool = False) -> dict[str, float]:
        """One row of the heads' outputs (O,): what they read, by name, the same smoothed, and the ``vision_*`` of ``Inputs``.

        ``anew`` forgets the looks before, as a long pause, time running backward and an output that is no number do.
        """
        return self.looks(outputs[None], [exposed_ns], [anew], self._looking)[0]

    @torch.inference_mode()
    def looks(self, outputs: Tensor, exposed_ns: Sequence[int], anew: Sequence[bool], looking: "Looking") -> list[dict[str, float]]:
        """The same of N runs side by side, each with what it remembers, which goes on in ``looking``."""
        rows = outputs.detach().cpu().to(torch.float32)
        since = (torch.tensor(exposed_ns) - looking.exposed_ns).double() / 1e9
        forget = torch.tensor(anew) | ~((since > 0.0) & (since <= LONGEST_S)) | ~looking.known
        hidden = torch.where(forget[:, None], 0.0, looking.hidden)
        before = torch.where(forget[:, None], rows[:, : looking.before.shape[1]], looking.before)
        since = torch.where(forget, 0.0, since).to(torch.float32)
        found, (kept, looking.before) = self.smoother(rows[:, None], since[:, None], (hidden[None], before))
        looking.hidden, looking.exposed_ns = kept[0], torch.tensor(exposed_ns)
        looking.known = torch.stack([torch.isfinite(part).all(dim=1) for part in (rows, looking.hidden, looking.before)]).all(dim=0)
        return [self._told(values, row) for values, row in zip(self._heads.reads(rows), found[:, 0].tolist(), strict=True)]

    def _told(self, values: dict[str, float], found: list[float]) -> dict[str, float]:
        mean, doubt, human, stuck = found
        smooth = {
            "hand_distance_smooth": self._centre + self._scale * mean,
            "hand_distance_smooth_sd": self._scale * math.exp(0.5 * doubt),
            "human_smooth": _probability(human),
            "stuck_smooth": _probability(stuck),
        }
        surely = vision.lower(values["hand_distance"], values["hand_distance_sd"])
        later = vision.lower(smooth["hand_distance_smooth"], smooth["hand_distance_smooth_sd"])
        now = surely, values["human"], values["stuck"]
        return values | smooth | _vision(now, (later, smooth["human_smooth"], smooth["stuck_smooth"]))


def write(folder: Path, smoother: Smoother) -> None:
    """Write a smoother into a policy's folder, bound to the weights and heads that lie there."""
    part = folder / f"{checkpoint.SIGHT}.part"
    checkpoint.write_tensors(part, smoother.state_dict(), half=False, metadata=checkpoint.bound(folder, checkpoint.HEADS))
    part.replace(folder / checkpoint.SIGHT)


def read(folder: Path, manifest: checkpoint.Manifest, heads: Heads | None) -> Sight | None:
    """What a policy's folder says of its sight; None where it was never calibrated. Raises PolicyError.

    Sight whose calibration does not keep ``calibration.BOUNDS`` is there and disabled; it holds for the weights and heads it was
    written for and for no others.
    """
    if heads is None or manifest.sight is None:
        return None
    smoother = Smoother(heads)
    expected = {name: tuple(tensor.shape) for name, tensor in smoother.state_dict().items()}
    path = folder / checkpoint.SIGHT
    checkpoint.check_bound(path, checkpoint.HEADS)
    smoother.load_state_dict(checkpoint.read_tensors(path, expected))
    _check_numbers(folder / checkpoint.HEADS, heads)
    _check_numbers(path, smoother)
    wanting = calibration.found_wanting(manifest.sight.calibration)
    return Sight(heads, smoother, vision.DISABLED if wanting else vision.IN_FORCE)


def _check_numbers(path: Path, module: nn.Module) -> None:
    """Raises PolicyError naming the first tensor with a number that makes no doubt or probability."""
    for name, tensor in module.state_dict().items():
        if not torch.isfinite(tensor).all() or (name in POSITIVE and not (tensor > 0.0).all()):
            kind = "positive and finite" if name in POSITIVE else "finite"
            raise PolicyError(f"{path} holds {name} that is not {kind}; expected what training wrote")


def _probability(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(30.0, max(-30.0, logit)))) if logit == logit else math.nan


def _vision(now: tuple[float, float, float], later: tuple[float, float, float]) -> dict[str, float]:
    """The ``vision_*`` of ``Inputs`` of (sure distance, human, stuck) as seen and as smoothed; NaN of either is NaN."""
    return {
        "vision_raw": vision.score(*now),
        "vision_smooth": vision.score(*later),
        "vision_hand": _smaller(now[0], later[0]),
        "vision_human": _smaller(now[1], later[1]),
        "vision_stuck": -_smaller(-now[2], -later[2]),
    }


def _smaller(one: float, other: float) -> float:
    """NaN if either is."""
    return one if one <= other else other if other < one else math.nan
