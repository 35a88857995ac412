"""The energy account of one full stroke, as replay and the live screen both hold it against its one balance."""

from dataclasses import dataclass

TERMS = ("partner", "grant", "wood", "damping")  #: fields of ``engine.types.Energy`` that flow
CLOSED = 0.01  #: of a stroke's throughput that may stay open


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Changes over a stroke, J: kept = partner + grant - wood - damping, but for what a sampled simulation cannot see."""

    number: int  #: of the stroke
    partner: float  #: by the person on the saw
    grant: float  #: let into the tank for the task
    wood: float  #: on the wood
    damping: float  #: to heat
    kept: float  #: more in tank, spring, motion and height than before
    throughput: float  #: of the four together, back and forth

    @property
    def residue(self) -> float:
        """J by which the account does not close."""
        return self.kept - (self.partner + self.grant - self.wood - self.damping)
