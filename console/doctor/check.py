"""What a check says: one thing that was looked at, how it stands, and what to do about it."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec

Status = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    check: str
    status: Status
    found: str
    advice: str  #: what to do; "" where there is nothing to do


class Result(NamedTuple):
    status: Status
    found: str
    advice: str = ""


def checked(name: str, look: Callable[[], Result]) -> Check:
    """The check's result; one that cannot even be made has failed."""
    try:
        status, found, advice = look()
    except Exception as error:  # a broken installation may raise anything, and the other checks are still wanted
        status, found = "fail", f"{type(error).__name__}: {error}"
        advice = "Install the project's dependencies again with `uv sync`, then run the doctor again."
    return Check(check=name, status=status, found=found, advice=advice)


def lines(found: Sequence[Check]) -> list[str]:
    """The checks as text, each with its advice below it."""
    width = max(len(one.check) for one in found)
    shown = []
    for one in found:
        shown.append(f"{one.status:5} {one.check:{width}}  {one.found}")
        if one.advice:
            shown.append(f"{'':5} {'':{width}}  → {one.advice}")
    return shown
