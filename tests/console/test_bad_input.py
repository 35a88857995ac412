"""Whatever a user can get wrong on the command line ends in one sentence and the documented exit code."""

import os
import pty
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from console.cli import main

SESSION = "20260101-000000-abcd"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        (tmp_path / name).mkdir(mode=0o700)
        monkeypatch.setenv(name, str(tmp_path / name))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["rn"], 2, "did you mean 'run'?"),
        (["sessions", "lst"], 2, "did you mean 'list'?"),
        (["run", "--headless", "--robot", "cosav"], 2, "did you mean 'cosaw'?"),
        (["run", "--headless", "--policy", "compat"], 2, "did you mean 'compact'?"),
        (["run", "--headless", "--task", "sow"], 2, "did you mean 'saw'?"),
        (["run", "--headless", "--device", "gpu"], 2, "use cpu, cuda or cuda:N"),
        (["run", "--headless", "--duration", "nan"], 2, "not a number of seconds"),
        (["run", "--headless", "--duration", "inf"], 2, "not a number of seconds"),
        (["run", "--headless", "--config", "bytes.toml"], 2, "not valid TOML"),
        (["run"], 2, "needs a terminal"),
        (["attach"], 2, "needs a terminal"),
        (["stop"], 3, "No engine is running"),
        (["replay", SESSION, "--verify"], 3, "no session"),
        (["sessions", "show", "folder/../folder"], 3, "not a session"),
        (["sessions", "verify", ""], 3, "Name a session"),
        (["sessions", "list", "--store", "file"], 3, "not a folder"),
        (["bench", "contrl"], 2, "did you mean 'control'?"),
        (["bench", "sim", "--members", "3"], 2, "--members belongs to `bench ensemble`"),
        (["screenshots", "file/x"], 3, "cannot be written"),
    ],
)
def test_bad_input_gets_one_sentence(arguments: list[str], code: int, words: str) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize("command", [["run"], ["attach"], ["replay", "recorded"]], ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("console", "words"),
    [
        (
            "[console.keymap]\nstop = ''",
            "The keymap from mine.toml cannot be used: 'stop' cannot be unbound: SPACE and Ctrl-Space always stop.",
        ),
        ("[console.keymap]\ngo = 'p'", "The keymap from mine.toml cannot be used: P is given to both 'go' and 'pause' on the live screen"),
        ("[console.keymap]\ngoo = 'p'", "The keymap from mine.toml cannot be used: no action is called 'goo'; did you mean 'go'?"),
        ("[console.keymap]\ngo = 'entr'", "The keymap from mine.toml cannot be used: 'go' is given 'entr', which is no key; did you mean"),
        (
            "[console.themes.mine]\ntext = '#ffffff'",
            "The theme from mine.toml cannot be used: the theme 'mine' lacks the colours background, ",
        ),
        ("[console.themes.mine]\nbased_on = 'dark'\ntext = 'red'", "has 'red' for 'text'; a colour is written as #rrggbb."),
        ("[console]\ntheme = 'drak'", "Unknown console.theme 'drak' from mine.toml: did you mean 'dark'?"),
    ],
)
def test_keys_and_themes_that_cannot_be_used_name_the_file(command: list[str], console: str, words: str, session: Path) -> None:
    Path("mine.toml").write_text(console + "\n")
    named = [str(session) if word == "recorded" else word for word in command]
    result = CliRunner().invoke(main, [*named, "--config", "mine.toml"])
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_session_that_cannot_be_opened_is_refused_before_the_screen(session: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(session, tmp_path / session.name)
    (damaged / "commit.json").write_text("{}")
    master, slave = pty.openpty()
    command = [sys.executable, "-c", "from console.cli import main; main()", "replay", str(damaged)]
    environment = {**os.environ, "TERM": "xterm-256color"}
    done = subprocess.run(command, stdin=slave, stdout=slave, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(master)
    os.close(slave)
    assert done.returncode == 3, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_theme_of_one_s_own_and_ascii_may_be_given_on_the_command_line() -> None:
    Path("mine.toml").write_text("[console.themes.mine]\nbased_on = 'light'\n")
    result = CliRunner().invoke(main, ["run", "--config", "mine.toml", "--theme", "mine", "--ascii"])
    assert "needs a terminal" in result.output
    result = CliRunner().invoke(main, ["attach", "--theme", "mine"])
    assert "Unknown console.theme 'mine' from flag --theme: " in result.output


def test_a_session_is_exported_once(session: Path) -> None:
    result = CliRunner().invoke(main, ["sessions", "export", str(session), "out.tar"])
    assert result.exit_code == 0, result.output
    assert tarfile.is_tarfile("out.tar")
    result = CliRunner().invoke(main, ["sessions", "export", str(session), "out.tar"])
    assert result.exit_code == 3
    assert "out.tar exists already" in result.output


@pytest.mark.parametrize("variable", ["SAWHORSE_LIMITS", "SAWHORSE_CAMERA", "SAWHORSE_STORE", "SAWHORSE_SEED"])
def test_a_bad_variable_gets_one_sentence(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "" if variable == "SAWHORSE_STORE" else "abc")
    result = CliRunner().invoke(main, ["config", "show"])
    assert result.exit_code == 2, result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "offered"),
    [("sawhorse do", {"doctor"}), ("sawhorse train f", {"forecast"}), ("sawhorse --robot cosaw --th", {"--theme"})],
)
def test_a_shell_completes_commands_and_options(words: str, offered: set[str]) -> None:
    place = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1), "_SAWHORSE_COMPLETE": "bash_complete"}
    done = CliRunner().invoke(main, env=place, prog_name="sawhorse")
    assert {line.removeprefix("plain,") for line in done.output.split()} == offered


def test_completion_names_the_program() -> None:
    done = CliRunner().invoke(main, ["completion", "zsh"])
    assert done.exit_code == 0
    assert "_SAWHORSE_COMPLETE" in done.output


def test_the_help_says_that_the_word_run_may_be_left_out() -> None:
    told = " ".join(CliRunner().invoke(main, ["--help"]).output.split())
    assert "The options of `run`, such as --robot, work without the word run too: see `sawhorse run --help`." in told
