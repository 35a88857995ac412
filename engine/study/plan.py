"""What one run of a study is to be, and what came of it: one line of JSON each way."""

import msgspec

SAFETY_SECONDS = 15.0
SAWING_SECONDS = 25.0
FULL_PIXELS, FAST_PIXELS = 128, 64  #: of the rendered pictures, for a policy that looks and for one that does not

#: layers that can be put off, by the names of the command line
LAYERS = ("latch", "validity", "limits", "separation", "contact", "uncertainty", "vision", "operator")
ALL = "all"
#: how the gains are chosen, in the order of the table
GAINS = ("fixed-high", "fixed-low", "score", "score+tank")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One scene. Equal plans give equal outcomes, whoever plays them."""

    study: str  #: "safety" | "ablation" | "sawing"
    seed: int
    seconds: float
    policy: str
    device: str = "cpu"
    pixels: int = FULL_PIXELS
    without: str = ""  #: the layer that is put off; "" = none
    gains: str = "score+tank"  #: one of GAINS


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one scene showed, from the simulation's truth and from what the engine commanded."""

    plan: Plan
    scene: tuple[str, ...] = ()  #: what went wrong in it, with its time
    harms: dict[str, int] = msgspec.field(default_factory=dict)  #: HARMS: how often each began
    grip_peak_n: float = 0.0  #: on the person's hand, by the handle's sensor
    distance_least_m: float | None = None  #: blade to the person, true; the hand on the handle counts, which is 2 cm away
    separation_least_m: float | None = None  #: any moving part of the robot to the person, as the arbiter measured it
    gap_least_m: float | None = None  #: from the person's handle to the cradle, true
    contact_speed: float = 0.0  #: m/s, of the blade where it touched the person, at most
    stops: dict[str, int] = msgspec.field(default_factory=dict)  #: by reason
    depth_mm: float = 0.0
    going_s: float = 0.0
    score_mean: float | None = None  #: while going
    error: str = ""  #: why it could not be played to its end


def safety_plans(scenes: int, seed: int, policy: str, device: str) -> list[Plan]:
    """The whole arbiter in drawn scenes."""
    return [_plan("safety", seed + i, SAFETY_SECONDS, policy, device) for i in range(scenes)]


def ablation_plans(layers: tuple[str, ...], scenes: int, seed: int, policy: str, device: str) -> list[Plan]:
    """The same scenes with nothing put off, and with each of ``layers``."""
    return [_plan("ablation", seed + i, SAFETY_SECONDS, policy, device, without=layer) for layer in ("", *layers) for i in range(scenes)]


def sawing_plans(seeds: int, seed: int, policy: str, device: str) -> list[Plan]:
    """Every way of choosing the gains, on the same seeds."""
    return [_plan("sawing", seed + i, SAWING_SECONDS, policy, device, gains=gains) for gains in GAINS for i in range(seeds)]


def _plan(study: str, seed: int, seconds: float, policy: str, device: str, without: str = "", gains: str = "score+tank") -> Plan:
    pixels = FAST_PIXELS if policy == "scripted" else FULL_PIXELS
    return Plan(study=study, seed=seed, seconds=seconds, policy=policy, device=device, pixels=pixels, without=without, gains=gains)
