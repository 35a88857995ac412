"""A worker's thread."""

import os
import threading

from engine.loops.worker import Worker


def test_a_worker_yields_to_others_and_never_takes_back_what_its_process_has_yielded() -> None:
    found: list[int] = []

    def once() -> None:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        seen.set()

    def started(nice: int) -> None:
        seen.clear()
        worker = Worker("worker", once, lambda name, error: None, nice=nice)
        worker.start()
        assert seen.wait(10.0)
        assert worker.end()

    def nicer() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        started(5)

    seen = threading.Event()
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    started(5)
    thread = threading.Thread(target=nicer)  # whose threads begin as it is
    thread.start()
    thread.join()
    assert found[0] == max(mine, 5)
    assert found[-1] >= 15
