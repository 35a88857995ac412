"""Reads what was written down when the cell was commissioned, the body table and the cell file, and refuses one that does not add up.

Both files hold redundant numbers on purpose (sums, products, what the robot's own model says too), so that a slip of the hand in one
of them shows. Nothing is clipped or repaired: a number out of its range, or one that contradicts another, is refused in one sentence.
"""

import math
import tomllib
from collections.abc import Mapping
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from adapters.mujoco import layout
from engine.limits import Limits
from engine.safety.cell import UNSENSED, Cell, Region
from engine.types import LINKS, PARTS

#: most that a table may permit: (N, Pa), quasi-static, ISO/TS 15066:2016, table A.2, the lowest of each region's points
STANDARD = {
    "skull": (130.0, 1.1e6),
    "face": (65.0, 1.1e6),
    "neck": (150.0, 1.4e6),
    "back": (210.0, 1.6e6),
    "chest": (140.0, 1.2e6),
    "abdomen": (110.0, 1.4e6),
    "pelvis": (180.0, 2.1e6),
    "upper arm": (150.0, 1.9e6),
    "forearm": (160.0, 1.8e6),
    "hand": (140.0, 1.9e6),
    "thigh": (220.0, 2.2e6),
    "lower leg": (130.0, 2.1e6),
}
REGIONS = tuple(STANDARD)  #: of ISO/TS 15066:2016, table A.2, in its order
UNTOUCHABLE = ("skull", "face")  #: no contact is permitted
AGREE = 0.01  #: two numbers that say the same differ by no more than this share of the larger
SAME_LENGTH = 1e-4  #: m


class CommissioningError(Exception):
    """A body table or a cell file cannot be used. The text is one sentence for the operator."""


class Range(NamedTuple):
    least: float
    most: float
    unit: str


_REGION = {
    "force": Range(10.0, 1000.0, "N"),
    "pressure": Range(1e5, 1e7, "Pa"),
    "transient": Range(0.0, 2.0, ""),
    "stiffness": Range(1e3, 1e6, "N/m"),
    "mass": Range(0.1, 100.0, "kg"),
    "transient_force": Range(0.0, 2000.0, "N"),
    "transient_energy": Range(0.0, 20.0, "J"),
    "contact_speed": Range(0.01, 10.0, "m/s"),
    "area": Range(1e-5, 1e-2, "m^2"),
}

_CELL: dict[str, dict[str, Range]] = {
    "person": {part.replace(" ", "_"): Range(0.02, 0.4, "m") for part in PARTS},
    "arm": {f"{a}_to_{b}": Range(0.02, 0.3, "m") for a, b in pairwise(LINKS)},
    "saw": {
        "blade_back": Range(0.05, 1.0, "m"),
        "blade_ahead": Range(0.05, 1.0, "m"),
        "blade_length": Range(0.1, 2.0, "m"),
        "blade_height": Range(0.01, 0.3, "m"),
        "handle_ahead": Range(0.05, 1.0, "m"),
        "handle_radius": Range(0.005, 0.05, "m"),
        "grip_area": Range(1e-4, 1e-2, "m^2"),
    },
    "cradle": {
        "middle": Range(0.2, 1.0, "m"),
        "half_width": Range(0.02, 0.5, "m"),
        "front": Range(0.2, 1.2, "m"),
        "stroke_reach": Range(0.02, 0.3, "m"),
        "handle_gap": Range(0.0, 1.0, "m"),
    },
    "mass": {
        "moving": Range(1.0, 200.0, "kg"),
        "payload": Range(0.1, 50.0, "kg"),
        "effective": Range(0.5, 200.0, "kg"),
    },
    "stopping": {
        "speed": Range(0.05, 2.0, "m/s"),
        "time": Range(0.005, 2.0, "s"),
        "distance": Range(0.001, 1.0, "m"),
        "deceleration": Range(0.1, 50.0, "m/s^2"),
    },
}


_HIGH = Range(0.05, 1.3, "m")
#: limits that a cell narrows whose partner holds the far end of the saw; one that ``engine.limits`` lets an arm on a table have
_WITH_PARTNER = {"tilt_max": Range(0.02, 0.3, "rad"), "workspace_min": _HIGH, "workspace_max": _HIGH}


def commissioned(body: Path | None, cell: Path | None, limits: Limits) -> Cell:
    """The simulated cell as it was commissioned, with its body table; None = the shipped file. Raises CommissioningError."""
    return load_cell(cell, load_body(body), limits)


def cell_of(robot: str, body: Path | None, cell: Path | None, limits: Limits) -> Cell:
    """The robot's cell: the saw's as commissioned; of the others nothing is known of a person, which bounds their speed and force.

    A partner holds the saw's far end, and nobody what another robot holds: only the saw gives way. Raises CommissioningError.
    """
    if robot == "cosaw":
        _bear_a_partner(limits)
        return commissioned(body, cell, limits)
    if limits.yields:
        raise CommissioningError(
            f"limits.stroke_yield = {limits.stroke_yield} m/s must be at most limits.rest_speed = {limits.rest_speed} m/s for the robot "
            f"{robot}: nobody holds the other end of its tool."
        )
    for name, path in (("body", body), ("cell", cell)):
        if path is not None:
            raise CommissioningError(f"The robot {robot} takes no {name} = {path}: it has no cell that is commissioned.")
    return UNSENSED


def load_body(path: Path | None) -> tuple[Region, ...]:
    """The body table in the order of ``REGIONS``. Raises CommissioningError."""
    file, tree = _read(path, "engine.safety", "body.toml")
    _keys(file, "", tree, ("region",))
    rows = tree["region"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CommissioningError(f"{file}: region must be a list of tables, one [[region]] each for {', '.join(REGIONS)}.")
    names = [row.get("name") for row in rows]
    for name in REGIONS:
        if names.count(name) != 1:
            raise CommissioningError(f"{file}: the region {name!r} is there {names.count(name)} times; every region must be there once.")
    unknown = [name for name in names if name not in REGIONS]
    if unknown:
        raise CommissioningError(f"{file}: there is no region {unknown[0]!r}; the regions are {', '.join(REGIONS)}.")
    return tuple(_region(file, rows[names.index(name)]) for name in REGIONS)


def _region(file: str, row: Mapping[str, Any]) -> Region:
    name = row["name"]
    where = f"region {name!r}, "
    _keys(file, where, row, ("name", *_REGION))
    v = _numbers(file, where, {key: value for key, value in row.items() if key != "name"}, _REGION)
    _equal(file, f"{where}transient", v["transient"], 0.0 if name in UNTOUCHABLE else 2.0, "the multiplier of this region is")
    peak = v["transient"] * v["force"]
    _equal(file, f"{where}transient_force", v["transient_force"], peak, "transient x force is", "N")
    _equal(
        file,
        f"{where}transient_energy",
        v["transient_energy"],
        peak**2 / (2.0 * v["stiffness"]),
        "transient_force^2 / (2 stiffness) is",
        "J",
    )
    speed = v["force"] / math.sqrt(v["mass"] * v["stiffness"])
    _equal(file, f"{where}contact_speed", v["contact_speed"], speed, "force / sqrt(mass x stiffness) is", "m/s")
    _equal(file, f"{where}area", v["area"], v["force"] / v["pressure"], "force / pressure is", "m^2")
    if not (v["force"] <= STANDARD[name][0] and v["pressure"] <= STANDARD[name][1]):
        most = f"{STANDARD[name][0]:g} N and {STANDARD[name][1]:g} Pa"
        raise CommissioningError(f"{file}: {where}force and pressure may be at most {most} (ISO/TS 15066:2016, table A.2).")
    return Region(name=name, force=v["force"], pressure=v["pressure"], transient=v["transient"], stiffness=v["stiffness"], mass=v["mass"])


def load_cell(path: Path | None, regions: tuple[Region, ...], limits: Limits) -> Cell:
    """The co-sawing cell with its person's sensor. Raises CommissioningError."""
    file, tree = _read(path, "adapters.mujoco", "cosaw.toml")
    _keys(file, "", tree, ("sensor", *_CELL))
    if tree["sensor"] is not True:
        raise CommissioningError(f"{file}: sensor = {tree['sensor']!r} must be true: this cell does not saw.")
    v: dict[str, dict[str, float]] = {}
    for section, ranges in _CELL.items():
        if not isinstance(tree[section], dict):
            raise CommissioningError(f"{file}: {section} = {tree[section]!r} must be a table [{section}].")
        _keys(file, f"{section}.", tree[section], tuple(ranges))
        v[section] = _numbers(file, f"{section}.", tree[section], ranges)
    _add_up(file, v)
    _agree_with_the_model(file, v)
    _keep_the_limits(file, v, limits)
    saw, mass = v["saw"], v["mass"]
    return Cell(
        person_sensor=True,
        part_radii=tuple(v["person"].values()),
        link_radii=tuple(v["arm"].values()),
        blade_back=saw["blade_back"],
        blade_ahead=saw["blade_ahead"],
        blade_height=saw["blade_height"],
        handle_ahead=saw["handle_ahead"],
        handle_radius=saw["handle_radius"],
        cradle_front=v["cradle"]["front"],
        moving_mass=mass["moving"],
        payload=mass["payload"],
        grip_area=saw["grip_area"],
        regions=regions,
    )


def _add_up(file: str, v: Mapping[str, Mapping[str, float]]) -> None:
    """The numbers that follow from others in the file."""
    saw, cradle, mass, stopping = v["saw"], v["cradle"], v["mass"], v["stopping"]
    _same(file, "saw.blade_length", saw["blade_length"], saw["blade_back"] + saw["blade_ahead"], "blade_back + blade_ahead is")
    _same(file, "cradle.front", cradle["front"], cradle["middle"] + cradle["half_width"], "middle + half_width is")
    near = cradle["middle"] - cradle["stroke_reach"] + saw["handle_ahead"] - saw["handle_radius"]
    _same(
        file,
        "cradle.handle_gap",
        cradle["handle_gap"],
        near - cradle["front"],
        "middle - stroke_reach + handle_ahead - handle_radius - front is",
    )
    # ISO/TS 15066:2016, A.3.4: half of the moving parts and the whole payload meet the person
    _equal(file, "mass.effective", mass["effective"], mass["moving"] / 2.0 + mass["payload"], "moving / 2 + payload is", "kg")
    _equal(
        file,
        "stopping.deceleration",
        stopping["deceleration"],
        stopping["speed"] ** 2 / (2.0 * stopping["distance"]),
        "speed^2 / (2 distance) is",
        "m/s^2",
    )
    if not stopping["distance"] <= stopping["speed"] * stopping["time"]:
        raise CommissioningError(
            f"{file}: stopping.distance = {stopping['distance']} m does not add up: in {stopping['time']} s from {stopping['speed']} m/s "
            f"it can be at most {stopping['speed'] * stopping['time']:.4g} m."
        )


def _agree_with_the_model(file: str, v: Mapping[str, Mapping[str, float]]) -> None:
    """What the robot's own model has too."""
    own = layout.cell()
    for key, value, expected in (
        *((f"person.{key}", value, radius) for (key, value), radius in zip(v["person"].items(), own.part_radii, strict=True)),
        *((f"arm.{key}", value, radius) for (key, value), radius in zip(v["arm"].items(), own.link_radii, strict=True)),
        ("saw.blade_back", v["saw"]["blade_back"], own.blade_back),
        ("saw.blade_ahead", v["saw"]["blade_ahead"], own.blade_ahead),
        ("saw.blade_height", v["saw"]["blade_height"], own.blade_height),
        ("saw.handle_ahead", v["saw"]["handle_ahead"], own.handle_ahead),
        ("saw.handle_radius", v["saw"]["handle_radius"], own.handle_radius),
        ("cradle.middle", v["cradle"]["middle"], layout.STROKE_X),
        ("cradle.half_width", v["cradle"]["half_width"], layout.CRADLE_HALF),
        ("cradle.stroke_reach", v["cradle"]["stroke_reach"], layout.STROKE_REACH),
    ):
        _same(file, key, value, expected, "the robot's own model has")
    for key, value, expected, unit in (
        ("mass.moving", v["mass"]["moving"], own.moving_mass, "kg"),
        ("mass.payload", v["mass"]["payload"], own.payload, "kg"),
    ):
        _equal(file, key, value, expected, "the robot's own model has", unit)


def _keep_the_limits(file: str, v: Mapping[str, Mapping[str, float]], limits: Limits) -> None:
    """What the arbiter's limits take for granted of the cell."""
    gap, stopping = v["cradle"]["handle_gap"], v["stopping"]
    if not gap >= limits.crush_gap:
        raise CommissioningError(f"{file}: cradle.handle_gap = {gap} m must be at least limits.crush_gap = {limits.crush_gap} m.")
    if not stopping["deceleration"] >= limits.braking:
        raise CommissioningError(
            f"{file}: stopping.deceleration = {stopping['deceleration']} m/s^2 must be at least limits.braking = {limits.braking} m/s^2, "
            "which the separation counts on."
        )


def _bear_a_partner(limits: Limits) -> None:
    """What somebody who holds the far end of the saw takes for granted of the limits."""
    if not limits.yields:
        raise CommissioningError(
            f"limits.stroke_yield = {limits.stroke_yield} m/s must be more than limits.rest_speed = {limits.rest_speed} m/s: the saw gives "
            "way to the partner who holds its far end."
        )
    for key, (least, most, unit) in _WITH_PARTNER.items():
        value = getattr(limits, key)
        height = value[2] if isinstance(value, tuple) else value
        if not least <= height <= most:
            name = f"limits.{key}" + "[2]" * isinstance(value, tuple)
            raise CommissioningError(
                f"{name} = {height} {unit} must be from {least:g} to {most:g} {unit}: a partner holds the saw's far end, above the floor."
            )


# --- reading and comparing ---


def _read(path: Path | None, package: str, name: str) -> tuple[str, dict[str, Any]]:
    """The file's name and its content; the shipped one where no path is given."""
    file = str(path) if path is not None else f"{package.replace('.', '/')}/{name}"
    try:
        text = path.read_text() if path is not None else (resources.files(package) / name).read_text()
        return file, tomllib.loads(text)
    except OSError as error:
        raise CommissioningError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise CommissioningError(f"{file!r} is not valid TOML: {error}.") from error


def _keys(file: str, where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Exactly these keys."""
    for key in known:
        if key not in table:
            raise CommissioningError(f"{file}: {where}{key} is missing.")
    for key in table:
        if key not in known:
            raise CommissioningError(f"{file}: {where}{key} is unknown; known: {', '.join(known)}.")


def _numbers(file: str, where: str, table: Mapping[str, Any], ranges: Mapping[str, Range]) -> dict[str, float]:
    """The numbers of a table in the order of ``ranges``, each within its own."""
    for key, (least, most, unit) in ranges.items():
        value = table[key]
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise CommissioningError(f"{file}: {where}{key} = {value!r} must be a number from {least:g} to {most:g} {unit}".rstrip() + ".")
    return {key: float(table[key]) for key in ranges}


def _equal(file: str, key: str, value: float, expected: float, why: str, unit: str = "") -> None:
    """Equal to 1 %."""
    if not abs(value - expected) <= AGREE * max(abs(value), abs(expected)):
        raise CommissioningError(f"{file}: {key} = {value:g} does not add up: {why} {expected:.4g} {unit}".rstrip() + ".")


def _same(file: str, key: str, value: float, expected: float, why: str) -> None:
    """The same length to a tenth of a millimetre."""
    if not abs(value - expected) <= SAME_LENGTH:
        raise CommissioningError(f"{file}: {key} = {value:g} m does not add up: {why} {expected:.4f} m.")
