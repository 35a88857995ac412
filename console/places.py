"""Where each widget of the live and the replay screen stands, for every size of terminal."""

from dataclasses import dataclass

SMALLEST = (60, 20)


@dataclass(frozen=True, slots=True)
class Place:
    """Cells from the screen's upper left corner."""

    x: int
    y: int
    width: int
    height: int


def fits(width: int, height: int) -> bool:
    """Whether there is room for anything but the stop state."""
    return width >= SMALLEST[0] and height >= SMALLEST[1]


def live_places(width: int, height: int, *, strip: int = 0, why: bool = False) -> dict[str, Place]:
    """Widget ids to places. ``strip`` lines above the footer belong to a question (arming, leaving); they cover what is below them."""
    if not fits(width, height):
        return {"small": Place(0, 0, width, height)}
    places = _board(width, 3, height - 1, why)
    if strip:
        places = _over(places, Place(0, height - 1 - strip, width, strip), "strip")
    return places | _edges(width, height)


def replay_places(width: int, height: int, *, why: bool = False) -> dict[str, Place]:
    """The live places with two lines for the scrub bar above the footer."""
    if not fits(width, height):
        return {"small": Place(0, 0, width, height)}
    return _board(width, 3, height - 3, why) | _edges(width, height) | {"scrub": Place(0, height - 3, width, 2)}


def _edges(width: int, height: int) -> dict[str, Place]:
    return {"header": Place(0, 0, width, 1), "state": Place(0, 1, width, 2), "footer": Place(0, height - 1, width, 1)}


def _board(width: int, top: int, bottom: int, why: bool) -> dict[str, Place]:
    if width >= 110 and bottom - top >= 28:
        places = _wide(width, top, bottom)
        cover = Place(0, top, places["cut"].x, places["events"].y - top)
    else:
        places = _narrow(width, top, bottom)
        cover = Place(0, top, width, bottom - top)
    return _over(places, cover, "why") if why else places


def _wide(width: int, top: int, bottom: int) -> dict[str, Place]:
    """Three columns; the third holds the work and the picture."""
    height = bottom - top
    right = width // 3 if width < 140 else width * 2 // 5
    left = width - right
    first = left * 42 // 80
    upper = 13 if height < 40 else 17
    events = height - upper - (13 if height >= 40 else 11)
    middle = height - upper - events
    hold = 36 if left < 90 else 38
    cut = 13 if height < 40 else 15
    return {
        "score": Place(0, top, first, upper),
        "gains": Place(first, top, left - first, upper),
        "cut": Place(left, top, right, cut),
        "camera": Place(left, top + cut, right, height - cut),
        "signals": Place(0, top + upper, left, middle),
        "events": Place(0, bottom - events, left - hold, events),
        "hold": Place(left - hold, bottom - events, hold, events),
    }


def _narrow(width: int, top: int, bottom: int) -> dict[str, Place]:
    """Two columns: score and layers beside the limits; one line of signals; one line for the hold; events."""
    height = bottom - top
    events = max(3, min(height - 12, height * 3 // 10)) if height >= 18 else 3
    upper = height - events - 2
    first = max(min(42, width * 21 // 40), width - 60)
    gains = 6 if width - first < 34 else 8 if upper < 15 else min(13, upper - 6)
    places = {
        "score": Place(0, top, first, upper),
        "gains": Place(first, top, width - first, gains if upper - gains >= 3 else upper),
        "brief": Place(0, top + upper, width, 1),
        "holdline": Place(0, top + upper + 1, width, 1),
        "events": Place(0, bottom - events, width, events),
    }
    if upper - gains >= 3:
        places["cut"] = Place(first, top + gains, width - first, upper - gains)
    return places


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
