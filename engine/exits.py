"""Exit codes of the program, as its documentation lists them."""

CLEAN = 0
USAGE = 2
NOT_CONNECTED = 3
STOPPED = 4  #: ended in a stop
FAULT = 5  #: the engine failed, or was lost
INTERRUPTED = 130
