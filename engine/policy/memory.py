"""How much memory an ensemble takes of what there is, and what would fit where it does not."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import torch

from engine.policy.errors import PolicyError
from engine.policy.members import Members, ran_out

WORKING = 0.25  #: of the weights' size, for what is computed with them
COPIES = 2  #: of what is read: LeRobot's policy, and what the engine makes of it


def free_and_total(device: torch.device) -> tuple[int, int]:
    """Bytes."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return int(free), int(total)
    known = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(known["MemAvailable"].split()[0]) * 1024, int(known["MemTotal"].split()[0]) * 1024


def would_fit(sizes: Sequence[int], free: int) -> int:
    """How many members find room. ``sizes`` are bytes by member; the first one's hold what all share."""
    return sum(so_far * (1.0 + WORKING) <= free for so_far in accumulate(sizes))


def refusal(sizes: Sequence[int], free: int, total: int, where: str) -> str:
    """Why members of these sizes cannot be held, and how many could be; "" if they can. Bytes, as in ``would_fit``."""
    room, count = would_fit(sizes, free), len(sizes)
    if room >= count:
        return ""
    several = f"{count} members need" if count > 1 else "the policy needs"
    needed = gigabytes(sum(sizes) * (1.0 + WORKING))
    return f"out of memory: {several} {needed} and {where} has {gigabytes(free)} free of {gigabytes(total)}; {_advice(room)}"


def _advice(room: int) -> str:
    return f"{room} member{'s' * (room > 1)} would fit" if room else "not one would fit; use a smaller checkpoint or another device"


def gigabytes(size: float) -> str:
    """In words, with two digits that say something."""
    if size < 1e9:
        return f"{size / 1e6:.0f} MB"
    return f"{size / 1e9:.1f} GB" if size < 10e9 else f"{size / 1e9:.0f} GB"


def check_reading(parameters: Sequence[int]) -> None:
    """Before files of so many numbers are read, in single precision. Raises PolicyError."""
    why = refusal([4 * COPIES * count for count in parameters], *free_and_total(torch.device("cpu")), "this machine")
    if why:
        raise PolicyError(why)


def check(members: Members, device: torch.device) -> None:
    """Before they are moved there. Raises PolicyError."""
    why = refusal(sizes_of(members), *free_and_total(device), str(device))
    if why:
        raise PolicyError(why)


@contextmanager
def kept_within(members: Members, device: torch.device) -> Iterator[None]:
    """Running out of memory inside is a PolicyError that says what would fit."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        free, total = free_and_total(device)
        held = members.bytes if next(members.parameters()).device.type == device.type else 0
        room = min(would_fit(sizes_of(members), free + held), members.size - 1)
        raise PolicyError(
            f"out of memory: {members.size} members hold {gigabytes(members.bytes)} and {device} has {gigabytes(free)} free of "
            f"{gigabytes(total)}, too little to compute with them; {_advice(room)}"
        ) from error


def in_use(members: Members, device: torch.device) -> str:
    """The ensemble's memory, in words."""
    _, total = free_and_total(device)
    used = torch.cuda.memory_reserved(device) if device.type == "cuda" else members.bytes
    return f"{gigabytes(used)} of {gigabytes(total)} on {device}"


def sizes_of(members: Members) -> list[int]:
    """Bytes by member, as ``would_fit`` takes them."""
    if len(members.groups) > 1:
        return [members.bytes // members.size] * members.size
    own = sum(parameter.nbytes for parameter in members.experts.parameters()) // members.size
    return [members.bytes - own * (members.size - 1)] + [own] * (members.size - 1)
