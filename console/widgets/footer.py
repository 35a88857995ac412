"""The last line: the keys that do something now, and the recorder."""

from typing import ClassVar

from console.keymap import BINDINGS, Keymap, Scope, shown
from console.panel import Panel
from console.rows import Row, joined, width_of
from console.view import View
from console.widgets.events import recorder_spans

_KEYS = Keymap()
GROUPED = {"pull": "K/J/F", "force_up": "U/M/R"}  # one entry for keys that belong together
GROUP_LABEL = {"pull": "hold", "force_up": "force"}
_SKIPPED = {"push", "press", "force_down"}


def footer_rows(view: View, width: int, scope: Scope, keymap: Keymap = _KEYS) -> list[Row]:
    """What fits, in the order of importance; stops always."""
    right = recorder_spans(view) if scope == "live" else ()
    right = (*right, (" ", "text"))
    spans: Row = ((" ", "text"),)
    for binding in sorted((b for b in BINDINGS if b.footer and b.scope in (scope, "everywhere")), key=lambda b: b.footer):
        if binding.id not in view.possible or binding.id in _SKIPPED:
            continue
        keys = GROUPED.get(binding.id) or shown(keymap.keys[binding.id][0])
        label = GROUP_LABEL.get(binding.id, binding.label)
        role = "bad" if binding.id in ("stop", "stop_off") else "key"
        entry: Row = ((keys, role), (f" {label}  ", "dim"))
        if width_of(spans) + width_of(entry) + width_of(right) > width:
            continue
        spans += entry
    return [joined(spans, right, width)]


class Footer(Panel):
    FRAMED: ClassVar[bool] = False
    DEFAULT_CSS = "Footer { height: 1; }"

    def __init__(self, scope: Scope, keymap: Keymap, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._scope = scope
        self._keymap = keymap

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return footer_rows(view, width, self._scope, self._keymap)
