"""Framing on the Unix socket between engine and consoles: 4-byte big-endian length, then msgpack of one message."""

import struct

import msgspec

from engine.messages import Intent, Report

MESSAGE_MAX = 4_000_000  #: bytes; anything longer is not ours

_LENGTH = struct.Struct(">I")
_intent_encoder = msgspec.msgpack.Encoder()
intent_decoder: msgspec.msgpack.Decoder[Intent] = msgspec.msgpack.Decoder(Intent)
report_decoder: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


class WireError(Exception):
    """The other end speaks something else."""


#: what unframing and decoding raise where it does: deep nesting and text that is no UTF-8 among it
UNREADABLE = (WireError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def framed(message: Intent | Report) -> bytes:
    body = _intent_encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Unframer:
    """Bytes in as they come, whole message bodies out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Raises WireError on a length no message of ours has."""
        self._buffer += data
        bodies = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MESSAGE_MAX:
                raise WireError(f"A message of {length} bytes announced; at most {MESSAGE_MAX} are taken.")
            if len(self._buffer) < _LENGTH.size + length:
                break
            bodies.append(bytes(self._buffer[_LENGTH.size : _LENGTH.size + length]))
            del self._buffer[: _LENGTH.size + length]
        return bodies
