"""The whole catalogue, tried one fault after the other."""

from collections.abc import Iterator, Sequence

from engine.faults.fault import Fault, FaultError, Trial
from engine.faults.inside import INSIDE
from engine.faults.outside import OUTSIDE
from engine.faults.paper import PAPER
from engine.faults.small_disk import FULL
from engine.faults.verdict import Verdict, judge
from engine.faults.workshop import Workshop

FAULTS: tuple[Fault, ...] = (*INSIDE, FULL, *OUTSIDE, *PAPER)


def tried(fault: Fault, workshop: Workshop) -> Verdict:
    """One row. A fault that could not be tried has not been passed."""
    workshop.keep(fault.keeps)
    try:
        trial = fault.run(workshop)
    except FaultError as error:
        trial = Trial(session=None, wrong=(str(error),))
    finally:
        workshop.ending.close()
    return judge(fault, trial, workshop.settings.limits)


def matrix(faults: Sequence[Fault], workshop: Workshop) -> Iterator[Verdict]:
    """Every row, as it is found."""
    for number, fault in enumerate(faults, 1):
        workshop.tell(f"{number} of {len(faults)}: {fault.name}")
        yield tried(fault, workshop)
