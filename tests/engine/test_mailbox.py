"""Only the newest value is kept, and silence is not a value."""

import threading

from engine.mailbox import Latest


def test_a_value_is_handed_out_once() -> None:
    box: Latest[str] = Latest()
    box.put("a")
    assert box.wait_newer(0, 0.0) == ("a", 1)
    assert box.wait_newer(1, 0.0) == (None, 1)


def test_a_slow_reader_gets_the_newest() -> None:
    box: Latest[int] = Latest()
    for value in range(5):
        box.put(value)
    assert box.wait_newer(0, 0.0) == (4, 5)


def test_a_waiting_reader_is_woken() -> None:
    box: Latest[str] = Latest()
    found: list[tuple[str | None, int]] = []
    reader = threading.Thread(target=lambda: found.append(box.wait_newer(0, 30.0)))
    reader.start()
    box.put("a")
    reader.join()
    assert found == [("a", 1)]
