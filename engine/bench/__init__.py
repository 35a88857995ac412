"""The program's own figures, each beside its bar and beside a named alternative measured in the same run.

Nothing here imports numpy or anything that starts a thread: ``engine.bench.driven`` must block its signals first.
"""

import importlib

from engine.bench.figure import BenchError, Figure, Measure, Report, Tell
from engine.bench.machine import this_machine
from engine.config import Settings

__all__ = ["TOPICS", "BenchError", "Figure", "Report", "Tell", "measure"]

TOPICS = ("console", "control", "ensemble", "isaaclab", "recorder", "sim", "so101", "startup", "stop")


def measure(topic: str, settings: Settings, seconds: float | None, tell: Tell, **choices: object) -> Report:
    """The figures of one of ``TOPICS``. ``seconds`` is how long it measures, its own choice if None; ``tell`` hears of the progress.

    ``choices`` are the topic's own.
    Raises BenchError, and what opening the robot, the store or the policy raises.
    """
    module = importlib.import_module(f"engine.bench.{topic}")
    figures: Measure = module.measure
    return Report(machine=this_machine(), figures=figures(settings, module.SECONDS if seconds is None else seconds, tell, **choices))
