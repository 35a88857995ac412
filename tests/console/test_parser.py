"""The parser: repeats, releases and the terminal's answers, in any split; nothing makes it raise."""

from hypothesis import given
from hypothesis import strategies as st
from textual import events

from console.parser import ConsoleParser, KeyboardFlags, KeyReleased, KeyRepeated, NameReport, StatusReport


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


STRINGS = [
    "\x1b_Gi=31;OK\x1b\\",
    "\x1bP1$r48;2;1;2;3m\x1b\\",
    "\x1b]11;rgb:0d/11/17\x07",
    "\x1b]4;1;kkk\x1b\\",
    "\x1b^gg\x1b\\",
    "\x1bXa\x18",
    "\x1b[6;16;8t",
    "\x1b[?62;4;22c",
]


@given(st.lists(st.sampled_from(STRINGS), max_size=4), st.data())
def test_nothing_of_an_answer_is_a_key_or_a_size_however_it_is_split(strings: list[str], data: st.DataObject) -> None:
    whole = "".join(strings) + "k"
    at = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    parser = ConsoleParser()
    found = [message for a, b in zip([0, *at], [*at, len(whole)], strict=True) if a < b for message in parser.feed(whole[a:b])]
    assert [message.key for message in found if not isinstance(message, NameReport)] == ["k"]  # type: ignore[attr-defined]


def test_a_string_that_never_ends_takes_no_key_for_good() -> None:
    clock = [0.0]
    parser = ConsoleParser(now=lambda: clock[0])
    assert list(parser.feed("\x1b_Gkk")) == []
    assert list(parser.feed("k")) == []
    clock[0] = 1.5
    (key,) = parser.feed("k")
    assert isinstance(key, events.Key)
    list(parser.feed("\x1b]" + "k" * 100_000))
    (key,) = parser.feed("g")
    assert isinstance(key, events.Key)


def test_an_escape_that_nothing_follows_is_the_escape_key() -> None:
    clock = [0.0]
    parser = ConsoleParser(now=lambda: clock[0])
    assert [*parser.feed("\x1b"), *parser.tick()] == []
    clock[0] = 0.2
    (key,) = parser.tick()
    assert isinstance(key, events.Key)
    assert key.key == "escape"


def test_an_answer_that_nobody_knows_swallows_no_key() -> None:
    name, key = parsed("\x1b[?62;22c\x1b[>1;10;0ck")
    assert isinstance(name, NameReport)
    assert isinstance(key, events.Key)
    assert key.key == "k"
    assert [message.key for message in parsed("\x1b[[A\x1b[Zk") if isinstance(message, events.Key)][-1] == "k"


def test_a_character_beyond_all_characters_does_not_end_the_parser() -> None:
    for sequence in ("\x1b[99999999999;1u", "\x1b[99999999999;1:1u", "\x1b[1114112;1:3u"):
        last = parsed(sequence + "k")[-1]
        assert isinstance(last, events.Key)
        assert last.key == "k"


@given(st.text(alphabet=st.sampled_from("\x1b[]P_\\?0123456789;:<Mu$ycABn~ kx\r"), max_size=60))
def test_no_sequence_makes_the_parser_raise(text: str) -> None:
    parsed(text)


def test_a_parameter_without_a_number_does_not_end_the_parser() -> None:
    last = parsed("\x1b[:A\x1b[107u")[-1]
    assert isinstance(last, events.Key)
    assert last.key == "k"
