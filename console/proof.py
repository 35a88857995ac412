"""What the terminal's answers prove: up to which moment its keys have all arrived, and how much is still under way to it.

The stream to and from a terminal is ordered. So the answer to a status request proves that every key typed before the
terminal saw the request has arrived; and a key that arrives now was typed after the newest request answered so far went
out. That bounds every key's age, whatever buffers lie between. A lost answer makes later proofs older, never younger; an
answer to the request for the terminal's name, of another form, tells how many were lost.
"""

import math
import threading
from collections import deque
from dataclasses import dataclass, field

ASK_STATUS = "\x1b[5n"
ASK_NAME = "\x1b[c"
OVERDUE = 2.0  #: s without an answer after which the terminal's name is asked for too
QUEUEING = 0.1  #: s that what is under way may wait on its way
WINDOW = (1_000, 16_000)  #: bytes under way, at least and at most; the most is 0.16 MB/s at 0.1 s
HAND = (5, 16, 0.2)  #: keys in one read, keys within a time, s; a hand with two keys held down gives fewer
HAND_BYTES = 256  #: in one read, answers among them
QUIET = 0.15  #: s without a key that end a burst


@dataclass(frozen=True, slots=True)
class _Question:
    at: float  #: s, when it went out
    written: int  #: bytes up to its end
    acked: int  #: bytes that were known to have arrived then
    acked_at: float  #: s, since when
    name: bool  #: it asks for the terminal's name


@dataclass
class Proof:
    """Fed with what goes out by the thread that writes, and with what comes back by the thread that reads. Times are one clock's, in s."""

    proven_at: float = -math.inf  #: every key typed before has arrived
    floor: float = math.inf  #: s, the shortest way there and back so far
    late: float = 0.0  #: s, how much longer than that the newest answer took
    rate: float = math.inf  #: bytes/s that the line carries, by what has been late on it
    written: int = 0  #: bytes
    acked: int = 0  #: bytes known to have arrived
    _acked_at: float = 0.0
    _named_at: float = -math.inf
    _questions: deque[_Question] = field(default_factory=deque)
    _trips: deque[float] = field(default_factory=lambda: deque(maxlen=20))
    _both: threading.Lock = field(default_factory=threading.Lock)

    @property
    def answers(self) -> bool:
        """Whether the terminal has answered at all."""
        return self.proven_at > -math.inf

    def age(self, now: float) -> float:
        """s, the most that a key which arrives now can have been under way; 0 where nothing is known: the terminal never answers."""
        return max(0.0, now - self.proven_at) if self.answers else 0.0

    def owed(self, now: float) -> float:
        """s for which the oldest question that was not answered has been out."""
        with self._both:
            return max(0.0, now - self._questions[0].at) if self._questions else 0.0

    @property
    def trip(self) -> float:
        """s there and back that nine of ten of the newest answers kept within; 0 before the first."""
        kept = sorted(self._trips)
        return kept[(9 * len(kept)) // 10] if kept else 0.0

    @property
    def under_way(self) -> int:
        """Bytes written that are not known to have arrived."""
        return self.written - self.acked

    @property
    def window(self) -> float:
        """Bytes that may be under way: what arrives in the shortest way there and back and ``QUEUEING``."""
        return min(max(WINDOW[0], self.rate * (self.floor + QUEUEING)), WINDOW[1]) if self.answers else math.inf

    def begin(self) -> None:
        """The terminal is taken anew: what was asked before is answered no more."""
        with self._both:
            self._questions.clear()
            self.acked = self.written

    def wrote(self, count: int) -> None:
        """``count`` bytes go out."""
        with self._both:
            self.written += count

    def question(self, now: float) -> str:
        """The request to write next, taken as sent now: before it is written, so that its proof is rather too old than too young."""
        with self._both:
            questions = self._questions
            overdue = self.answers and bool(questions) and now - max(questions[0].at, self._named_at) > OVERDUE
            if overdue:
                self._named_at = now
            if not questions:
                self._acked_at = now
            for text in (ASK_STATUS, ASK_NAME) if overdue else (ASK_STATUS,):
                self.written += len(text)
                questions.append(_Question(now, self.written, self.acked, self._acked_at, text == ASK_NAME))
            return ASK_STATUS + ASK_NAME if overdue else ASK_STATUS

    def answered(self, now: float, *, name: bool = False) -> None:
        """An answer has arrived, to the oldest request of its kind; those before it were lost."""
        with self._both:
            questions = self._questions
            if not any(question.name == name for question in questions):
                return
            while (question := questions.popleft()).name != name:
                pass
            took = now - question.at
            self.floor = min(self.floor, took)
            self.late = took - self.floor
            self._trips.append(took)
            self.proven_at = max(self.proven_at, question.at)
            sample = (question.written - question.acked) / max(now - question.acked_at, 1e-4)
            self.rate = sample if self.late > QUEUEING else max(sample, self.rate)
            self.acked, self._acked_at = question.written, now


@dataclass
class Pace:
    """Tells a hand from a line that was held up, a paste or noise, by how many keys come at once."""

    _keys: deque[float] = field(default_factory=lambda: deque(maxlen=HAND[1]))
    _last: float = -math.inf
    _deaf: bool = False

    def too_many(self, keys: int, size: int, now: float, parsed: float = 0.0) -> bool:
        """Whether the ``keys`` in one read of ``size`` bytes, at ``now``, are no hand's. After a burst none counts until there was a pause.

        ``parsed`` is when they were understood: what is read next may have waited since then.
        """
        if not keys and size <= HAND_BYTES:
            return False
        if now - self._last >= QUIET:
            self._keys.clear()
            self._deaf = False
        crowded = len(self._keys) == HAND[1] and now - self._keys[0] < HAND[2]
        self._deaf = self._deaf or crowded or keys > HAND[0] or size > HAND_BYTES
        self._keys.extend([now] * min(keys, HAND[1]))
        self._last = max(now, parsed)
        return self._deaf
