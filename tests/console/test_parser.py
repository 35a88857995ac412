"""The parser: repeats, releases and the terminal's answers, in any split; nothing makes it raise."""

from hypothesis import given
from hypothesis import strategies as st
from textual import events

from console.parser import ConsoleParser, KeyboardFlags, KeyReleased, KeyRepeated, StatusReport


def parsed(text: str, *, bytewise: bool = False) -> list[object]:
    parser = ConsoleParser()
    found: list[object] = []
    for part in text if bytewise else [text]:
        found += list(parser.feed(part))
    return found


def test_press_repeat_and_release_are_told_apart() -> None:
    for bytewise in (False, True):
        press, repeat, release = parsed("\x1b[107;1:1;107u\x1b[107;1:2;107u\x1b[107;1:3u", bytewise=bytewise)
        assert type(press) is events.Key
        assert press.key == "k"
        assert isinstance(repeat, KeyRepeated)
        assert repeat.key == "k"
        assert isinstance(release, KeyReleased)
        assert release.key == "k"


def test_arrows_and_page_keys_have_releases_too() -> None:
    assert [message.key for message in parsed("\x1b[1;1:3A\x1b[5;1:3~") if isinstance(message, KeyReleased)] == ["up", "pageup"]


def test_answers_are_taken_out_of_the_stream_of_keys() -> None:
    flags, status, key = parsed("\x1b[?27u\x1b[0nk")
    assert isinstance(flags, KeyboardFlags)
    assert flags.flags == 27
    assert isinstance(status, StatusReport)
    assert isinstance(key, events.Key)
    assert key.key == "k"


def test_legacy_keys_are_what_they_were() -> None:
    assert [message.key for message in parsed("g\x1b[A\t\r") if isinstance(message, events.Key)] == ["g", "up", "tab", "enter"]


@given(st.text(alphabet=st.sampled_from("\x1b[?0123456789;:uABn~ kx\r"), max_size=60))
def test_no_sequence_makes_the_parser_raise(text: str) -> None:
    parsed(text)


def test_a_parameter_without_a_number_does_not_end_the_parser() -> None:
    last = parsed("\x1b[:A\x1b[107u")[-1]
    assert isinstance(last, events.Key)
    assert last.key == "k"
