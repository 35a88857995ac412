"""The last line: the keys that do something now, and the recorder."""

from typing import ClassVar

from console.keymap import BINDINGS, Keymap, Scope, shown
from console.panel import Panel
from console.rows import Row, joined, width_of
from console.view import View
from console.widgets.events import recorder_spans

#: One entry for keys that belong together: the first one's id, all of them, the label.
GROUPS = {
    "pull": (("pull", "push", "press"), "hold"),
    "force_up": (("force_up", "force_down", "force_reset"), "force"),
    "joint_before": (("joint_before", "joint_after"), "choose"),
    "slower": (("slower", "faster"), "speed"),
    "tick_before": (("tick_before", "tick_after"), "tick"),
    "inference_before": (("inference_before", "inference_after"), "inference"),
    "stop_before": (("stop_before", "stop_after"), "stop"),
    "mark_before": (("mark_before", "mark_after"), "mark"),
    "second_back": (("second_back", "second_on"), "1 s"),
}
_SKIPPED = {name for names, _ in GROUPS.values() for name in names[1:]}


def footer_rows(view: View, width: int, scope: Scope, keymap: Keymap) -> list[Row]:
    """What fits, in the order of importance; stops always."""
    right = recorder_spans(view) if scope == "live" else ()
    right = (*right, (" ", "text"))
    spans: Row = ((" ", "text"),)
    for binding in sorted((b for b in BINDINGS if b.footer and scope in b.scopes), key=lambda b: b.footer):
        if binding.id not in view.possible or binding.id in _SKIPPED:
            continue
        names, label = GROUPS.get(binding.id, ((binding.id,), binding.label))
        label = "hold: go" if binding.id == "go" and view.limits.hold_to_run else label
        keys = "/".join(shown(keymap.keys[name][0]) for name in names if keymap.keys[name])
        role = "bad" if binding.id in ("stop", "stop_off") else "key"
        entry: Row = ((keys, role), (f" {label}  ", "dim"))
        if not keys or width_of(spans) + width_of(entry) + width_of(right) >= width:  # one cell stays free between left and right
            continue
        spans += entry
    return [joined(spans, right, width)]


class Footer(Panel):
    FRAMED: ClassVar[bool] = False

    def __init__(self, scope: Scope, keymap: Keymap, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._scope = scope
        self._keymap = keymap

    def content(self, view: View, width: int, height: int) -> list[Row]:
        return footer_rows(view, width, self._scope, self._keymap)
