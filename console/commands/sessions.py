"""The store of recorded sessions: list, show, verify, repair, export, pack, rm."""

import json
import sys
from pathlib import Path

import click

from console.commands.common import (
    Commands,
    fail,
    json_option,
    progress,
    put,
    report_on,
    session_errors,
    session_path,
    settings_from,
    store_option,
    told,
)
from engine.exits import NOT_CONNECTED, USAGE


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
@click.argument("session", metavar="SESSION|DIR")
@click.option("--all", "everything", is_flag=True, help="Of a data set: read every array of every session, not of some.")
@store_option
@json_option
def sessions_verify(session: str, everything: bool, store: Path | None, as_json: bool) -> None:
    """Check that what is on disk is what was committed.

    Of a folder of collections also that the data set is sound: labels and events, seeds, leaks between the parts of the split, settings,
    signals.
    """
    import msgspec

    from engine.collect import verify as data
    from engine.collect.plan import CollectError
    from engine.session.verify import verify

    with told(session), session_errors():
        if not session or not data.is_data(Path(session)):
            report_on(verify(session_path(session, store)), as_json)
        try:
            found = data.verify(Path(session), everything, progress)
        except CollectError as error:
            fail(str(error), NOT_CONNECTED)
    click.echo(msgspec.json.encode(found).decode() if as_json else "\n".join(data.lines(found)))
    sys.exit(0 if found.ok else 1)


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


@sessions.command("pack")
@click.argument("folders", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="DIR...")
@click.argument("out", type=click.Path(path_type=Path), metavar="OUT.npz")
def sessions_pack(folders: tuple[Path, ...], out: Path) -> None:
    """Write collections' signals and labels as one small file.

    For --data of `train forecast` and `evaluate forecast`.
    """
    from engine.forecast.dataset import save
    from engine.forecast.gather import gather

    if out.suffix != ".npz":
        fail(f"OUT is {out}; expected a name that ends in .npz.", USAGE)
    with told(out):
        data, report = gather(folders, progress, fit=False)
        save(out, data)
    for reason, count in report.left_out.items():
        click.echo(f"Left out: {reason[0].lower()}{reason[1:]}: {count}.")
    click.echo(f"Packed {data.episodes} episodes, {data.rows} inferences, into {out}, {out.stat().st_size / 1e6:.1f} MB.")


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
