"""Draws the pictures in ``screenshots/``: plays the demonstration without a screen, then lets the app draw moments of its recording."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from console.portrait import live_svg, replay_svg
from engine import demo
from engine.config import Settings
from engine.loops.control import DT
from engine.session.reader import Session

SIZES = ((80, 24), (120, 34), (160, 48))


def moments(session: Session) -> dict[str, int]:
    """Name and tick of what is worth a picture: sawing undisturbed, a stop by the cameras, the knot."""
    stops = [event.tick for event in session.events if event.kind == "stop"]
    hazards = {event.text: event.tick for event in session.events if event.kind == "hazard"}
    (knot,) = [tick for text, tick in hazards.items() if "knot" in text]
    return {
        "running": round(8.0 / DT),
        "stopped": next(tick for tick in stops if tick > round(demo.FREEZE[0] / DT)) + 50,
        "knot": next((tick for tick in stops if tick > knot), knot + 100),
    }


def draw(settings: Settings, out: Path, tell: Callable[[str], None]) -> list[Path]:
    """Play the demonstration with ``settings`` and write one SVG a moment and size into ``out``. Raises what the demonstration raises."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    with tempfile.TemporaryDirectory() as folder:
        tell("playing the demonstration")
        summary, _ = demo.run(settings.model_copy(update={"demo": True, "record": True, "store": Path(folder)}))
        session = Session.open(Path(summary["session"]))
        for name, tick in moments(session).items():
            for width, height in SIZES:
                path = out / f"{name}-{width}x{height}.svg"
                path.write_text(live_svg(session, tick, width, height))
                written.append(path)
                tell(str(path))
        path = out / "replay-120x34.svg"
        path.write_text(replay_svg(session, moments(session)["stopped"], 120, 34))
        tell(str(path))
    return [*written, path]
