"""A real Isaac Lab environment, run by a process of its own in an environment of its own, next to this program."""
