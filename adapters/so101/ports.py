"""Which serial port the arm is on: by what the USB adapters say of themselves, or by pulling the plug and looking again."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from adapters.base import AdapterError

#: (vendor, product): what boards for these servos are made with
ADAPTERS: Final = {
    (0x1A86, 0x55D3): "WCH CH343, as on the usual bus servo adapter",
    (0x1A86, 0x55D4): "WCH CH9102",
    (0x1A86, 0x7523): "WCH CH340",
    (0x10C4, 0xEA60): "Silicon Labs CP210x",
    (0x0403, 0x6001): "FTDI FT232",
}
#: what each system calls a serial port on USB: Linux, macOS, Windows
PATHS: Final = re.compile(r"/dev/tty(ACM|USB)\d+|/dev/(tty|cu)\.(usbmodem|usbserial|wchusbserial|SLAB_USBtoUART).*|COM\d+")


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port as the system describes it; the numbers are None where it is not on USB."""

    path: str
    vendor: int | None = None
    product: int | None = None
    name: str = ""
    serial: str = ""

    @property
    def adapter(self) -> str:
        """What it is known as, "" when it is not."""
        return ADAPTERS.get((self.vendor or 0, self.product or 0), "")

    def __str__(self) -> str:
        return f"{self.path} ({self.adapter or self.name or 'unknown'}{', ' + self.serial if self.serial else ''})"


def look() -> tuple[Port, ...]:
    """All serial ports there are now."""
    from serial.tools.list_ports import comports

    return tuple(Port(at.device, at.vid, at.pid, at.product or at.description or "", at.serial_number or "") for at in comports())


def found(ports: Iterable[Port]) -> tuple[Port, ...]:
    """Those an arm may be on: named like a port on USB and on USB, known adapters first, else by path."""
    likely = [port for port in ports if PATHS.fullmatch(port.path) and port.vendor is not None]
    return tuple(sorted(likely, key=lambda port: (not port.adapter, port.path)))


def only(ports: Iterable[Port]) -> Port:
    """The one port that an arm is on. Raises AdapterError when there is none, or more than one that could be it."""
    likely = found(ports)
    known = [port for port in likely if port.adapter]
    if len(likely) != 1 and len(known) != 1:
        if not likely:
            raise AdapterError("No serial port on USB is there: plug the arm in, or name its port with --port.")
        raise AdapterError(f"Several ports could be the arm's, name one with --port: {', '.join(map(str, known or likely))}.")
    return known[0] if known else likely[0]


def unplugged(before: Iterable[Port], after: Iterable[Port]) -> str:
    """The path that is gone. Raises AdapterError when none or several are."""
    return _one(before, after, "went away when the cable was pulled", "was it the arm's cable, and is it pulled out?")


def plugged(before: Iterable[Port], after: Iterable[Port]) -> str:
    """The path that came. Raises AdapterError when none or several did."""
    return _one(after, before, "came when the cable was plugged in", "is it plugged in, and does it carry data?")


def _one(more: Iterable[Port], less: Iterable[Port], happened: str, ask: str) -> str:
    changed = sorted({port.path for port in more} - {port.path for port in less})
    if not changed:
        raise AdapterError(f"No port {happened}: {ask}")
    if len(changed) > 1:
        raise AdapterError(f"{len(changed)} ports {happened} ({', '.join(changed)}): try again with nothing else plugged in or out.")
    return changed[0]
