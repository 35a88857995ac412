"""The simulated co-sawing cell: a Franka on one handle of a saw, a person on the other, a log between them."""
