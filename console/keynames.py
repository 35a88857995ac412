"""Names of keys as a keymap may write them, and as Textual gives them to a screen."""

import unicodedata
from collections.abc import Sequence

from textual.keys import KEY_NAME_REPLACEMENTS, REPLACED_KEYS, Keys, key_to_character

_MODIFIERS = ("alt", "ctrl", "hyper", "meta", "shift", "super")
_NAMED = frozenset(key.value for key in Keys if "+" not in key.value and key.value[0] != "<")
#: Names for what terminals without the kitty protocol send as one and the same byte.
_SAME = {"esc": "escape", "return": "enter", "ctrl+m": "enter", "ctrl+i": "tab", "ctrl+space": "ctrl+@", "ctrl+at": "ctrl+@"}


class KeyNameError(ValueError):
    """No key has that name."""


def canonical(name: str) -> str:
    """Textual's name of the key that ``name`` means: ``G`` is ``g``, ``/`` is ``slash``, ``Shift+Ctrl+G`` is ``ctrl+shift+g``.

    Raises KeyNameError.
    """
    if len(name) == 1:
        return _base(name)
    *modifiers, base = name.lower().split("+")
    if not set(modifiers) <= set(_MODIFIERS):
        raise KeyNameError(name)
    key = _base(base)
    if modifiers == ["shift"] and len(key) == 1:
        return key  # letters count whatever their case
    key = "+".join([*sorted(set(modifiers)), key])
    return _SAME.get(key, key)


def _base(name: str) -> str:
    name = _SAME.get(name, name)
    if name in _NAMED:
        return name
    character = name if len(name) == 1 else key_to_character(REPLACED_KEYS.get(name, name))
    if character is None or not character.isprintable():
        raise KeyNameError(name)
    if character.isalnum():
        return character.lower()
    named = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    named = KEY_NAME_REPLACEMENTS.get(named, named)
    return named if named == name else _base(named)  # a name that leads to no key is none


def stopped_by(key: str) -> str:
    """Which stop a canonical key raises by its bytes alone, whatever a keymap says: "stop", "stop_off" or "".

    With other modifiers too: terminals send Alt as an ESC before the byte, and the kitty protocol names the key itself.
    """
    *modifiers, base = key.split("+")
    if base == "space" or key.endswith("ctrl+@"):
        return "stop"
    return "stop_off" if base == "x" or (base == "c" and "ctrl" in modifiers) else ""


def known_names() -> Sequence[str]:
    """The names of keys that are more than one letter, for hints."""
    return sorted(_NAMED | {"slash", "minus", "plus", "comma", "full_stop", "equals_sign", "colon", "semicolon", "question_mark"})
