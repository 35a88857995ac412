"""The store of recorded sessions: list, show, verify, repair, export, rm."""

import json
import sys
from pathlib import Path

import click

from console.commands.common import Commands, json_option, put, report_on, session_errors, session_path, settings_from, store_option


@click.group(cls=Commands)
def sessions() -> None:
    """The store of recorded sessions."""


@sessions.command("list")
@store_option
@json_option
def sessions_list(store: Path | None, as_json: bool) -> None:
    """Every session, newest first."""
    import msgspec

    from engine.session.store import sessions as summaries

    with session_errors():
        found = summaries(store or settings_from(None).store)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found)))
        return
    if not found:
        click.echo("No sessions yet. Record one with: sawhorse run")
    for one in found:
        state = "recording" if one.recording else one.exit_reason or "; ".join(one.problems)
        click.echo(
            f"{one.id:22} {one.robot:8} {one.policy or '-':10} {one.length_s:7.1f} s {one.ticks:8d} ticks {one.inferences:6d} inferences "
            f"{one.stops:3d} stops {one.failures:3d} failures {one.bytes / 1e6:7.1f} MB  {state}"
        )


@sessions.command("show")
@click.argument("session")
@store_option
@json_option
def sessions_show(session: str, store: Path | None, as_json: bool) -> None:
    """One session: what drove it, how long, how it ended, what it was told, and how well the two sawed together where there was a saw."""
    import msgspec

    from engine.session.figures import sawing
    from engine.session.layout import SessionError
    from engine.session.reader import Session
    from engine.session.store import summary

    path = session_path(session, store)
    tree = msgspec.to_builtins(summary(path))
    figures = {}
    try:
        if tree["ok"]:
            opened = Session.open(path)
            tree["instruction"] = opened.header.instruction
            if tree["ticks"] and opened.snapshot(tree["ticks"] - 1).saw.present:
                figures = msgspec.to_builtins(sawing(opened))
    except SessionError as error:
        tree["problems"].append(str(error))
    put(tree | ({"sawing": figures} if as_json else {f"sawing {name}": value for name, value in figures.items()}), as_json)
    sys.exit(0 if tree["ok"] else 1)


@sessions.command("verify")
@click.argument("session")
@store_option
@json_option
def sessions_verify(session: str, store: Path | None, as_json: bool) -> None:
    """Check that what is on disk is what was committed."""
    from engine.session.verify import verify

    with session_errors():
        report_on(verify(session_path(session, store)), as_json)


@sessions.command("repair")
@click.argument("session")
@store_option
@json_option
def sessions_repair(session: str, store: Path | None, as_json: bool) -> None:
    """Cut a session back to what was committed, and say what was lost."""
    from engine.session.repair import repair

    with session_errors():
        report_on(repair(session_path(session, store)), as_json)


@sessions.command("export")
@click.argument("session")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.tar")
@store_option
def sessions_export(session: str, out: Path, store: Path | None) -> None:
    """Write one session as one tar file, to take it elsewhere."""
    from engine.session.export import export

    path = session_path(session, store)
    with session_errors():
        size = export(path, out)
    click.echo(f"Exported {path} to {out}, {size / 1e6:.1f} MB.")


@sessions.command("rm")
@click.argument("session")
@store_option
@click.confirmation_option(prompt="Delete this session for good?")
def sessions_rm(session: str, store: Path | None) -> None:
    """Delete one session."""
    from engine.session.store import remove

    path = session_path(session, store)
    with session_errors():
        remove(path)
    click.echo(f"Deleted {path}.")
