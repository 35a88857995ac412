"""Where each widget of the screens stands, for every size of terminal."""

from dataclasses import dataclass

SMALLEST = (60, 20)
TABLE = 41  #: cells of the table of forecasts
BESIDE = 45  #: cells that the signals need beside it


@dataclass(frozen=True, slots=True)
class Place:
    """Cells from the screen's upper left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Occasion:
    """What of the run asks for a place of its own."""

    stopped: bool = False  #: a stop explains itself
    forecast: bool = False  #: there is a forecast to show
    asking: bool = False  #: it waits for an answer
    clearing: bool = False  #: a motion asks for something to be confirmed

    @property
    def banner(self) -> str:
        """The panel that asks the operator; "" = none does, or a stop comes first."""
        return "" if self.stopped else "asking" if self.asking else "clearance" if self.clearing else ""


NOTHING = Occasion()


def fits(width: int, height: int) -> bool:
    """Whether there is room for anything but the stop state."""
    return width >= SMALLEST[0] and height >= SMALLEST[1]


def state_lines(width: int) -> int:
    """Lines of the state bar: narrow screens give the sentences one more, so that none is cut."""
    return 2 if width >= 76 else 3


def live_places(width: int, height: int, *, strip: int = 0, page: str = "", occasion: Occasion = NOTHING) -> dict[str, Place]:
    """Widget ids to places. ``page`` covers the figures; an ``occasion`` gives what it asks for the place of something less needed.

    ``strip`` lines above the footer belong to a question (arming, leaving); they cover what is below them.
    """
    if not fits(width, height):
        return {"small": Place(0, 0, width, height)}
    places = _board(width, height - 1, page, occasion)
    if strip:
        places = _over(places, Place(0, height - 1 - strip, width, strip), "strip")
    return places | _edges(width, height)


def replay_places(width: int, height: int, *, page: str = "", occasion: Occasion = NOTHING) -> dict[str, Place]:
    """The live places with two lines for the scrub bar above the footer."""
    if not fits(width, height):
        return {"small": Place(0, 0, width, height)}
    return _board(width, height - 3, page, occasion) | _edges(width, height) | {"scrub": Place(0, height - 3, width, 2)}


def page_places(width: int, height: int) -> dict[str, Place]:
    """A page of one panel between the state and the footer."""
    if not fits(width, height):
        return {"small": Place(0, 0, width, height)}
    top = 1 + state_lines(width)
    return _edges(width, height) | {"page": Place(0, top, width, height - 1 - top)}


def _edges(width: int, height: int) -> dict[str, Place]:
    return {
        "header": Place(0, 0, width, 1),
        "state": Place(0, 1, width, state_lines(width)),
        "footer": Place(0, height - 1, width, 1),
    }


def _board(width: int, bottom: int, page: str, occasion: Occasion) -> dict[str, Place]:
    top = 1 + state_lines(width)
    if width >= 110 and bottom - top >= 28:
        roomy = width >= 150 and bottom - top >= 40
        places = (_roomy if roomy else _wide)(width, top, bottom, occasion.forecast)
        named = "stopped" if occasion.stopped else occasion.banner or "signals"
        places[named] = signals = places.pop("signals")
        cover = Place(0, top, places["camera"].x, places["events"].y - top)
        banner = Place(0, signals.y, cover.width, signals.height)
    else:
        places = _narrow(width, top, bottom, occasion)
        cover = Place(0, top, width, bottom - top)
        banner = Place(0, bottom - _banner(width), width, _banner(width))
    if page:
        places = _over(places, cover, page)
        if occasion.banner:
            places = _over(places, banner, occasion.banner)
    return places


def _banner(width: int) -> int:
    """Lines of a question across a small screen: its frame, what, why, and the answers."""
    return 6 if width >= 76 else 8


def _roomy(width: int, top: int, bottom: int, forecast: bool) -> dict[str, Place]:
    """Three columns: the layers, the chain, and the person, the account and the picture; every curve has room.

    A forecast stands beside the signals, under the chain.
    """
    right = width * 13 // 40
    first = (width - right) * 62 // 108
    left = width - right
    upper, signals, hold = 18, 13, 7
    lower = bottom - top - upper - signals
    places = {
        "score": Place(0, top, first, upper),
        "gains": Place(first, top, left - first, upper),
        "person": Place(left, top, right, 7),
        "energy": Place(left, top + 7, right, upper - 7),
        "signals": Place(0, top + upper, first if forecast else left, signals),
        "events": Place(0, top + upper + signals, first, lower),
        "cut": Place(first, top + upper + signals, left - first, lower),
        "camera": Place(left, top + upper, right, bottom - top - upper - hold),
        "hold": Place(left, bottom - hold, right, hold),
    }
    return places | ({"forecast": Place(first, top + upper, left - first, signals)} if forecast else {})


def _wide(width: int, top: int, bottom: int, forecast: bool) -> dict[str, Place]:
    """The same with shorter curves and the hold in one line; a forecast in one line too where the signals leave its table no room."""
    right, gains = max(31, width * 34 // 120), max(33, width * 34 // 120)
    left = width - right
    beside = forecast and left >= BESIDE + TABLE
    line = forecast and not beside
    upper, person = 13, 6
    height = bottom - top - upper - 1 - line
    signals = 8
    cut = left // 2
    places = {
        "score": Place(0, top, left - gains, upper),
        "gains": Place(left - gains, top, gains, upper),
        "person": Place(left, top, right, person),
        "energy": Place(left, top + person, right, upper - person),
        "signals": Place(0, top + upper, left - TABLE if beside else left, signals),
        "cut": Place(0, top + upper + signals, cut, height - signals),
        "events": Place(cut, top + upper + signals, left - cut, height - signals),
        "camera": Place(left, top + upper, right, height),
        "holdline": Place(0, bottom - 1, width, 1),
    }
    if line:
        places["foreseen"] = Place(0, bottom - 2, width, 1)
    return places | ({"forecast": Place(left - TABLE, top + upper, TABLE, signals)} if beside else {})


def _narrow(width: int, top: int, bottom: int, occasion: Occasion) -> dict[str, Place]:
    """Two columns, score and layers beside the chain; one line each for person, account, signals, forecast and hold; events.

    After a stop its explanation takes the chain's place, and the lines that matter while sawing make room for it, as for a question.
    """
    height = bottom - top
    first = max(min(42, width * 21 // 40), width - 60)
    if occasion.stopped:
        events = max(3, min(5, height - 13))
        upper = height - events - 1
        return {
            "score": Place(0, top, first, upper),
            "stopped": Place(first, top, width - first, upper),
            "personline": Place(0, top + upper, width, 1),
            "events": Place(0, bottom - events, width, events),
        }
    asking = _banner(width) if occasion.banner else 0
    events = 6 if height >= 18 and not asking else 5 if height >= 18 else 3
    small = ("holdline",) if height < 18 else ("personline", "holdline")
    lines = small if asking else ("personline", "workline", "brief", *(("foreseen",) if occasion.forecast else ()), "holdline")
    upper = height - events - len(lines) - asking
    gains = upper if upper < 16 else 13
    places = {"score": Place(0, top, first, upper), "gains": Place(first, top, width - first, gains)}
    if upper - gains >= 3:
        places["cut"] = Place(first, top + gains, width - first, upper - gains)
    if asking:
        places[occasion.banner] = Place(0, top + upper, width, asking)
    places |= {name: Place(0, top + upper + asking + i, width, 1) for i, name in enumerate(lines)}
    return places | {"events": Place(0, bottom - events, width, events)}


def _over(places: dict[str, Place], cover: Place, name: str) -> dict[str, Place]:
    """Widgets that the cover overlaps are shortened from their bottom, or left out where less than three lines stay."""
    result = {name: cover}
    for other, place in places.items():
        apart = (
            place.x + place.width <= cover.x
            or cover.x + cover.width <= place.x
            or place.y + place.height <= cover.y
            or cover.y + cover.height <= place.y
        )
        if apart:
            result[other] = place
        elif cover.y - place.y >= 3:
            result[other] = Place(place.x, place.y, place.width, cover.y - place.y)
    return result
