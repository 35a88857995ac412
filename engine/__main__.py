"""The engine process: ``python -m engine RUN_FOLDER``. Blocks its signals before any import can start a thread."""

import logging
import os
import sys

from engine import unix_signals

unix_signals.block()
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from engine.host import main  # noqa: E402

code = main(sys.argv[1])
logging.shutdown()
os._exit(code)  # a thread left behind in torch would abort an orderly exit of the interpreter
