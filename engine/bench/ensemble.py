"""A fresh pass of the whole ensemble, beside LeRobot's own policy run member by member on the same device, threads and noise."""

from statistics import median

from engine.bench.figure import Alternative, BenchError, Figure, Tell, figure
from engine.config import Settings
from engine.host import open_robot
from engine.types import Frames

SECONDS = 20.0
EXPOSURES = 4
PIXELS = 128  #: what the policies take, so that neither side has to make the pictures smaller
BETWEEN = 0.25  #: s of the cell's time between two exposures


def measure(settings: Settings, seconds: float, tell: Tell) -> tuple[Figure, ...]:
    """Raises BenchError where the policy has no members to race, AdapterError, PolicyError."""
    if settings.policy == "scripted":
        raise BenchError("The scripted policy has no members to compare: choose compact or a checkpoint folder.")
    tell("pictures of the cell")
    shown = exposures(settings)
    tell(f"loading {settings.policy}")
    from engine.policy.benchmark import race

    found = race(settings.policy, settings.device, settings.instruction, shown, seconds, tell)
    passes = found.members * found.samples
    kind = f"{passes} passes of LeRobot's predict_action_chunk on {found.threads} thread{'s' * (found.threads > 1)}"
    singly, batched = median(found.singly_ms), median(found.batched_ms)
    other = Alternative(f"{kind}, one by one", singly)
    if batched < singly:
        other = Alternative(f"{kind}, member by member, its samples as one batch", batched)
    fresh, whole = median(found.fresh_ms), median(found.whole_ms)
    speed = Alternative(f"LeRobot's own ({other.name})", 1.0)
    return (
        figure(f"{found.members} members × {found.samples} samples, fresh", fresh, "ms", "lower", against=other),
        figure("speed of that", other.value / fresh, "×", "higher", bar=3.0, against=speed),
        figure("the same with all signals", whole, "ms", "lower", against=other),
        figure("largest difference from LeRobot's output", found.difference, "m, rad", "lower", bar=1e-5),
    )


def exposures(settings: Settings) -> list[Frames]:
    """A few exposures of the cell in its first second. Raises AdapterError."""
    robot, rig = open_robot(settings.model_copy(update={"camera": settings.camera.model_copy(update={"pixels": PIXELS})}))
    robot.connect()
    rig.open()
    found = []
    for number in range(EXPOSURES):
        t_ns = round(number * BETWEEN * 1e9) + 1_000_000_000
        found.append(rig.capture(robot.read(t_ns), number + 1, t_ns))
        robot.advance(BETWEEN)
    rig.close()
    robot.close()
    return found
