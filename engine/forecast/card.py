"""A forecast on disk, and at work: weights.safetensors, and forecast.json that says what they hold for and how far they can be believed."""

import hashlib
from pathlib import Path

import msgspec
import numpy as np

from engine.forecast import labels, streaming
from engine.forecast.dataset import Dataset
from engine.forecast.errors import ForecastError
from engine.forecast.features import CHANNELS, channels
from engine.forecast.labels import CAUSES, STEPS
from engine.forecast.streaming import AT, Stream, Weights
from engine.safety.forecast import IN_FORCE, UNPROVEN
from engine.signals.nominal import LEVELS, Nominal
from engine.types import F32, F64, FAILURES, HORIZONS, SIGNALS

SCHEMA = 1
SHIPPED = Path(__file__).parent / "shipped"
WEIGHTS, CARD = "weights.safetensors", "forecast.json"
ANY = ""  #: the task whose thresholds hold where a forecast has none for the task at hand
TOGETHER = 256  #: sequences side by side


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a forecast is better than the clock and the phase on a task, on episodes it never saw."""

    proven: bool
    figures: dict[str, float] = {}


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """``forecast.json``. Plain JSON: a threshold of None is one that no probability reaches."""

    schema: int = SCHEMA
    signals: tuple[str, ...] = SIGNALS
    failures: tuple[str, ...] = FAILURES
    horizons: tuple[int, ...] = HORIZONS
    tasks: dict[str, str]  #: that it was trained on: hash of each one's policy
    without: str = ""  #: the task that was left out of training
    thresholds: dict[str, tuple[float | None, ...]]  #: by task and ANY: of each failure's probability by the last horizon
    alpha: float  #: share of episodes that do not fail, at most, with an alarm
    temperature: float
    loss: str  #: that the weights were fitted by
    members: int
    seed: int
    steps: int
    sizes: dict[str, int]  #: episodes and inferences, by part of the split
    figures: dict[str, dict[str, float]] = {}  #: by loss
    data: str  #: hash of the data set
    gate: dict[str, Gate] = {}  #: by task; one that is not there is unproven
    weights: str = ""  #: SHA-256 of the weights


class Forecast:
    """What was learnt, with the numbers that hold for it."""

    def __init__(self, card: Card, weights: Weights, nominals: dict[str, Nominal]) -> None:
        self.card = card
        self._weights = weights
        self._nominals = nominals  #: by the policies' hashes

    def for_policy(self, policy_hash: str) -> str:
        """Why this forecast says nothing about a policy; "" if it was trained on it."""
        if policy_hash in self._nominals:
            return ""
        known = ", ".join(sorted({hash[:12] for hash in self._nominals}))
        return f"the forecast was trained on policies with the hashes {known}, and this one has {policy_hash[:12] or 'none'}"

    def state(self, task: str) -> int:
        """IN_FORCE or UNPROVEN for a task, as ``Inputs.forecast_state``."""
        return IN_FORCE if task in self.card.gate and self.card.gate[task].proven else UNPROVEN

    def stream(self, policy_hash: str, task: str) -> Stream:
        """A run of its own. Raises ForecastError for a policy that it was not trained on."""
        why = self.for_policy(policy_hash)
        if why:
            raise ForecastError(f"{why[0].upper()}{why[1:]}.")
        return Stream(self._weights, self._nominals[policy_hash], self.card.temperature, self.thresholds(task))

    def thresholds(self, task: str) -> F64:
        """(CAUSES,) of each failure's probability by the last horizon, for a task; infinite where it never alarms."""
        given = self.card.thresholds.get(task, self.card.thresholds[ANY])
        return np.array([np.inf if value is None else value for value in given])

    def incidence(self, data: Dataset) -> F64:
        """(R, CAUSES, STEPS) cumulative incidence at every inference of a data set, as a stream would have found it."""
        return labels.incidence(labels.mean_hazards(logits(self._weights, data), self.card.temperature))

    def probabilities(self, data: Dataset) -> F64:
        """(R, CAUSES, len(HORIZONS))."""
        return self.incidence(data)[..., AT]

    def alarms(self, data: Dataset, probabilities: F64) -> F64:
        """(R, CAUSES) what ``probabilities`` of the data are over their tasks' thresholds: from 1 on it is an alarm; 0 before the go."""
        limits = np.stack([self.thresholds(task) for task in data.tasks])
        return np.where(data.gone[:, None], probabilities[..., -1] / limits[data.task[data.episode]], 0.0)


def seen(data: Dataset) -> F32:
    """(R, CHANNELS) what the network sees of every inference."""
    found = np.empty((data.rows, CHANNELS), np.float32)
    task = data.task[data.episode]
    for number in range(len(data.tasks)):
        rows = task == number
        signals, since = data.signals[rows].astype(np.float64), data.since[rows]
        found[rows] = channels(signals, data.valid[rows], data.age[rows].astype(np.float64), since, data.nominal(number))
    return found


def logits(weights: Weights, data: Dataset) -> F32:
    """(M, R, STEPS, CAUSES + 1) at every inference of a data set; episodes of about one length go side by side."""
    rows, lengths = seen(data), np.diff(data.first)
    found = np.empty((weights.members, data.rows, STEPS, CAUSES + 1), np.float32)
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(order), TOGETHER):
        which = [np.arange(data.first[e], data.first[e + 1]) for e in order[start : start + TOGETHER].tolist()]
        filled = np.zeros((len(which), max(map(len, which)), CHANNELS), np.float32)
        for number, of in enumerate(which):
            filled[number, : len(of)] = rows[of]
        told = streaming.over(weights, filled)
        for number, of in enumerate(which):
            found[:, of] = told[:, number, : len(of)]
    return found


def write(folder: Path, card: Card, members: list[dict[str, F32]], data: Dataset) -> Card:
    """Write a forecast, its card last, with the nominal tables of the policies it was trained on. Returns the card as written."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"member.{number}.{name}": array for number, member in enumerate(members) for name, array in member.items()}
    for task, policy_hash in card.tasks.items():
        usual = data.nominal(data.tasks.index(task))
        tensors |= {
            f"nominal.{policy_hash}.table": usual.table.astype(np.float32),
            f"nominal.{policy_hash}.p95": usual.p95.astype(np.float32),
        }
    blob = save({name: np.ascontiguousarray(array) for name, array in tensors.items()})
    (folder / WEIGHTS).write_bytes(blob)
    return _written(folder, msgspec.structs.replace(card, weights=hashlib.sha256(blob).hexdigest()))


def prove(folder: Path, gate: dict[str, Gate]) -> None:
    """Enter into a forecast's card what its evaluation has found. Raises ForecastError."""
    _written(folder, msgspec.structs.replace(_read(folder), gate=gate))


def _written(folder: Path, card: Card) -> Card:
    part = folder / f".{CARD}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=1) + b"\n")
    part.replace(folder / CARD)
    return card


def check(folder: Path) -> None:
    """Whether a forecast may be written to a folder, over one that is in it. Raises ForecastError, OSError."""
    if not folder.name or (folder.exists() and not folder.is_dir()):
        raise ForecastError(f"{folder} cannot hold a forecast: name a folder of its own, or one that is not there yet.")
    if folder.exists() and any(folder.iterdir()) and not (folder / CARD).exists() and not work(folder).exists():
        raise ForecastError(f"{folder} is not empty and holds no forecast: name another folder.")


def work(folder: Path) -> Path:
    """Where the state of a training is kept until it is done."""
    return folder.with_name(f"{folder.name}.work")


def load(folder: Path = SHIPPED) -> Forecast:
    """What ``write`` wrote. Raises ForecastError."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as tensors_of

    card = _read(folder)
    path = folder / WEIGHTS
    try:
        blob = path.read_bytes()
    except OSError as error:
        raise ForecastError(f"{path} cannot be read ({error.strerror}); expected the weights that training wrote.") from error
    digest = hashlib.sha256(blob).hexdigest()
    if digest != card.weights:
        raise ForecastError(
            f"{path} has SHA-256 {digest[:12]}, and {CARD} beside it belongs to {card.weights[:12] or 'none'}: train again."
        )
    try:
        tensors = tensors_of(blob)
    except (SafetensorError, ValueError) as error:
        raise ForecastError(f"{path} is no readable safetensors file ({error}): train again.") from error
    try:
        members = [{name: tensors[f"member.{number}.{name}"] for name in SHAPES} for number in range(card.members)]
        nominals = {
            of: Nominal(*(tensors[f"nominal.{of}.{part}"].astype(np.float64) for part in ("table", "p95"))) for of in card.tasks.values()
        }
    except KeyError as error:
        raise ForecastError(f"{path} lacks {error}, which {CARD} beside it names: train again.") from error
    _check(path, tensors, card, nominals)
    return Forecast(card, streaming.stacked(members), nominals)


#: of a member's weights, by torch's names
SHAPES: dict[str, tuple[int, ...]] = {
    "conv.weight": (streaming.WIDTH, CHANNELS, streaming.TAPS),
    "conv.bias": (streaming.WIDTH,),
    "gru.weight_ih_l0": (3 * streaming.HIDDEN, streaming.WIDTH),
    "gru.weight_hh_l0": (3 * streaming.HIDDEN, streaming.HIDDEN),
    "gru.bias_ih_l0": (3 * streaming.HIDDEN,),
    "gru.bias_hh_l0": (3 * streaming.HIDDEN,),
    "out.weight": (STEPS * (CAUSES + 1), streaming.HIDDEN),
    "out.bias": (STEPS * (CAUSES + 1),),
}


def _check(path: Path, tensors: dict[str, F32], card: Card, nominals: dict[str, Nominal]) -> None:
    """Raises ForecastError naming the first number that no training writes."""
    for name, array in tensors.items():
        shape = SHAPES.get(name.split(".", 2)[2]) if name.startswith("member.") else None
        if shape is not None and (array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all()):
            raise ForecastError(f"{path} holds {name} of shape {array.shape} as {array.dtype}; expected {shape}, float32 and finite.")
    for usual in nominals.values():
        known = np.isfinite(usual.p95)
        if (
            usual.table.shape != (len(SIGNALS), len(LEVELS))
            or usual.p95.shape != (len(SIGNALS),)
            or not np.isfinite(usual.table[known]).all()
        ):
            raise ForecastError(f"{path} holds nominal quantiles of a wrong shape, or not finite: train again.")
    rows = [value for row in card.thresholds.values() for value in row if value is not None]
    wide = all(len(row) == CAUSES for row in card.thresholds.values())
    if ANY not in card.thresholds or not wide or not all(value > 0.0 for value in rows) or not card.temperature > 0.0 or card.members < 1:
        raise ForecastError(f"{path.with_name(CARD)} has no thresholds, temperature or members that can be used: train again.")


def _read(folder: Path) -> Card:
    path = folder / CARD
    try:
        tree = msgspec.json.decode(path.read_bytes())
        version = tree["schema"]
    except OSError as error:
        raise ForecastError(f"There is no forecast at {folder}: {CARD} cannot be read ({error.strerror}).") from error
    except (msgspec.MsgspecError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ForecastError(f"{path} is no forecast's card ({error}): train again.") from error
    if version != SCHEMA:
        raise ForecastError(f"{path} was written with schema {version}, and this program reads schema {SCHEMA}: train again.")
    try:
        card = msgspec.convert(tree, Card)
    except msgspec.ValidationError as error:
        raise ForecastError(f"{path} has an entry of a wrong type ({error}): train again.") from error
    for told, own, what in (
        (card.signals, SIGNALS, "signals"),
        (card.failures, FAILURES, "failures"),
        (card.horizons, HORIZONS, "horizons"),
    ):
        if tuple(told) != own:
            raise ForecastError(f"{path} was trained on other {what} than this program has: train again.")
    return card
