"""Records onto a small file system until it is full; run by ``test_disk`` in a mount namespace of its own.

Prints what happened as one line of JSON. Arguments: the mount point, and "tight" to begin with a store that is full already.
"""

import itertools
import json
import os
import shutil
import sys
from pathlib import Path

import msgspec
import session_material as material

from engine.limits import Limits
from engine.safety import arbiter
from engine.session import recorder as recording
from engine.session.layout import SessionError
from engine.session.reader import Session
from engine.session.verify import recompute
from engine.types import Reason


def main(store: Path, tight: bool) -> dict[str, object]:
    try:
        recording.check_store(store)
        refused = ""
    except SessionError as error:
        refused = str(error)
    if tight:
        return {"refused": refused}
    recording.FREE_AT_START = 0
    recorder = recording.Recorder(store, material.header(), wait=True)
    free = shutil.disk_usage(store).free
    with (store / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free - 2**19)
    after = None
    state = arbiter.initial(Limits(), material.ROBOT)
    for tick, row in enumerate(itertools.islice(material.ticks(1), 9000)):
        inputs = msgspec.structs.replace(row.inputs, recorder_fault=recorder.fault, stop_page=(0,) * 8)
        state, decision = arbiter.step(state, inputs)
        recorder.tick(row._replace(inputs=inputs, decision=decision))
        if tick % 16 == 0:
            recorder.frames(material.frames(tick, row.inputs.t_ns, row, side=48))
        if recorder.fault != Reason.OK and after is None:
            recorder.event(material.event(1, tick, "stop", "STOP 1: recorder failed"))
            after = tick
        if after is not None and tick == after + 100:
            break
    whole = recorder.close("the disk was full")
    report = recompute(recorder.path)
    session = Session.open(recorder.path)
    return {
        "refused": refused,
        "fault": recorder.fault.name,
        "text": recorder.fault_text,
        "whole": whole,
        "committed": report.committed,
        "given": tick + 1,
        "problems": report.problems,
        "exit_reason": session.commit.exit_reason,
        "stop_reason": session.row(-1).decision.stop_reason,
        "events": [event.text for event in session.events],
        "leftovers": sorted(path.name for path in recorder.path.iterdir() if path.name in ("staged", "reserve")),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), "tight" in sys.argv[2:])))
