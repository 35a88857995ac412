"""The screens, run in this terminal: options from the settings, and the exit code."""

import codecs
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from console.app import Options, Sawhorse
from console.link import SocketLink
from console.screens.live import LiveScreen
from console.theme import learn, palettes_from
from console.view import LIMITS
from engine import unix_signals
from engine.config import ConsoleSettings
from engine.exits import FAULT
from engine.limits import Limits
from engine.messages import Shutdown
from engine.runs import Run
from engine.stop import StopPage

END_WITHIN = 10.0  #: s the engine is given to commit and end


def speaks_unicode(file: TextIO | None) -> bool:
    """Whether what is written to ``file`` may hold more than ASCII."""
    return file is None or codecs.lookup(file.encoding).name == "utf-8"


def shown(app: Sawhorse) -> int:
    """Run it in this terminal; returns the exit code. The signals must be blocked: they are taken from here on."""
    unix_signals.watch(app.signalled)
    code = app.run(mouse=False)
    return FAULT if code is None else code  # it died without a word


def run_live(place: Run, *, readonly: bool, settings: ConsoleSettings, store: Path, limits: Limits = LIMITS) -> tuple[int, bool]:
    """The live console on a run's engine until the operator leaves. The first frame does not wait for the engine.

    Returns the exit code, and whether the engine ends too: it was told to, or has said that it does.
    Raises OSError where the run's stop page cannot be made or opened.
    """
    options = replace(options_from(settings, readonly=readonly, store=store, limits=limits), settings=place.settings)
    ends = False
    with StopPage(place.page, create=True) as page:
        link = SocketLink(place.socket, f"console-{os.getpid()}", readonly=readonly)
        app = Sawhorse(LiveScreen, link=link, stop_page=page, options=options)
        try:
            code = shown(app)
            ends = app.ends_engine and (app.engine_told or link.send_within(Shutdown(), END_WITHIN))
            if ends:
                link.wait_end(END_WITHIN)
                code = link.ended.exit_code if link.ended is not None else code
            ends = ends or link.ended is not None
        finally:
            link.close()
    return code, ends


def run_replay(path: Path, settings: ConsoleSettings) -> int:
    """The replay screen on a recorded session; returns the exit code.

    Raises engine.session.layout.SessionError where the session cannot be opened.
    """
    from console.screens.replay import ReplayScreen
    from engine.session.reader import Session

    session = Session.open(path)
    return shown(Sawhorse(lambda: ReplayScreen(session), options=options_from(settings)))


def options_from(settings: ConsoleSettings, *, readonly: bool = False, store: Path | None = None, limits: Limits = LIMITS) -> Options:
    """The screen's options from the configuration, whose own themes become known. Raises console.theme.ThemeError."""
    learn(palettes_from(settings.themes))
    return Options(
        theme=settings.theme,
        ascii_only=settings.ascii or not speaks_unicode(sys.__stdout__),
        readonly=readonly,
        camera="front" if settings.picture_hz > 0 else "",
        store=store,
        keymap=settings.keymap,
        limits=limits,
    )
