"""The doctor's checks in a process of their own: what they load and how long they take never holds up the screen or a key."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from console.doctor import Check, checks


class Checkup:
    """Iterate to hear what each check found, as it is found; a text says what is being looked at meanwhile."""

    def __init__(self, settings: Path) -> None:
        """``settings`` is a run's JSON file."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "console.checkup", str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that it cannot open the terminal, which is the screen's
        )
        self._closed = False

    def __iter__(self) -> Iterator[Check | str]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield msgspec.json.decode(line, type=Check | str)
        code = self._process.wait()
        if code and not self._closed:
            found = f"the checks ended early, with exit code {code}"
            yield Check(check="doctor", status="fail", found=found, advice="Run `sawhorse doctor` in a shell to see why.")

    def close(self) -> None:
        """End what is under way."""
        self._closed = True
        self._process.kill()


def main(settings: str) -> None:
    """Look, and write a line of JSON for each thing found."""
    from engine.config import Settings

    def tell(said: Check | str) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
        sys.stdout.buffer.flush()

    for check in checks(Settings.model_validate_json(Path(settings).read_text()), tell, with_terminal=False):
        tell(check)


if __name__ == "__main__":
    main(sys.argv[1])
