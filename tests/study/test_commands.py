"""The commands of the studies: what is mistyped is answered in a sentence, and a study of scenes already played is only told."""

import json
from pathlib import Path
from unittest.mock import Mock

import msgspec
import pytest
from click.testing import CliRunner

from console.cli import main
from engine import policy
from engine.study.harms import CONTACT
from engine.study.plan import LAYERS, Outcome, Plan, ablation_plans, safety_plans, sawing_plans

HERE = Path("here").resolve()


def written(out: Path, plans: list[Plan], **changes: object) -> Path:
    out.write_bytes(b"".join(msgspec.json.encode(Outcome(plan=plan, **changes)) + b"\n" for plan in plans))
    return out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["safety", "--without", "separaton"], 2, "did you mean 'separation'?"),
        (["safety", "--policy", "scriptd"], 2, "did you mean 'scripted'?"),
        (["sawing", "--device", "gpu"], 2, "use cpu, cuda or cuda:N"),
        (["policy", "--device", "tpu"], 2, "use cpu, cuda or cuda:N"),
        (["safety", "--policy", "scripted", "--out", "."], 3, "cannot be used"),
    ],
)
def test_bad_input_gets_one_sentence(arguments: list[str], code: int, words: str) -> None:
    result = CliRunner().invoke(main, ["evaluate", *arguments])
    assert result.exit_code == code, result.output
    assert words in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [["policy", "--seed", "-5"], ["policy", "--spread", "nan"], ["policy", "--spread", "inf"], ["sight", "--seconds", "nan"]],
)
def test_a_number_that_no_episode_can_have_is_a_mistake_of_usage(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, ["evaluate", *arguments])
    assert result.exit_code == 2
    assert f"Invalid value for '{arguments[1]}'" in result.output


@pytest.mark.parametrize(
    ("arguments", "work", "told"),
    [
        (
            ["train", "policy", "here"],
            "train.train",
            f"interrupted; the stages that finished are in {Path.cwd() / 'here.work'}, go on with the same command",
        ),
        (["train", "signals", "here"], "train.signals", "interrupted; here is as it was."),
        (["train", "sight", "here"], "seeing.train", "interrupted; here is as it was."),
        (["evaluate", "policy"], "evaluate.evaluate", "interrupted."),
        (["evaluate", "sight"], "judging.evaluate", "interrupted."),
        (["bench", "sim"], "", "interrupted."),
    ],
)
def test_an_interrupt_ends_in_one_sentence_that_says_what_was_kept(
    arguments: list[str], work: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("train", "seeing", "evaluate", "judging", "checkpoint"):
        monkeypatch.setattr(policy, name, Mock(), raising=False)
    monkeypatch.setattr(f"engine.policy.{work}" if work else "engine.bench.measure", Mock(side_effect=KeyboardInterrupt))
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 130
    assert result.output.startswith(f"sawhorse: {told}")
    assert len(result.output.splitlines()) == 1


def test_scenes_that_are_all_there_are_reported_without_playing(tmp_path: Path) -> None:
    out = written(tmp_path / "scenes.jsonl", safety_plans(3, 0, "scripted", "cpu"))
    asked = ["evaluate", "safety", "--scenes", "3", "--policy", "scripted", "--out", str(out), "--json"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 0, result.output
    tree = json.loads(result.stdout)
    assert (tree["policy"], tree["scenes"], tree["contacts"]) == ("scripted", 3, 0)
    assert tree["contacts_upper_95"] == round(1 - 0.05 ** (1 / 3), 5)
    written(out, safety_plans(3, 0, "scripted", "cpu"), harms={CONTACT: 1})
    assert CliRunner().invoke(main, asked).exit_code == 1


def test_each_layer_gets_a_row_and_so_do_nothing_and_all(tmp_path: Path) -> None:
    out = written(tmp_path / "scenes.jsonl", ablation_plans((*LAYERS, "all"), 1, 4, "scripted", "cpu"))
    asked = ["evaluate", "safety", "--without", "each", "--scenes", "1", "--seed", "4", "--policy", "scripted", "--out", str(out), "--json"]
    tree = json.loads(CliRunner().invoke(main, asked).stdout)
    assert [row["without"] for row in tree["rows"]] == ["nothing", *LAYERS, "all"]


def test_the_sawing_table_is_printed_for_people_too(tmp_path: Path) -> None:
    out = written(tmp_path / "scenes.jsonl", sawing_plans(2, 0, "scripted", "cpu"), depth_mm=10.0)
    result = CliRunner().invoke(main, ["evaluate", "sawing", "--seeds", "2", "--policy", "scripted", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "24.00 [24.00, 24.00]" in result.stdout
