"""What runs in the worker processes: the episodes of some places of the board, in two groups that take turns."""

import pickle
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from engine import workers
from engine.collect.board import Board
from engine.collect.episode import Episode, Shared
from engine.collect.plan import CollectError, Outcome, Plan
from engine.policy.telling import Asked
from engine.session.layout import SessionError


class Turn(NamedTuple):
    """What a worker is told of one group."""

    told: dict[int, dict[str, float]]  #: places whose answers are on the board, and what the heads say there
    plans: dict[int, Plan]  #: to begin at other places


class Reply(NamedTuple):
    """What it answers."""

    asked: list[Asked]
    outcomes: dict[int, Outcome]  #: of the places whose episodes are over
    fatal: str = ""  #: why nothing more can be played


class Hands:
    """Episodes by their places."""

    def __init__(self, shared: Shared, board: Board, folder: Path) -> None:
        self._shared, self._board, self._folder = shared, board, folder
        self._episodes: dict[int, Episode] = {}
        self._plans: dict[int, Plan] = {}

    def turn(self, turn: Turn) -> Reply:
        """One round of each. What an episode raises ends it alone; SessionError and CollectError, which all would meet, pass through."""
        self._plans |= turn.plans
        asked: list[Asked] = []
        outcomes: dict[int, Outcome] = {}
        for place in (*turn.told, *turn.plans):
            try:
                outcome = self._played(place, turn.told.get(place))
                if outcome is None:
                    asked.append(self._episodes[place].asked())
                    continue
            except (SessionError, CollectError):
                raise
            except Exception as error:
                outcome = self._failed(place, error)
            outcomes[place] = outcome
            self._episodes.pop(place, None)
        return Reply(asked, outcomes)

    def _played(self, place: int, told: dict[str, float] | None) -> Outcome | None:
        if told is not None:
            return self._episodes[place].round(told)
        self._episodes[place] = Episode(self._plans[place], self._shared, self._board, place, self._folder / f"stop-{place}")
        return None

    def _failed(self, place: int, error: Exception) -> Outcome:
        episode = self._episodes.get(place)
        if episode is not None:
            episode.close(f"{type(error).__name__}: {error}")
        return Outcome(plan=self._plans[place], error=f"{type(error).__name__}: {error}")


def serve(connection: Connection, shared: Shared, board: Board, folder: Path) -> None:
    """Play at the other end of a pipe, ``Turn`` in and ``Reply`` out, pickled, until it is closed; stop pages lie in ``folder``."""
    workers.begin()
    with suppress(EOFError, ConnectionError):
        hands = Hands(shared, board, folder)
        while True:
            turn = pickle.loads(connection.recv_bytes())
            try:
                reply = hands.turn(turn)
            except CollectError as error:
                reply = Reply([], {}, str(error))
            except SessionError as error:
                reply = Reply([], {}, f"{str(error).partition(':')[0]}: make room, and go on with --resume.")
            connection.send_bytes(pickle.dumps(reply))
