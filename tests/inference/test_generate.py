"""From a prompt to texts, by a run, by the command and in TensorBoard."""

from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import trainyard
from trainyard.cli.main import run_command
from trainyard.errors import UserError


@pytest.fixture
def written(short: list[str], small_imdb: Path) -> trainyard.Run:
    """A GPT that has learned the stand-in's few sentences by heart."""
    limits = [word for word in short if not word.startswith("trainer.limit")]
    words = ["model=gpt", "model.dim=32", "model.depth=1", "model.ff_dim=64", "data=imdb_lm", "data.max_length=24"]
    return trainyard.train([*limits, *words, "optimizer.lr=1e-2", "trainer.max_epochs=8", "model.dropout=0"])


def test_a_language_model_continues_a_text(written: trainyard.Run, capsys) -> None:
    (text,) = written.generate("This film is", 6, top_k=1)
    assert text.startswith("This film is") and len(text) > len("This film is")
    drawn = [written.generate(count=3, seed=seed, temperature=2.0) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2] and len(drawn[0]) == 3
    run_command(["generate", str(written.path), "--prompt", "This film is", "--tokens", "6", "--top-k", "1"])
    assert capsys.readouterr().out == f"{text}\n"


def test_tensorboard_shows_what_it_writes_after_each_epoch(written: trainyard.Run) -> None:
    events = EventAccumulator(str(written.path)).Reload()
    tags = events.Tags()["tensors"]
    assert "samples/from nothing/text_summary" in tags and "samples/This film/text_summary" in tags
    texts = [event.tensor_proto.string_val[0].decode() for event in events.Tensors("samples/This film/text_summary")]
    assert len(texts) == 8 and all(text.startswith("This film") for text in texts)


def test_drawing_samples_leaves_the_training_as_it_is(short: list[str], small_imdb: Path) -> None:
    words = [*short, "model=gpt", "model.dim=16", "data=imdb_lm", "data.max_length=16"]
    runs = [trainyard.train([*words, *more]) for more in ([], ["callbacks.samples=null"])]
    first, second = (run.task("last").state_dict() for run in runs)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_cannot_generate_is_refused(run: trainyard.Run, written: trainyard.Run) -> None:
    with pytest.raises(UserError, match="MLP cannot continue texts as a GPT does; train one: model=gpt data=imdb_lm"):
        run.generate("A")
    with pytest.raises(UserError, match="so it .* of 150 tokens fills the network's context of 24 tokens; shorten it"):
        written.generate("so it is " * 30)
    with pytest.raises(UserError, match="top_p=2 must be in"):
        written.generate("This", 3, top_p=2)


def test_a_prompt_longer_than_the_datas_texts_is_continued_whole(written: trainyard.Run) -> None:
    prompt = "This film is good so it is"
    (text,) = trainyard.Run(written.path, ["data.max_length=8"]).generate(prompt, 3)
    assert text.startswith(prompt)


@pytest.mark.parametrize(
    ("tokenizer", "bad", "message"),
    [
        ("bpe", "\U0001f600" * 7, "of 28 tokens fills the network's context of 24 tokens; shorten it (it is left out)"),
        ("word", "  ", "callbacks.samples.prompts: the text '  ' contains no word (it is left out)"),
    ],
)
def test_a_prompt_that_cannot_be_continued_is_left_out(
    tokenizer: str, bad: str, message: str, short: list[str], small_imdb: Path, caplog
) -> None:
    words = [*short, "model=gpt", "model.dim=16", "model.depth=1", "data=imdb_lm", "data.max_length=24", "test=false",
             f"data.tokenizer={tokenizer}", "data.vocab_size=300"]  # fmt: skip
    run = trainyard.train([*words, f"callbacks.samples.prompts=[This film,'{bad}']"])
    warnings = [record.message for record in caplog.records if "callbacks.samples.prompts" in record.message]
    assert len(warnings) == 1 and message in warnings[0]
    tags = [tag for tag in EventAccumulator(str(run.path)).Reload().Tags()["tensors"] if tag.startswith("samples/")]
    assert tags == ["samples/This film/text_summary"]
