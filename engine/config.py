"""Every setting, from four places in this order: defaults, a TOML file, the environment and .env, the command line."""

import difflib
import json
import os
import re
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from inspect import getsource
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from engine import plain_names
from engine.isaaclab_settings import IsaacLabSettings
from engine.limits import Limits
from engine.policy import devices, hub
from engine.policy.errors import PolicyError
from engine.policy.mapping import from_json
from engine.so101_settings import Line, So101Settings
from engine.sources import Source, flattened, origin_of, overlaid, variable_of
from engine.tasks import INSTRUCTIONS, KINDS, ROBOTS, completed

POLICIES = ("compact", "scripted")
_TABLES = dict.fromkeys(("dict_type", "model_type", "dataclass_type"), "a table, {name = value, ...}")
_FORMS = {"tuple_type": "a list, [value, ...]", **_TABLES}  #: by pydantic's name for what is wrong
_FLAGS = {"camera.hz": "rate", "so101.cameras": "camera"}  #: settings whose flag is called otherwise
FORECASTS = ("shipped", "none")
THEMES = ("dark", "light", "colour-blind", "monochrome")  #: what the console ships


class ConfigError(Exception):
    """A setting is unknown or out of range. The text is one sentence for the operator."""


class CameraSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    pixels: int = Field(128, ge=64, le=256, multiple_of=16, description="side of the square pictures the simulated cameras draw")
    hz: float = Field(8.0, ge=3, le=60, description="exposures a second, at most; each is followed by one inference")
    record: Literal["none", "jpeg", "lossless"] = "lossless"


class EnsembleSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    members: tuple[str, ...] = Field((), max_length=15, description="beside the policy: folders, hub ids, or action experts' safetensors")
    samples: int | None = Field(None, ge=1, le=16, description="noise samples a member, for a checkpoint that brings no noise bank")
    dtype: Literal["", "float32", "bfloat16"] = Field("", description="nothing: float32 on the CPU, bfloat16 on CUDA")
    perturbed: int | None = Field(None, ge=1, le=3, description="perturbed passes an inference; nothing: 1 on the CPU, 3 on CUDA")


class ForecastSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(FORECASTS[0], min_length=1, description="shipped, none, or a folder that `sawhorse train forecast` wrote")


class ConsoleSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    theme: str = "dark"
    themes: dict[str, dict[str, str]] = Field(default_factory=dict, description="themes of one's own: colours by use, or based_on and some")
    ascii: bool = False
    picture_hz: float = Field(1.0, ge=0, le=2, description="0 shows no picture")
    keymap: dict[str, str] = Field(default_factory=dict, description="binding id = keys, comma separated")


class Settings(BaseSettings):
    """The whole configuration; ``engine.limits.Limits`` holds the bounds of every number the arbiter uses."""

    model_config = SettingsConfigDict(
        env_prefix="SAWHORSE_", env_nested_delimiter="__", env_file=".env", extra="forbid", frozen=True, validate_default=True
    )

    robot: str = ROBOTS[0]
    task: str = KINDS[ROBOTS[0]].tasks[0]
    policy: str = "compact"
    instruction: Line = Field(INSTRUCTIONS["saw"], min_length=1, max_length=200)
    device: str = "cpu"
    seed: int = Field(0, ge=0, le=2**31 - 1)
    record: bool = True
    store: Path = Path(platformdirs.user_data_dir("sawhorse")) / "sessions"
    body: Path | None = Field(None, description="a table of body regions in place of the shipped one")
    cell: Path | None = Field(None, description="a commissioned cell in place of the shipped one")
    demo: bool = False
    reattach: float = Field(600.0, ge=0, le=86400, description="s an engine waits for a console to come back")
    limits: Limits = Limits()
    camera: CameraSettings = CameraSettings()
    ensemble: EnsembleSettings = EnsembleSettings()
    forecast: ForecastSettings = ForecastSettings()
    so101: So101Settings = So101Settings()
    isaaclab: IsaacLabSettings = IsaacLabSettings()
    mapping: dict[str, Any] = Field(default_factory=dict, description="which cameras, readings and motions a foreign policy's are")
    console: ConsoleSettings = ConsoleSettings()

    @model_validator(mode="before")
    @classmethod
    def _of_the_robot(cls, given: Any) -> Any:
        return completed(given) if isinstance(given, Mapping) else given

    @field_validator("limits")
    @classmethod
    def _held_to_run(cls, limits: Limits, info: ValidationInfo) -> Limits:
        kind = KINDS.get(info.data.get("robot", ""))
        if kind is not None and kind.limits.get("hold_to_run") and not limits.hold_to_run:
            raise ValueError(f"hold_to_run must stay true on {info.data['robot']}, which senses nobody")
        return limits

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not devices.is_name(device):
            raise ValueError(devices.EXPECTED)
        return device

    @field_validator("mapping")
    @classmethod
    def _a_mapping(cls, mapping: dict[str, Any]) -> dict[str, Any]:
        if mapping:
            try:
                from_json(mapping, "it")
            except PolicyError as error:
                raise ValueError(str(error)) from error
        return mapping

    @field_validator("store", "body", "cell", mode="before")
    @classmethod
    def _named(cls, path: Any) -> Any:
        if path == "" or "\0" in str(path):
            raise ValueError("name a folder or a file")
        return path

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)  # ``load`` lays the others over each other, so that the environment wins over the file


def config_path() -> Path:
    return Path(platformdirs.user_config_dir("sawhorse")) / "config.toml"


def runs_path() -> Path:
    """Where each running engine keeps its socket, stop page and log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without a runtime folder of the session's own, the fallback is good enough
        return Path(platformdirs.user_runtime_dir("sawhorse")) / "runs"


def nearest(word: str, known: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """A hint for a mistyped word: the nearest known one, or all of them."""
    known = list(known)
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {match[0]!r}?" if match else f"known: {', '.join(known)}."


def _read_file(path: Path | None) -> dict[str, Any]:
    chosen = path or config_path()
    if path is None and not chosen.exists():
        return {}
    try:
        return tomllib.loads(chosen.read_text())
    except OSError as error:
        raise ConfigError(f"The configuration {chosen} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"The configuration {chosen} is not valid TOML: {error}.") from error


def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    sections: dict[tuple[str | int, ...], list[str]] = {
        (): list(Settings.model_fields),
        ("limits",): [field.name for field in fields(Limits)],
        ("camera",): list(CameraSettings.model_fields),
        ("ensemble",): list(EnsembleSettings.model_fields),
        ("forecast",): list(ForecastSettings.model_fields),
        ("so101",): list(So101Settings.model_fields),
        ("isaaclab",): list(IsaacLabSettings.model_fields),
        ("console",): list(ConsoleSettings.model_fields),
    }
    return sections.get(path[:-1], [])


def _sources(flags: Mapping[str, Any], path: Path | None) -> list[Source]:
    """Where settings may come from, the strongest first. Raises ConfigError."""
    try:
        file = DotEnvSettingsSource(Settings)
        environment, dotenv = _with_lists(EnvSettingsSource(Settings)()), _with_lists(_ours(file()))
    except SettingsError as error:
        what = str(error).splitlines()[0]
        raise ConfigError(f"The environment cannot be read: {what}; a section takes SAWHORSE_SECTION__NAME.") from error
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{Path('.env').resolve()} cannot be read ({error}): write it as UTF-8 text, or move it away.") from error
    sources = [
        Source(flags, lambda key: f"flag --{_FLAGS.get(key, re.sub(r'^(console|so101|isaaclab)[.]', '', key)).replace('_', '-')}"),
        Source(environment, lambda key: f"environment variable {variable_of(key)}"),
        Source(dotenv, lambda key: f"{variable_of(key)} in {Path('.env').resolve()}"),
        Source(_read_file(path), lambda key: str(path or config_path())),
    ]
    robot = next((str(one.values["robot"]) for one in sources if "robot" in one.values), "")
    spoken = {name.upper(): value or "" for name, value in file.env_vars.items()}
    try:
        plain = plain_names.source(os.environ, spoken, str(Path(".env").resolve()), robot, POLICIES)
    except plain_names.PlainNameError as error:
        raise ConfigError(str(error)) from error
    return [*sources[:-1], plain, sources[-1]]


def _ours(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What a .env file says to this program: the other lines are somebody else's."""
    return {key: value for key, value in variables.items() if key in Settings.model_fields or key.startswith("sawhorse_")}


def _with_lists(variables: Mapping[str, Any]) -> dict[str, Any]:
    """What variables hold, with lists that are written as JSON, ``[0.2, -0.5, 0.3]``, read."""
    read: dict[str, Any] = {}
    for key, value in variables.items():
        read[key] = _with_lists(value) if isinstance(value, Mapping) else value
        if isinstance(value, str) and value.startswith("["):
            with suppress(ValueError):
                read[key] = json.loads(value)
    return read


def _sentence(error: ValidationError, sources: list[Source]) -> str:
    first = error.errors()[0]
    path = first["loc"]
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    missing = first["type"] == "missing"
    given = takewhile(lambda part: isinstance(part, str), path[:-1] if missing else path)  # a list is given as a whole
    origin = origin_of(".".join(map(str, given)), sources)
    if path == ("limits",) and first["type"] == "value_error":
        rule = str(first["ctx"]["error"])
        origins_of = [(f"limits.{field.name}", field.name) for field in fields(Limits) if re.search(rf"\b{field.name}\b", rule)]
        where = "; ".join(f"{name} from {origin_of(dotted, sources)}" for dotted, name in origins_of)
        return f"The settings under limits contradict each other: {rule} ({where})."
    if path == ("so101",) and first["type"] == "value_error":
        return f"The settings under so101 contradict each other: {first['ctx']['error']}."
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known_keys(path)
        return f"Unknown setting {name!r} from {origin}: {nearest(str(path[-1]), known) if known else 'leave it out.'}"
    if missing:
        return f"The setting {name} is missing beside what {origin} gives: add it."
    range_ = permitted(path) or _FORMS.get(first["type"])
    why = f"it must be {range_}" if range_ else _lowered(first["msg"].removeprefix("Value error, "))
    return f"The setting {name} = {first['input']!r} from {origin} is not allowed: {why}."


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def permitted(path: tuple[str | int, ...]) -> str:
    """The range of the number at ``path`` in words, with its unit where one is noted; "" where it has none."""
    bounds: dict[str, float] = {}
    for one in _metadata(path):
        bounds |= {name: getattr(one, name) for name in ("ge", "gt", "le", "lt", "multiple_of") if getattr(one, name, None) is not None}
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "multiple_of": "a multiple of"}
    text = " and ".join(f"{words[name]} {bounds[name]:g}" for name in words if name in bounds)
    return f"{text} {_unit(path)}".strip() if text else ""


def _metadata(path: tuple[str | int, ...]) -> tuple[Any, ...]:
    """The annotations that bound the number at ``path``."""
    if path[:1] == ("limits",) and len(path) > 1:
        hint: Any = get_type_hints(Limits, include_extras=True).get(str(path[1]))
        if len(path) > 2 and isinstance(path[2], int):
            hint = get_args(hint)[path[2]]
        return get_args(hint)[1:]
    model: type[BaseModel] = Settings
    for part in path[:-1]:
        inner = model.model_fields[str(part)].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ()
        model = inner
    found = model.model_fields.get(str(path[-1]))
    return tuple(found.metadata) if found else ()


def _unit(path: tuple[str | int, ...]) -> str:
    """The unit that a limit's own comment begins with."""
    if path[:1] != ("limits",):
        return ""
    note = re.search(rf"^    {path[1]}: .*#: (m/s\^2|m/s|N m|N|m|s|J|W|rad)(?=[ ,]|$)", getsource(Limits), re.MULTILINE)
    return note[1] if note else ""


def _check_environment() -> None:
    known = {name.upper() for name in Settings.model_fields}
    for variable in os.environ:
        if variable.startswith("SAWHORSE_"):
            head = variable.removeprefix("SAWHORSE_").split("__")[0]
            if head not in known:
                raise ConfigError(f"Unknown environment variable {variable}: {nearest(head, sorted(known))}")


def _refuse_switches(tree: Mapping[str, Any], sources: list[Source]) -> None:
    """A limit is a number; pydantic would take true for one."""
    limits = tree.get("limits")
    for key, value in limits.items() if isinstance(limits, Mapping) else ():
        if isinstance(value, bool) and (range_ := permitted(("limits", key))):
            raise ConfigError(
                f"The setting limits.{key} = {value} from {origin_of(f'limits.{key}', sources)} is not allowed: it must be {range_}."
            )


def _known(name: str, value: str, words: tuple[str, ...], sources: list[Source], kind: str = "") -> None:
    if value not in words:
        raise ConfigError(f"Unknown {name} {value!r}{kind} from {origin_of(name, sources)}: {nearest(value, words)}")


def load(flags: Mapping[str, Any], path: Path | None = None) -> Settings:
    """Resolve the settings; ``flags`` win, then the environment, then ``path`` (or the user's file). Raises ConfigError."""
    from engine.commissioning import CommissioningError, cell_of

    _check_environment()
    sources = _sources(flags, path)
    merged: dict[str, Any] = {}
    for source in reversed(sources):
        merged = overlaid(merged, source.values)
    _refuse_switches(merged, sources)
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        raise ConfigError(_sentence(error, sources)) from error
    _known("robot", settings.robot, ROBOTS, sources)
    _known("task", settings.task, KINDS[settings.robot].tasks, sources, f" for {settings.robot}")
    _known("console.theme", settings.console.theme, (*THEMES, *settings.console.themes), sources)
    if not os.path.isdir(settings.policy) and not hub.is_id(settings.policy):
        _known("policy", settings.policy, POLICIES, sources, " (and no such folder)")
    if not os.path.isdir(settings.forecast.path):
        _known("forecast.path", settings.forecast.path, FORECASTS, sources, " (and no such folder)")
    try:
        cell_of(settings.robot, settings.body, settings.cell, settings.limits)
    except CommissioningError as error:
        raise ConfigError(str(error)) from error
    return settings


def origin(key: str, flags: Mapping[str, Any], path: Path | None = None) -> str:
    """Where the setting with that dotted name comes from, in words. Raises ConfigError."""
    return origin_of(key, _sources(flags, path))


def origins(flags: Mapping[str, Any], path: Path | None = None) -> dict[str, tuple[Any, str]]:
    """Every setting by dotted name, with its value and where it came from. Raises ConfigError."""
    resolved = flattened(load(flags, path).model_dump(mode="python"))
    sources = _sources(flags, path)
    return {name: (value, origin_of(name, sources)) for name, value in resolved.items()}
