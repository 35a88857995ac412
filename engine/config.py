"""Every setting, from four places in this order: defaults, a TOML file, the environment and .env, the command line."""

import difflib
import os
import re
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from engine.limits import Limits

ROBOTS = ("cosaw",)
TASKS = {"cosaw": ("saw",)}
POLICIES = ("compact", "scripted")
INSTRUCTION = "Saw through the log at the line with your partner."


class ConfigError(Exception):
    """A setting is unknown or out of range. The text is one sentence for the operator."""


class CameraSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    pixels: int = Field(128, ge=64, le=256, multiple_of=16, description="side of the square pictures the simulated cameras draw")
    hz: float = Field(8.0, ge=1, le=60, description="exposures a second, at most; each is followed by one inference")
    record: Literal["none", "lossless"] = "lossless"


class ConsoleSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    theme: Literal["dark", "light", "colour-blind", "monochrome"] = "dark"
    ascii: bool = False
    picture_hz: float = Field(1.0, ge=0, le=2, description="0 shows no picture")
    keymap: dict[str, str] = Field(default_factory=dict, description="binding id = keys, comma separated")


class Settings(BaseSettings):
    """The whole configuration; ``engine.limits.Limits`` holds the bounds of every number the arbiter uses."""

    model_config = SettingsConfigDict(
        env_prefix="SAWHORSE_", env_nested_delimiter="__", env_file=".env", extra="forbid", frozen=True, validate_default=True
    )

    robot: str = "cosaw"
    task: str = "saw"
    policy: str = "compact"
    instruction: str = Field(INSTRUCTION, min_length=1, max_length=200)
    device: str = "cpu"
    seed: int = Field(0, ge=0, le=2**31 - 1)
    record: bool = True
    store: Path = Path(platformdirs.user_data_dir("sawhorse")) / "sessions"
    demo: bool = False
    reattach: float = Field(600.0, ge=0, le=86400, description="s an engine waits for a console to come back")
    limits: Limits = Limits()
    camera: CameraSettings = CameraSettings()
    console: ConsoleSettings = ConsoleSettings()

    @field_validator("device")
    @classmethod
    def _known_device(cls, device: str) -> str:
        if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
            raise ValueError("use cpu, cuda or cuda:N")
        return device

    @field_validator("store", mode="before")
    @classmethod
    def _named_store(cls, store: Any) -> Any:
        if store == "":
            raise ValueError("name a folder")
        return store

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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {chosen} is not valid TOML: {error}.") from error


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    sections: dict[tuple[str | int, ...], list[str]] = {
        (): list(Settings.model_fields),
        ("limits",): [field.name for field in fields(Limits)],
        ("camera",): list(CameraSettings.model_fields),
        ("console",): list(ConsoleSettings.model_fields),
    }
    return sections.get(path[:-1], [])


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":
        return f"The settings under {where} contradict each other: {first['ctx']['error']}"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"Unknown setting {where!r}: {nearest(str(first['loc'][-1]), _known_keys(first['loc']))}"
    return f"The setting {where} = {first['input']!r} is not allowed: {_lowered(first['msg'].removeprefix('Value error, '))}."


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _check_environment() -> None:
    known = {name.upper() for name in Settings.model_fields}
    for variable in os.environ:
        if variable.startswith("SAWHORSE_"):
            head = variable.removeprefix("SAWHORSE_").split("__")[0]
            if head not in known:
                raise ConfigError(f"Unknown environment variable {variable}: {nearest(head, sorted(known))}")


def _environment() -> dict[str, Any]:
    return _merge(DotEnvSettingsSource(Settings)(), EnvSettingsSource(Settings)())


def load(flags: Mapping[str, Any], path: Path | None = None) -> Settings:
    """Resolve the settings; ``flags`` win, then the environment, then ``path`` (or the user's file). Raises ConfigError."""
    _check_environment()
    below = _read_file(path)
    try:
        settings = Settings(**_merge(_merge(below, _environment()), flags))
    except ValidationError as error:
        raise ConfigError(_sentence(error)) from error
    except SettingsError as error:
        what = str(error).splitlines()[0]
        raise ConfigError(f"The environment cannot be read: {what}; a section takes SAWHORSE_SECTION__NAME.") from error
    if settings.robot not in ROBOTS:
        raise ConfigError(f"Unknown robot {settings.robot!r}: {nearest(settings.robot, ROBOTS)}")
    if settings.task not in TASKS[settings.robot]:
        raise ConfigError(f"Unknown task {settings.task!r} for {settings.robot}: {nearest(settings.task, TASKS[settings.robot])}")
    if settings.policy not in POLICIES and not Path(settings.policy).is_dir():
        raise ConfigError(f"Unknown policy {settings.policy!r} (and no such folder): {nearest(settings.policy, POLICIES)}")
    return settings


def origins(flags: Mapping[str, Any], path: Path | None = None) -> dict[str, tuple[Any, str]]:
    """Every setting by dotted name, with its value and where it came from. Raises ConfigError."""
    resolved = _flatten(load(flags, path).model_dump(mode="python"))
    layers = [("flag", flags), ("environment", _environment()), (str(path or config_path()), _read_file(path))]
    return {
        name: (value, next((source for source, layer in layers if name in _flatten(layer)), "default")) for name, value in resolved.items()
    }


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
