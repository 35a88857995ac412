"""Random numbers whose whole state is one float, so that a plant vector can hold it and simulate on bit-exactly."""

_MODULUS = 4294967296  # 2**32: products stay exact in Python integers, states exact in a float64


def start(seed: int, stream: int) -> float:
    """The state of an independent stream of a seed."""
    state = (seed * 2654435761 + stream * 40503 + 12345) % _MODULUS
    for _ in range(3):
        state = (1664525 * state + 1013904223) % _MODULUS
    return float(state)


def uniform(state: float) -> tuple[float, float]:
    """(next state, a number in [0, 1)); linear congruential, constants of Numerical Recipes (Press et al.)."""
    following = (1664525 * int(state) + 1013904223) % _MODULUS
    return float(following), following / _MODULUS


def normal(state: float) -> tuple[float, float]:
    """(next state, a number of zero mean and unit variance), the scaled sum of four uniform ones: bounded, no transcendentals."""
    total = 0.0
    for _ in range(4):
        state, value = uniform(state)
        total += value
    return state, (total - 2.0) * 1.7320508075688772
