"""Does a session's energy account add up? Each stroke's closure, the tank's level, and the bound on what may ever leave the port.

Over a stroke, change of (tank + stored) = partner + grant - wood - damping, but for what a sampled simulation cannot see. The rest is held
against the throughput, the sum over the ticks of |partner| + |grant| + |wood| + |damping|.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from engine.account import CLOSED, TERMS, Account
from engine.session.layout import Rows
from engine.session.reader import Session
from engine.types import F64, Energy

EXACT = 1e-9  #: J, rounding


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke(Account):
    """The account of one full stroke, and where it stands in the session."""

    first: int  #: row of its first tick
    last: int  #: row of its last tick, the next one's first

    @property
    def share(self) -> float:
        """Of the throughput; 0 where nothing flowed and nothing is open."""
        return abs(self.residue) / self.throughput if self.throughput > 0.0 else abs(self.residue)

    @property
    def closes(self) -> bool:
        """False also for what is not a number."""
        return self.share <= CLOSED


def columns(session: Session) -> dict[str, Rows]:
    """The account of every tick, by the fields of ``Energy``: (n,) each. Raises SessionError."""
    return {name: session.rows(f"tick/energy_{name}") for name in Energy.__struct_fields__}


def strokes(count: Rows, account: Mapping[str, Rows]) -> list[Stroke]:
    """Every full stroke between two steps of the stroke count (n,), with the account (n,) by field."""
    ends = np.flatnonzero(np.diff(count) == 1) + 1
    kept = account["tank"] + account["stored"]
    flow = np.concatenate([[0.0], np.cumsum(_flow(account))])
    return [
        Stroke(
            number=int(count[first]),
            first=int(first),
            last=int(last),
            partner=float(account["partner"][last] - account["partner"][first]),
            grant=float(account["grant"][last] - account["grant"][first]),
            wood=float(account["wood"][last] - account["wood"][first]),
            damping=float(account["damping"][last] - account["damping"][first]),
            kept=float(kept[last] - kept[first]),
            throughput=float(flow[last] - flow[first]),
        )
        for first, last in pairwise(ends)
        if count[last - 1] == count[first]
    ]


def excess(account: Mapping[str, Rows]) -> float:
    """J by which, over the worst interval, more left the port than tank, spring and motion held, plus what was granted meanwhile.

    Never above 0 where the bound holds: wood - partner <= tank + stored + grant, from any tick to any later one, to ``CLOSED`` of the
    throughput between them. NaN where the account is not finite.
    """
    if not len(account["tank"]):
        return 0.0
    left = account["grant"] + account["partner"] - account["wood"]
    left = left + CLOSED * np.concatenate([[0.0], np.cumsum(_flow(account))])
    lowest = np.minimum.accumulate(left[::-1])[::-1]
    return float(np.max(left - lowest - np.maximum(0.0, account["tank"] + account["stored"])))


def problems(session: Session) -> Iterator[str]:
    """Sentences on what does not add up. Raises SessionError."""
    if not session.ticks:
        return
    account = columns(session)
    if all(np.isnan(rows).all() for rows in account.values()):
        return  # a robot that keeps no account
    for stroke in strokes(session.rows("tick/stroke_count"), account):
        if not stroke.closes:
            yield (
                f"The energy ledger of stroke {stroke.number}, ticks {stroke.first} to {stroke.last}, does not close: "
                f"{stroke.residue:.3g} J of {stroke.throughput:.3g} J stay open, {stroke.share:.1%} where {CLOSED:.0%} may."
            )
    most = session.header.limits.tank_max
    outside = np.flatnonzero(~((account["tank"] >= -EXACT) & (account["tank"] <= most + EXACT)))
    if len(outside):
        yield f"tick/energy_tank of tick {int(outside[0])} is {account['tank'][outside[0]]:.3g} J, outside 0 to {most:g} J."
    beyond = excess(account)
    if not beyond <= EXACT:
        yield f"The robot gave out {beyond:.3g} J more than it held, was granted and was given: its energy is not bounded by its account."


def _flow(account: Mapping[str, Rows]) -> F64:
    """(n - 1,) J turned over between one tick and the next."""
    flow: F64 = np.abs(np.diff([account[name] for name in TERMS])).sum(axis=0)
    return flow
