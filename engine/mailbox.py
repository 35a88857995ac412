"""A mailbox that keeps the newest value only, so that no reader can slow its writer."""

import threading


class Latest[T]:
    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._value: T | None = None
        self._count = 0

    def put(self, value: T) -> None:
        with self._condition:
            self._value = value
            self._count += 1
            self._condition.notify_all()

    def get(self) -> T | None:
        return self._value

    def wait_newer(self, count: int, timeout: float) -> tuple[T | None, int]:
        """The newest value put after number ``count``, and its own number; (None, ``count``) if none came within ``timeout`` s."""
        with self._condition:
            if not self._condition.wait_for(lambda: self._count > count, timeout):
                return None, count
            return self._value, self._count
