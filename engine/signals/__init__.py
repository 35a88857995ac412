"""The 18 uncertainty signals of an inference, in the order of ``engine.types.SIGNALS``; one function a signal.

The same functions take numpy arrays, one observation or many, and torch tensors on any device.
"""

from engine.signals.compute import compute
from engine.signals.evidence import CARTESIAN, Evidence, Pass, Space, joints
from engine.signals.tracker import Found, Tracker

__all__ = ["CARTESIAN", "Evidence", "Found", "Pass", "Space", "Tracker", "compute", "joints"]
