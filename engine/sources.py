"""Where settings come from: the places, one over the other, and which of them a setting was taken from."""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple


class Source(NamedTuple):
    """One of the places settings come from, and how it names a key."""

    values: Mapping[str, Any]  #: nested
    named: Callable[[str], str]


def variable_of(key: str) -> str:
    """The environment variable that sets a dotted key; a whole section may also be given in one."""
    variable = f"SAWHORSE_{key.replace('.', '__').upper()}"
    section = f"SAWHORSE_{key.split('.')[0].upper()}"
    return section if section in os.environ and variable not in os.environ else variable


def origin_of(key: str, sources: list[Source]) -> str:
    """Which of the sources a dotted key came from."""
    for source in sources:
        if any(name == key or name.startswith(f"{key}.") for name in flattened(source.values)):
            return source.named(key)
    return "default"


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = overlaid(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def flattened(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= flattened(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
