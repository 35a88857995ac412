"""The simulated robots: the co-sawing cell, a Franka and a person at one saw with a log between them; and the arms at a table."""

import os

# Read by ``import mujoco``, which would otherwise load an OpenGL window library, or fail where a named one is missing.
os.environ["MUJOCO_GL"] = "disabled"
