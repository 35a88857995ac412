"""Isaac Lab beside the program: install, export-env, compare."""

from pathlib import Path

import click

from console.commands.common import Commands, fail, json_option, progress, put
from console.commands.isaac_compare import compare
from engine.exits import INTERRUPTED, NOT_CONNECTED, USAGE
from engine.unix_signals import interrupting


@click.group(cls=Commands)
def isaac() -> None:
    """Isaac Lab: have it installed ahead, give LeRobot its environments, compare it with so101-sim."""


isaac.add_command(compare)


@isaac.command()
@json_option
def install(as_json: bool) -> None:
    """Install what Isaac Lab's worker needs, about 5 GB, into an environment of its own; without this the first run does it.

    What is installed already is kept, so that after an interrupt the same command goes on.
    """
    import platformdirs

    from adapters.base import AdapterError
    from adapters.isaaclab import launch

    try:
        with interrupting():
            python = launch.install(Path(platformdirs.user_log_dir("sawhorse")) / "isaaclab.log", progress)
    except KeyboardInterrupt:
        fail("interrupted; the same command goes on with what is there.", INTERRUPTED)
    except AdapterError as error:
        fail(str(error), NOT_CONNECTED)
    except OSError as error:
        fail(f"{error.filename or 'Isaac Lab'} cannot be used: {error.strerror or error}.", NOT_CONNECTED)
    put({"python": str(python)}, as_json)


@isaac.command("export-env")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
@click.option("--force", is_flag=True, help="Write over an earlier export.")
@json_option
def export_env(folder: str, force: bool, as_json: bool) -> None:
    """Write DIR with the env.py that LeRobot's hub loader takes, all that it needs, and a README.md."""
    from adapters.base import AdapterError
    from adapters.isaaclab import export

    if not folder:
        fail("DIR is empty: give a folder, or . for this one.", USAGE)
    try:
        written = export.export(Path(folder), force)
    except AdapterError as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename or folder} cannot be written: {error.strerror or error}.", NOT_CONNECTED)
    put({"folder": folder, "files": [path.name for path in written]}, as_json)
