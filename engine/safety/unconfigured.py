"""Layers 4, 5, 7 and 8 while nothing feeds them: each says "not configured" and holds the cap documented for that case.

Separation, forecast and vision: no sensor watches the person and nothing foresees a failure, so the tool keeps to the reduced
speed (ISO 10218-1: 250 mm/s, hold-to-run). Contact: without knowing which part of a body could be touched, the lowest quasi-static
force that the body table permits anywhere, the face's 65 N (ISO/TS 15066, table A.2), bounds the force.
"""

from engine.limits import Limits
from engine.safety.layer import Layer
from engine.types import Reason

FORCE_ANYWHERE = 65.0  #: N


def reduced_speed(limits: Limits) -> Layer:
    """Separation, forecast, vision; the margin holds the cap in m/s."""
    scale = limits.speed_unsensed / limits.speed_max
    return Layer(scale=scale if scale < 1.0 else 1.0, reason=Reason.NOT_CONFIGURED, margin=limits.speed_unsensed)


def reduced_force() -> Layer:
    """Contact; the margin holds the cap in N."""
    return Layer(force=FORCE_ANYWHERE, reason=Reason.NOT_CONFIGURED, margin=FORCE_ANYWHERE)
