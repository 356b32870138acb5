"""The help of every command, and what mistyped words are answered, without waiting for torch."""

import re
import shlex
import subprocess
import sys

import pytest
from conftest import ROOT

from trainyard.cli.main import COMMANDS, make_parser, run_command
from trainyard.errors import UserError

NAMES = [command.__name__.rpartition(".")[2] for command in COMMANDS]


def test_help_lists_every_command() -> None:
    text = make_parser().format_help()
    assert all(re.search(rf"^ +{name}\s+\w", text, re.MULTILINE) for name in NAMES)


@pytest.mark.parametrize("words", [[name] for name in NAMES if name != "train"] + [["plot", "augment"]])
def test_every_command_explains_itself(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command([*words, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0 and text.startswith(f"usage: trainyard {' '.join(words)}")
    assert len(words) > 1 or f"examples:\n  trainyard {words[0]} " in text


@pytest.mark.parametrize("command", [name for name in NAMES if name != "train"])
def test_every_example_parses(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with its key=value after the options."""
    text = next(iter(make_parser()._subparsers._group_actions)).choices[command].epilog  # pyright: ignore
    lines = re.findall(r"^  trainyard (.*)$", text, re.MULTILINE)
    assert lines
    ran = []
    module = next(each for each in COMMANDS if each.__name__.endswith(command))
    monkeypatch.setattr(module, "run", ran.append)
    for line in lines:
        words = shlex.split(line)
        run_command(words)
        if command == "evaluate":
            run_command([words[0], words[1], "--split", "val", "a.b=1"])
            assert ran[-1].overrides == ["a.b=1"] and ran[-1].split == "val"
    assert len(ran) >= len(lines)


def test_help_and_mistakes_do_not_wait_for_torch() -> None:
    program = """
import sys
from trainyard.cli.main import main
for words in (["--help"], ["evaluate", "--help"], ["--version"], ["evalute"]):
    sys.argv[1:] = words
    try:
        main()
    except SystemExit as end:
        print(end.code, file=sys.stderr)
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version and f"trainyard {version[1]}" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["evalute"], "trainyard: evalute is unknown. Did you mean evaluate?"),
        (["plot", "activation"], "trainyard plot: activation is unknown. Did you mean activations or attention?"),
        (["plot"], "trainyard plot: the following arguments are required: FIGURE; see trainyard plot --help"),
        (["evaluate"], "trainyard evaluate: the following arguments are required: RUN; see"),
        (["evaluate", "x", "y"], "this command takes one run, and y is not a key=value"),
        (["evaluate", "x", "--splt", "val"], "trainyard: unrecognized arguments: --splt"),
        (["evaluate", "x", "--split", "val", "a.b=1", "--foo"], "trainyard: unrecognized arguments: --foo; see"),
        (["report", "x", "a=b", "--nto", "c"], "trainyard: unrecognized arguments: --nto"),
        (["generate", "x", "--tokens", "many"], "argument --tokens: invalid int value: 'many'"),
        (["plot", "activations", "data=xor"], "plot activations takes no argument but out=FILE.png, not data=xor"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        run_command(words)
    assert said in str(caught.value)


@pytest.mark.parametrize("words", ["--help", "report --help", f"report {ROOT}/tests/nowhere"])
def test_a_closed_pipe_ends_a_command_without_a_word(words: str) -> None:
    start = "import time; time.sleep(0.3); from trainyard.cli.main import main; main()"
    piped = f"({shlex.quote(sys.executable)} -c {shlex.quote(start)} {words} | true) 2>&1"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, timeout=60)
    assert done.stdout == "" if "nowhere" not in words else "contains no run" in done.stdout


def test_choices_that_the_parser_knows_without_torch_are_those_that_there_are() -> None:
    from trainyard.cli import explain, export, predict
    from trainyard.explain.methods import METHODS
    from trainyard.export.request import SUFFIXES
    from trainyard.inference.formats import FORMATTERS

    assert tuple(METHODS) == explain.METHODS and tuple(SUFFIXES) == export.FORMATS
    assert tuple(FORMATTERS) == predict.FORMATS
