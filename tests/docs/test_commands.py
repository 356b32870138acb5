"""Every command that README.md and docs/ show works: it is run in small, or its config is composed and checked.

A command is found by itself (commands.py). What can be neither is in UNCHECKED, with its reason.
"""

import re
import shlex
from pathlib import Path

import commands
import pytest
from commands import Command
from conftest import ROOT
from hydra.core.override_parser.overrides_parser import OverridesParser
from place import Place

from trainyard.cli.main import COMMANDS, make_parser, run_command
from trainyard.config.compose import compose
from trainyard.config.sweep_words import hydra_words
from trainyard.errors import UserError
from trainyard.training.job import prepare

UNCHECKED = {  # and why
    "source .venv/bin/activate": "of the shell; make train makes the file",
    'eval "$(trainyard -sc install=bash)"': "tests/cli/test_completion.py",
    "pip freeze": "pip's",
    "python -m trainyard": "the name of a program in a sentence",
    "trainyard COMMAND RUN ...": "the form of all commands",
    "MASTER_PORT=29511 torchrun ...": "a variable before any command",
    "python train.py resume=latest": "needs a run that was interrupted: tests/runs/test_resuming.py",
    "python train.py ... run.dir=here": "a word more for any command",
}
REFUSED = {"python train.py model=resnet19": "model=resnet19 is not an option. Did you mean resnet18"}
SOME_REFUSED = "das ist gut"  # an input of which the tokenizer knows no word, so that the exit code is 1
STAND_FOR = {"sweep=...": ["sweep=xor"], "experiment=...": [], "...": []}  # what dots are in the tests
YOURS = ["model=mlp", "data=shapes", "data.batch_size=4096"]  # and where they stand for a whole command
FLAGS = {"--help", "--cfg", "job", "--package", "optimizer", "-m", "--dry-run"}  # of Hydra's, and their values
STAYS = {"serve"}  # a command that ends when it is stopped; its own tests run it
SLOW = re.compile(r"trainyard (export|explain|generate)|.*(--robustness|like=|imdb_(bert|electra)_pretrain)")
# many, which differ in numbers, or repeat what other pages show
SLOW_PAGES = ("docs/results.md", "docs/sweeps.md", "docs/distributed.md", "docs/cookbook")
EVERY = [each for each in commands.commands() if each.page != "docs/extending.md"]  # tests/test_own.py trains those
ONCE = list({each.line: each for each in reversed(EVERY)}.values())[::-1]
ran: set[tuple[str, ...]] = set()  # commands that mean the same here as an earlier one
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, short: list[str]) -> Place:
    return Place(tmp_path_factory.mktemp("docs"), short)


@pytest.fixture
def place(made: Place, small_imdb: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The folder of small runs, as the current one."""
    monkeypatch.chdir(made.path)
    return made


def parameters() -> list:
    """The commands, the slow ones marked."""
    slow = [pytest.mark.slow]
    return [
        pytest.param(
            each, id=each.line, marks=slow if SLOW.match(each.line) or each.page.startswith(SLOW_PAGES) else []
        )
        for each in ONCE
    ]


@pytest.mark.parametrize("command", parameters())
def test_the_command_works(command: Command, request: pytest.FixtureRequest) -> None:
    if command.line in UNCHECKED:
        return
    if "data=hf_" in command.line:
        pytest.importorskip("datasets", reason="the extra datasets is not installed")
    words = shlex.split(command.line)
    while re.match(r"\w+=|sudo$", words[0]):
        words = words[1:]
    if "&" in words:  # in a shell script
        words = words[: words.index("&")]
    if train := words_of_training(words):
        composes(command.line, train[1:], request.getfixturevalue("place"))
    elif words[0] == "trainyard":
        runs(words[1:], request.getfixturevalue("place"))
    else:
        assert words[0] in OTHERS, f"nothing checks this kind of command: {command.line}"
        OTHERS[words[0]](words[1:])


def is_target(words: list[str]) -> None:
    """make TARGET ...: the Makefile has them."""
    targets = [word for word in words if "=" not in word]
    assert targets and all(re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) for target in targets)


def has_extra(words: list[str]) -> None:
    """pip install trainyard[NAME]: the extra is in pyproject.toml."""
    match = re.fullmatch(r"install trainyard\[(\w+)\]", " ".join(words))
    assert match and re.search(rf"^{match[1]} = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)


def shows_outputs(words: list[str]) -> None:
    """tensorboard --logdir outputs..."""
    assert words[0] == "--logdir" and words[1].startswith("outputs")


def asks_this_machine(words: list[str]) -> None:
    """curl ... http://127.0.0.1:PORT/...; the tests of serving ask a server."""
    assert re.match(r"http://(127\.0\.0\.1|localhost):", words[-1])


def is_benchmark(words: list[str]) -> None:
    """python benchmarks/NAME.py, which tests/benchmarks/test_benchmarks.py runs, or docs/NAME.py: options are known."""
    assert re.match(r"(benchmarks|docs)/\w+\.py$", words[0])
    text = (ROOT / words[0]).read_text()
    assert all(f'"{word}"' in text for word in words[1:] if word.startswith("--"))


OTHERS = {"make": is_target, "pip": has_extra, "tensorboard": shows_outputs, "curl": asks_this_machine,
          "python": is_benchmark}  # fmt: skip


def words_of_training(words: list[str]) -> list[str]:
    """train.py or train with what follows it, also under torchrun and srun; [] if the command trains nothing."""
    for i, word in enumerate(words):
        if word == "train.py" or words[i - 1 : i + 1] == ["trainyard", "train"]:
            return words[i:]
    return []


def composes(line: str, words: list[str], place: Place) -> None:
    """The config of the command (of -m: of its first job) can be composed, and passes every check before training."""
    words = hydra_words(words) if "-m" in words else words
    words_shown, words = words, [each for word in words if word not in FLAGS for each in STAND_FOR.get(word, [word])]
    if "..." in words_shown and not any(re.match("model=|experiment=|sweep=", word) for word in words):
        words = [*YOURS, *words]
    overrides = [first_choice(place.word(word)) for word in words]
    if "hardware.devices" in line or not line.startswith(("python", "trainyard")):
        overrides.append("check=true")  # without the machines that it is for
    if line in REFUSED:
        with pytest.raises(UserError, match=REFUSED[line]):
            compose(overrides)
        return
    prepare(compose(overrides))


def first_choice(word: str) -> str:
    """A sweep's override with its first value."""
    (override,) = OverridesParser.create().parse_overrides([word])
    if not override.is_sweep_override() or word.startswith("hydra."):
        return word
    value = re.sub(r"^(?:tag\(log, ?)?(?:int\()?(?:choice|interval|range)\(|\)+$", "", word.partition("=")[2])
    first = re.match(r"\[[^\]]*\]|[^,]+", value)
    assert first
    return f"{override.get_key_element()}={first[0]}"


def runs(words: list[str], place: Place) -> None:
    """The command ends without an error, in the folder of small runs; a synopsis names options that there are."""
    if len(words) == 1 or is_synopsis(words):
        names = [each.__name__.rpartition(".")[2] for each in COMMANDS]
        assert words[0] in [*names, "--help"]
        has_options(words)
        return
    here = [place.word(word) for word in words]
    if tuple(here) in ran:
        return
    ran.add(tuple(here))
    if words[0] in STAYS:
        make_parser().parse_args(here)
        return
    if words[0] == "rm":
        here = [*here, "--dry-run"]
    if words[:2] == ["plot", "augment"] and all("=" in word for word in words[2:]):
        here = [*here, "data=shapes", "data.size=200", "data.test_size=100"]
    try:
        run_command([word for word in here if word != "data=cifar10"])
    except SystemExit as end:
        assert end.code == 1 and SOME_REFUSED in words
    except UserError as error:
        assert words[0] == "rm" and "no run matches" in str(error)


def is_synopsis(words: list[str]) -> bool:
    """Whether the words have places for others: FILE|FOLDER, [--top 5], INPUT..."""
    return words[1].startswith("--") or any(
        re.search(r"\||^\[|^[A-Z]{4,}\.{3}$|^\.{3}$|^RUNS$", word) for word in words
    )


def has_options(words: list[str]) -> None:
    """Every option of a synopsis is in the command's help."""
    choices = next(iter(make_parser()._subparsers._group_actions)).choices  # pyright: ignore
    for option in re.findall(r"--[\w-]+", " ".join(words[1:])):
        assert option.replace("--no-", "--") in choices[words[0]].format_help().replace("--no-", "--")


def test_what_is_not_checked_is_still_shown() -> None:
    shown = {each.line for each in EVERY}
    assert set(UNCHECKED) | set(REFUSED) <= shown


def test_commands_are_found_wherever_they_are(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Run `make me` or\n\n    trainyard ls  # all\n    no command\n\n```\n$ python train.py a=b \\\n    c=d  # why\n"
        "out: make nothing\n```\n\n```python\nmake = 1\n```\n"
    )
    assert commands.of(page) == ["python train.py a=b c=d", "trainyard ls", "make me"]


UNRUN = "import numpy, onnxruntime"  # runs without Trainyard: tests/export/test_architectures.py has such processes
SNIPPETS = [
    pytest.param(text, id=f"{page.name} {i}", marks=[pytest.mark.slow] if "explain" in text else [])
    for page in commands.PAGES
    if page.name not in ("extending.md", "python.md")  # of files: tests/test_own.py; a notebook: test_notebook.py
    for i, (language, text) in enumerate(commands.FENCE.findall(page.read_text()))
    if language == "python" and not text.startswith(UNRUN)
]


@pytest.mark.parametrize("text", SNIPPETS)
def test_the_python_runs(text: str, place: Place) -> None:
    here = re.sub(r'"(outputs/[^"]*)"', lambda match: f'"{place.word(match[1])}"', text)
    short = here.replace('"trainer.max_epochs=100"', '"trainer.max_epochs=1", "hardware.threads=1"')
    exec(compile(f"import trainyard\n{short}", "docs", "exec"), {})
