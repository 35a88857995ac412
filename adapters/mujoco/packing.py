"""A tree of dataclasses as a row of floats, and back again without loss."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from itertools import islice
from operator import attrgetter
from typing import Any

Writer = Callable[[list[float], Any], None]


class Packing[T]:
    """How a value shaped as ``template`` is written: its fields in the order of their classes. Numbers, tuples and lists of a fixed
    length, dataclasses again; every list within one is as long as the template's."""

    def __init__(self, template: T) -> None:
        written = tuple(_written(template, ""))  # put together once, since every control tick packs a plant
        self._get: Callable[[T], tuple[Any, ...]] = attrgetter(*(path for path, _ in written))
        self._writers = tuple(write for _, write in written)
        self._read = _reader(template)
        self.size = len(self.append([], template))

    def append(self, out: list[float], value: T) -> list[float]:
        """``out`` with the value's numbers at its end."""
        for write, part in zip(self._writers, self._get(value), strict=True):
            write(out, part)
        return out

    def read(self, numbers: list[float]) -> T:
        """The value whose numbers these are."""
        value: T = self._read(iter(numbers))
        return value


def _written(like: Any, path: str) -> Iterator[tuple[str, Writer]]:
    """Every number, and every list of them, below a dataclass shaped as ``like``: where it is, and what appends it to a list."""
    for name in (f.name for f in fields(like)):
        value, at = getattr(like, name), f"{path}{name}"
        if is_dataclass(value):
            yield from _written(value, f"{at}.")
        elif not isinstance(value, (list, tuple)):
            yield at, list.append
        elif is_dataclass(value[0]):
            yield at, _extender(attrgetter(*(f.name for f in fields(value[0]))))
        else:
            yield at, list.extend


def _extender(get: Callable[[Any], tuple[float, ...]]) -> Writer:
    def extend(out: list[float], items: Any) -> None:
        for item in items:
            out += get(item)

    return extend


def _reader(like: Any) -> Callable[[Iterator[float]], Any]:
    """What takes a value shaped as ``like`` from a stream of floats; put together once, since training unpacks by the 100,000."""
    if isinstance(like, (list, tuple)) and like and all(isinstance(item, float) for item in like):
        many, kind = len(like), type(like)
        return lambda source: kind(islice(source, many))
    if isinstance(like, float):
        return next
    if is_dataclass(like) or isinstance(like, (list, tuple)):
        items = [getattr(like, f.name) for f in fields(like)] if is_dataclass(like) else like
        readers = [_reader(item) for item in items]
        if isinstance(like, (list, tuple)):
            whole = type(like)
            return lambda source: whole([read(source) for read in readers])
        made: Any = type(like)
        return lambda source: made(*[read(source) for read in readers])
    value = type(like)
    return lambda source: value(next(source))
