"""The engine's socket: intents in from consoles, telemetry and pictures out. Who does not read misses those.

One console holds control: the first that did not ask to be read-only. The others observe; they may stop, by the stop page
or by message, and nothing else. Control passes on only while the robot is disarmed, and only on purpose: its holder offers it and
another takes it, or nobody holds it and one that is attached takes it.
"""

import contextlib
import os
import selectors
import socket
import time
from pathlib import Path
from typing import Protocol

from engine.messages import Alive, Arm, Ended, Hello, Intent, Offer, Picture, Refused, Report, Starting, Stop, Take, Telemetry, WatchPicture
from engine.types import ModelState, Snapshot
from engine.wire import UNREADABLE, Unframer, framed, intent_decoder

TELEMETRY_HZ = 10.0
CONSOLES = 32  #: lines at once; more are turned away
BACKLOG_MAX = 64_000  #: bytes waiting for a console, beyond which it misses what it is sent


class Served(Protocol):
    """What the server needs of an engine."""

    def post(self, intent: Intent) -> None: ...
    def attached(self, console: str) -> None: ...
    def detached(self, console: str) -> None: ...
    def offered(self, offered: bool) -> None: ...
    def armed(self) -> bool: ...
    def heard(self, age: float) -> None: ...
    def snapshot(self) -> Snapshot | None: ...
    def starting(self) -> str: ...
    def picture(self, wish: WatchPicture) -> Picture | None: ...
    def stop(self, latched: bool) -> None: ...


class _Client:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.unframer = Unframer()
        self.backlog = bytearray()
        self.name = ""
        self.readonly = False
        self.controls = False
        self.wish = WatchPicture(camera="", width=0, height=0)
        self.pictured = 0.0
        self.doing = ""  #: what it was told last that the engine does to start

    def send(self, report: Report) -> None:
        """Nothing where too much waits already."""
        if len(self.backlog) <= BACKLOG_MAX:
            self.backlog += framed(report)


class Server:
    """Call ``once`` from one thread until done, then ``close``."""

    def __init__(self, path: Path, engine: Served, picture_hz: float) -> None:
        """Raises OSError if the socket cannot be made."""
        self._engine = engine
        self._picture_period = 1.0 / picture_hz if picture_hz > 0 else float("inf")
        self._path = path
        self._clients: dict[socket.socket, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(before)
        self._listener.listen(8)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._next_telemetry = 0.0
        self._sent_tick = 0
        self._offered = False  #: whoever holds control hands it on
        self.empty_since = time.monotonic()  #: when the last console left

    @property
    def consoles(self) -> int:
        return len(self._clients)

    def once(self) -> None:
        """Wait for what comes next, at most until telemetry is due, and deal with it."""
        wait = max(0.0, self._next_telemetry - time.monotonic())
        for key, events in self._selector.select(wait):
            connection = key.fileobj
            if connection is self._listener:
                self._accept()
            elif isinstance(connection, socket.socket) and connection in self._clients:
                client = self._clients[connection]
                if events & selectors.EVENT_READ:
                    self._receive(client)
                if events & selectors.EVENT_WRITE and connection in self._clients:
                    self._flush(client)
        if time.monotonic() >= self._next_telemetry:
            self._next_telemetry = max(self._next_telemetry + 1 / TELEMETRY_HZ, time.monotonic())
            self._telemetry()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # gone again, or the process has no room for it
        if len(self._clients) >= CONSOLES:
            connection.close()
            return
        connection.setblocking(False)
        self._clients[connection] = _Client(connection)
        self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, client: _Client) -> None:
        try:
            data = client.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        try:
            for body in client.unframer.feed(data):
                if client.connection not in self._clients:
                    return  # an answer to what came before met a closed line
                self._take(client, intent_decoder.decode(body))
        except UNREADABLE as error:
            client.send(Refused(text=f"Not understood, so the line was closed: {error}"))
            self._flush(client)
            self._drop(client)

    def _take(self, client: _Client, intent: Intent) -> None:
        match intent:
            case Hello() if client.name:
                client.send(Refused(text="This console has said hello already."))
            case Hello(console=name, readonly=readonly):
                client.name, client.readonly = name or "?", readonly
                if not readonly and self._holder() is None:
                    self._give(client)
                elif not readonly:
                    client.send(Refused(text="Another console holds control; this one observes and may stop."))
            case Alive(age=age):
                if client.controls:
                    self._engine.heard(age)
            case Stop(latched=latched):
                self._engine.stop(latched)
            case WatchPicture():
                client.wish = intent
            case Take():
                self._hand_over(client)
            case Offer() if client.controls:
                if self._engine.armed():
                    client.send(Refused(text="Control is handed on only while the robot is disarmed: D disarms."))
                else:
                    self._offer(not self._offered)
            case _ if client.controls:
                if isinstance(intent, Arm):
                    self._offer(False)
                self._engine.post(intent)
            case _:
                client.send(Refused(text="This console only observes: it may stop, and nothing else."))
        self._flush(client)

    def _holder(self) -> _Client | None:
        """Who holds control."""
        return next((client for client in self._clients.values() if client.controls), None)

    def _give(self, client: _Client) -> None:
        self._offer(False)
        client.controls = True
        self._engine.attached(client.name)

    def _offer(self, offered: bool) -> None:
        self._offered = offered
        self._engine.offered(offered)

    def _hand_over(self, client: _Client) -> None:
        holder = self._holder()
        if not client.name or client.readonly:
            client.send(Refused(text="This console asked to observe only; attach another one to control."))
        elif holder is client:
            client.send(Refused(text="This console holds control."))
        elif self._engine.armed():
            client.send(Refused(text="Control is taken only while the robot is disarmed."))
        elif holder is not None and not self._offered:
            client.send(Refused(text=f"{holder.name} holds control and has not offered it."))
        else:
            if holder is not None:
                holder.controls = False
                self._engine.detached(holder.name)
            self._give(client)

    def _telemetry(self) -> None:
        snapshot = self._engine.snapshot()
        if snapshot is None:
            self._start(self._engine.starting())
            return
        if not self._clients:
            return
        if snapshot.inputs.tick == self._sent_tick and snapshot.run.model_state != ModelState.LOADING:
            return  # a control loop that stands still must not look alive
        self._sent_tick = snapshot.inputs.tick
        telemetry = Telemetry(snapshot=snapshot)
        now = time.monotonic()
        for client in list(self._clients.values()):
            if not client.name:
                continue
            client.send(telemetry)
            if client.wish.camera and now - client.pictured >= self._picture_period and (picture := self._engine.picture(client.wish)):
                client.pictured = now
                client.send(picture)
            self._flush(client)

    def _start(self, doing: str) -> None:
        """Tell every console once what the engine does before there is anything to show."""
        for client in list(self._clients.values()):
            if client.name and doing != client.doing:
                client.doing = doing
                client.send(Starting(text=doing))
                self._flush(client)

    def _flush(self, client: _Client) -> None:
        try:
            while client.backlog:
                sent = client.connection.send(client.backlog)
                del client.backlog[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.backlog else 0)
        self._selector.modify(client.connection, wanted)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.connection, None) is None:
            return
        self._selector.unregister(client.connection)
        client.connection.close()
        if client.controls:
            self._offer(False)
            self._engine.detached(client.name)
        if not self._clients:
            self.empty_since = time.monotonic()

    def close(self, reason: str, exit_code: int) -> None:
        """Tell every console how it ended, and go."""
        for client in list(self._clients.values()):
            client.connection.setblocking(True)
            client.connection.settimeout(0.5)
            with contextlib.suppress(OSError):
                client.connection.sendall(client.backlog + framed(Ended(reason=reason, exit_code=exit_code)))
            client.connection.close()
        self._clients.clear()
        self._selector.close()
        self._listener.close()
        self._path.unlink(missing_ok=True)
