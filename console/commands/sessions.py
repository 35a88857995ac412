"""The store of recorded sessions: list, show, verify, repair, rm."""

import json
from pathlib import Path

import click

from console.commands.common import Commands, json_option, report_on, session_errors, session_path, settings_from, store_option


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
            f"{one.stops:3d} stops {one.bytes / 1e6:7.1f} MB  {state}"
        )


@sessions.command("show")
@click.argument("session")
@store_option
@json_option
def sessions_show(session: str, store: Path | None, as_json: bool) -> None:
    """One session: what drove it, how long, how it ended."""
    from engine.session.store import summary

    with session_errors():
        report_on(summary(session_path(session, store)), as_json)


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
