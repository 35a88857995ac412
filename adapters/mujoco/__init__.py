"""The simulated co-sawing cell: a Franka on one handle of a saw, a person on the other, a log between them."""

import os

# Read by ``import mujoco``, which would otherwise load an OpenGL window library, or fail where a named one is missing.
os.environ["MUJOCO_GL"] = "disabled"
