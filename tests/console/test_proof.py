"""What the answers prove, on random lines: never more than is so, whatever waits on the way; and what a hand's keys are told by."""

import heapq
import math
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from console.pace import PART, parts
from console.proof import ASK_NAME, ASK_STATUS, HAND, OVERDUE, QUIET, WINDOW, Pace, Proof

delays = st.floats(0.0, 3.0)
steps = st.lists(st.tuples(st.floats(0.001, 0.4), st.sampled_from(["ask", "type", "write"]), delays, delays), max_size=80)


@dataclass
class Line:
    """An ordered line: what is sent arrives no earlier than what was sent before it."""

    arrives: float = 0.0
    under_way: list[tuple[float, int, object]] = field(default_factory=list)
    _count: int = 0

    def send(self, now: float, delay: float, what: object) -> None:
        self.arrives = max(self.arrives, now + delay)
        self._count += 1
        heapq.heappush(self.under_way, (self.arrives, self._count, what))

    def arrived(self, now: float) -> list[tuple[float, object]]:
        found = []
        while self.under_way and self.under_way[0][0] <= now:
            at, _, what = heapq.heappop(self.under_way)
            found.append((at, what))
        return found


@given(steps, st.sets(st.integers(0, 80), max_size=10))
def test_no_key_is_ever_older_than_the_proof_allows(script: list[tuple[float, str, float, float]], lost: set[int]) -> None:
    proof, there, back = Proof(), Line(), Line()
    now, asked = 0.0, 0
    for step, what, out, home in [*script, *[(0.5, "wait", 0.0, 0.0)] * 20]:
        now += step
        if what == "ask":
            for question in proof.question(now).replace(ASK_NAME, "N").replace(ASK_STATUS, "S"):
                there.send(now, out, question)
        elif what == "type":
            back.send(now, home, now)
        elif what == "write":
            proof.wrote(100)
        for at, question in there.arrived(now):
            asked += 1
            if asked not in lost:
                back.send(at, home, question)
        for at, arrived in back.arrived(now):
            if isinstance(arrived, float):
                assert at - arrived <= proof.age(at) + 1e-9 or not proof.answers
            else:
                before = proof.proven_at
                proof.answered(at, name=arrived == "N")
                assert before <= proof.proven_at <= at
        assert proof.under_way >= 0
        assert WINDOW[0] <= proof.window <= WINDOW[1] or not proof.answers


def test_a_key_counts_as_no_younger_than_the_newest_answer() -> None:
    proof = Proof()
    assert proof.age(50.0) == 0.0
    proof.question(10.0)
    proof.question(10.1)
    proof.answered(10.2)
    assert math.isclose(proof.age(15.0), 5.0)
    proof.answered(15.0)
    assert math.isclose(proof.age(15.0), 4.9)


def test_an_answer_that_nobody_asked_for_proves_nothing() -> None:
    proof = Proof()
    proof.answered(10.0)
    proof.answered(10.0, name=True)
    assert not proof.answers
    proof.question(11.0)
    proof.answered(11.01)
    proof.answered(20.0)
    assert proof.proven_at == 11.0


def test_lost_answers_are_made_good_by_one_of_another_form() -> None:
    proof = Proof()
    proof.question(1.0)
    proof.answered(1.01)
    for n in range(5):
        assert proof.question(2.0 + n / 10) == ASK_STATUS  # none of these is ever answered
    assert proof.question(2.0 + 2 * OVERDUE) == ASK_STATUS + ASK_NAME
    proof.answered(6.05)
    assert proof.proven_at == 2.0, "for all that is known the oldest"
    proof.answered(6.06, name=True)
    assert proof.proven_at == 2.0 + 2 * OVERDUE
    assert proof.under_way == 0


def drained(rate: float, trip: float, pieces: int) -> list[float]:
    """s that each part was under way on a line of ``rate`` bytes/s that takes ``trip`` there and back, written as room allows."""
    proof = Proof()
    now, free, found = 0.0, 0.0, []
    due: list[float] = []
    for _ in range(pieces):
        while due and proof.under_way and proof.under_way + PART > proof.window:
            now = max(now, due.pop(0))
            proof.answered(now)
        proof.wrote(PART)
        proof.question(now)
        free = max(free, now) + PART / rate
        due.append(free + trip)
        found.append(free + trip - now)
        if len(found) == 1:
            now = due.pop(0)
            proof.answered(now)
    return found


@given(st.floats(4_000.0, 2e6), st.floats(0.001, 0.15))
def test_once_a_line_was_late_what_is_under_way_waits_a_moment_at_most(rate: float, trip: float) -> None:
    assert max(drained(rate, trip, 120)[-40:]) <= trip + 0.35


def test_a_fast_line_is_filled_by_little_that_is_under_way() -> None:
    assert sum(drained(1e6, 0.1, 400)) / 400 < 0.2
    proof = Proof()
    assert proof.window == math.inf, "a terminal that never answers is not waited for"


@given(st.text(alphabet=st.sampled_from("\x1b[]_P\\;0189mHuk é\x07x"), max_size=3000))
def test_parts_are_the_text_and_none_is_large(text: str) -> None:
    assert "".join(parts(text)) == text


def test_no_part_ends_inside_a_sequence() -> None:
    picture = "\x1b_Gi=1;" + "A" * 900 + "\x1b\\"
    text = ("\x1b[38;2;124;207;138;48;2;13;17;23mword\x1b[0m" * 40 + picture) * 3
    for part in parts(text):
        assert part.startswith("\x1b") or part.startswith("word")
        assert part.count("\x1b_") == part.count("\x1b\\")
        assert not part.endswith(("\x1b", "["))
        assert len(part) <= max(PART, len(picture))


@given(st.lists(st.tuples(st.integers(1, 2), st.floats(1 / 30, 2.0)), max_size=60))
def test_a_hand_with_two_keys_held_down_is_never_taken_for_a_burst(reads: list[tuple[int, float]]) -> None:
    pace, now = Pace(), 0.0
    for keys, gap in reads:
        now += gap
        assert not pace.too_many(keys, 20 * keys, now)


@given(st.floats(0.0, 0.010))
def test_keys_that_trickle_in_faster_than_a_hand_types_are_a_burst_until_a_pause(gap: float) -> None:
    pace = Pace()
    obeyed = sum(not pace.too_many(1, 1, n * gap) for n in range(500))
    assert obeyed <= HAND[1]
    assert not pace.too_many(1, 1, 500 * gap + QUIET)


def test_many_keys_in_one_read_are_a_burst_with_what_follows_at_once() -> None:
    pace = Pace()
    assert pace.too_many(HAND[0] + 1, 6, 1.0)
    assert pace.too_many(1, 1, 1.0 + QUIET / 2)
    assert not pace.too_many(1, 1, 1.0 + 2 * QUIET)


def test_a_key_amid_many_bytes_is_no_hands() -> None:
    pace = Pace()
    assert pace.too_many(1, 4000, 1.0)
    assert pace.too_many(0, 4000, 1.1)
    assert pace.too_many(1, 1, 1.2), "the tail of it"
    assert not pace.too_many(1, 1, 1.5)
    assert pace.too_many(9, 9, 2.0, parsed=2.5)
    assert pace.too_many(1, 1, 2.55), "it waited while that was parsed"
