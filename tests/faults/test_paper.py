"""The settings that are tried out of range: every number there is, each refused by its own name."""

from engine.config import Settings
from engine.faults import paper
from engine.faults.paper import Place


def numbers(tree: object, place: Place = ()) -> set[Place]:
    """Where the numbers of the default settings stand."""
    if isinstance(tree, dict):
        return {found for key, value in tree.items() for found in numbers(value, (*place, key))}
    if isinstance(tree, list):
        return {found for i, value in enumerate(tree) for found in numbers(value, (*place, i))}
    return {place} if isinstance(tree, int | float) and not isinstance(tree, bool) else set()


def test_no_number_of_the_settings_is_left_out() -> None:
    """But for those of poses and macros, whose names are anybody's: tests/engine/test_so101_settings.py."""
    anybodys = (("so101", "poses"), ("so101", "macros"))
    known = {place for place in numbers(Settings().model_dump(mode="json")) if place[:2] not in anybodys}
    assert {place for place, _ in paper.out_of_range()} == known


def test_a_value_within_its_range_is_told_to_be_accepted() -> None:
    for place, value in ((("limits", "speed_max"), 0.4), (("limits", "workspace_min", 2), 0.31), (("camera", "pixels"), 80)):
        assert paper.complaint(place, value) == f"{paper.spelt(place)} = {value} was accepted"
