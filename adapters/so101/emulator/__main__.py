"""``python -m adapters.so101.emulator``: an emulated SO-101 as a process of its own, or a word to one that runs."""

import argparse
import json
import os
import signal
import sys
import threading
from typing import Any

from adapters.base import AdapterError
from adapters.so101.emulator.emulator import ARMS, Emulator
from adapters.so101.emulator.remote import attach, serve


def main() -> int:
    """0 after SIGTERM or Ctrl-C, or when told; 2 for what it does not understand, 3 where there is no arm to tell or none can be made."""
    parser = argparse.ArgumentParser(prog="python -m adapters.so101.emulator", description=__doc__)
    parser.add_argument("--arm", choices=ARMS, default="free", help="free touches nothing; cube is so101-sim's, at its table (MuJoCo)")
    parser.add_argument("--link", help="path under which the bus can be opened; one of its own if absent")
    parser.add_argument("--seed", type=int, default=0, help="what sets the table")
    parser.add_argument("--holding", action="store_true", help="begin with torque on, at the start; otherwise limp, folded back")
    parser.add_argument("--uncalibrated", action="store_true", help="begin with a new servo's registers")
    parser.add_argument("--attended", action="store_true", help="end when standard input does, as with the process that holds it")
    parser.add_argument("--tell", nargs="+", metavar=("PORT", "VERB"), help="tell a running one, as in: --tell PORT silent 3")
    options = parser.parse_args()
    try:
        return _tell(*options.tell) if options.tell else _run(options)
    except (AdapterError, OSError) as error:
        print(error, file=sys.stderr)
        return 3
    except (TypeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    ends = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # for every thread: the main one waits for them
    if options.attended:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    with Emulator(options.arm, options.link, options.seed, not options.uncalibrated, options.holding) as emulator:
        server = serve(emulator)
        print(emulator.port, flush=True)
        signal.sigwait(ends)
        server.shutdown()
        server.server_close()
    return 0


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _tell(port: str, verb: str = "joints", *words: str) -> int:
    with attach(port) as arm:
        result = arm.tell(verb, *(_value(word) for word in words))
        if result is not None:
            print(json.dumps(result))
    return 0


def _value(word: str) -> Any:
    try:
        return json.loads(word)
    except json.JSONDecodeError:
        return word


if __name__ == "__main__":
    sys.exit(main())
