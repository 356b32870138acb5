"""Texts as tokens: what the tokenizer may see, what a batch looks like, which blocks and masks there are."""

from pathlib import Path

import pytest
import torch

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.data.loading.hashing import sample_keys
from trainyard.data.loading.order import BatchOrder
from trainyard.data.loading.text_blocks import IGNORE, mask_tokens
from trainyard.data.loading.tokens import MASK, SEP, SPECIAL, UNK
from trainyard.data.text import Text
from trainyard.errors import UserError


def text(*words: str) -> Text:
    return instantiate(compose(["data=imdb", "run.dir=x", *words]).cfg.data, "data=imdb")


def ready(*words: str) -> Text:
    data = text(*words)
    data.prepare_data()
    data.setup("fit")
    return data


def test_the_tokenizer_never_sees_what_is_held_out(small_imdb: Path) -> None:
    data = ready("data.val_fraction=0.5")
    unknown = {s: sum((data.splits[s].inputs[torch.tensor([int(r)])] == UNK).sum() for r in data.splits[s].rows)
               for s in ("train", "val")}  # fmt: skip
    assert unknown["train"] == 0 and unknown["val"] > 0  # each review has a number of its own


def test_tokens_are_read_from_disk_the_second_time(small_imdb: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ready()
    monkeypatch.setattr(type(first), "texts", None)
    again = ready()
    rows = torch.arange(5)
    assert torch.equal(again.splits["train"].inputs[rows], first.splits["train"].inputs[rows])


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize("truncation", ["left", "right"])
def test_long_texts_lose_one_side_and_short_ones_are_padded(truncation: str, padding: str, small_imdb: Path) -> None:
    sides = [f"data.truncation_side={truncation}", f"data.padding_side={padding}"]
    data = ready("data.max_length=30", *sides)
    texts, _ = data.texts("train")
    whole = text("data.max_length=1000", *sides).encode(texts[:20])
    batch = data.splits["train"].inputs[torch.arange(20)]
    assert batch.shape == (20, 30)
    for row, full in zip(batch, whole, strict=True):
        full, row = full[full > 0], row[row > 0]
        assert torch.equal(row, full[-30:] if truncation == "left" else full[:30])
    short = batch[(batch == 0).any(dim=1)]
    assert len(short) and bool((short[:, 0 if padding == "left" else -1] == 0).all())


def test_new_texts_are_encoded_as_the_old_ones(small_imdb: Path) -> None:
    data = ready()
    texts, _ = data.texts("train")
    rows = torch.tensor([0, 25, 39])
    assert torch.equal(data.encode([texts[row] for row in rows]), data.splits["train"].inputs[rows])
    assert data.decode(data.encode(["A good film!"])[0]) == "a good film !"
    with pytest.raises(ValueError, match="contains no word"):
        data.encode(["<br />"])


def test_byte_pairs_give_every_text_back(small_imdb: Path) -> None:
    data = ready("data.tokenizer=bpe", "data.vocab_size=300")
    text = "Größe: 7 * 東京, isn't it?"
    assert data.decode(data.encode([text])[0]) == text


def test_batches_of_like_length_hold_every_sample_once() -> None:
    lengths = torch.arange(1000) * 7919 % 311
    order = BatchOrder(1000, 10, seed=3, shuffle=True, lengths=lengths)
    batches = [picked.index for picked in order]
    assert sorted(torch.cat(batches).tolist()) == list(range(1000))
    spread = torch.stack([lengths[batch].max() - lengths[batch].min() for batch in batches]).float().mean()
    assert spread < 30  # of 311; at random about 250
    order.seek(0, 40)
    assert torch.equal(next(iter(order)).index, batches[40])
    order.seek(1, 0)
    assert not torch.equal(next(iter(order)).index, batches[0])


def test_blocks_are_the_whole_text_one_token_ahead(small_imdb: Path) -> None:
    data = ready("data=imdb_lm", "data.max_length=16")
    samples = data.splits["train"]
    blocks = samples.inputs[torch.arange(len(samples))]
    tokens, targets = data.on_after_batch_transfer((blocks, samples.labels, None), 0)
    stream = samples.inputs.stream.long()
    assert torch.equal(targets[targets != IGNORE], stream[1:])
    assert torch.equal(tokens.flatten()[: len(stream) - 1], stream[:-1])
    assert (stream == SEP).sum() == 36  # reviews
    assert 1 < data.characters_per_token["train"] < 20


def test_masks_are_a_pure_function_of_the_sample_and_the_epoch() -> None:
    tokens = torch.randint(len(SPECIAL), 1000, (200, 100), generator=torch.Generator().manual_seed(0))
    tokens[:, :3] = torch.tensor([SEP, UNK, 0])
    keys = sample_keys(0, 0, torch.arange(200))
    masked, targets = mask_tokens(tokens, keys, 0.15, 1000)
    chosen = targets != IGNORE
    assert chosen.float()[:, 3:].mean().item() == pytest.approx(0.15, abs=0.01)
    assert not chosen[:, :3].any() and torch.equal(masked[~chosen], tokens[~chosen])
    assert torch.equal(targets[chosen], tokens[chosen])
    assert (masked[chosen] == MASK).float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert (masked[chosen] == tokens[chosen]).float().mean().item() == pytest.approx(0.1, abs=0.02)
    alone, _ = mask_tokens(tokens[7:8], keys[7:8], 0.15, 1000)
    assert torch.equal(alone[0], masked[7])
    assert not torch.equal(mask_tokens(tokens, sample_keys(0, 1, torch.arange(200)), 0.15, 1000)[0], masked)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.tokenizer=words", "tokenizer=words is unknown; choose one of word, bpe"),
        ("data.vocab_size=5", "vocab_size=5 is too small: tokenizer=word needs at least 6"),
        ("data.max_length=0", "max_length=0 must be at least 1"),
        ("data.padding_side=top", "padding_side=top must be left or right"),
        ("data.num_classes=3", "num_classes=3, but there are 2 classes: neg, pos"),
    ],
)
def test_wrong_values_are_refused(word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        text(word)


def test_a_review_that_is_missing_empty_or_not_utf8_is_named(imdb_root: Path, tmp_path: Path, monkeypatch) -> None:
    import shutil

    from trainyard.data import imdb

    monkeypatch.setattr(imdb, "REVIEWS", 20)
    shutil.copytree(imdb_root / imdb.FOLDER, tmp_path / imdb.FOLDER)
    file = tmp_path / imdb.FOLDER / "train" / "neg" / "0_7.txt"
    for content, message in ((b" \n", "0_7.txt is empty"), (b"a\xff", r"0_7.txt is not UTF-8 \(byte 1\)")):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            text(f"data.root={tmp_path}").prepare_data()
    file.unlink()
    with pytest.raises(FileNotFoundError, match="neg contains 19 of 20 reviews"):
        text(f"data.root={tmp_path}").prepare_data()
    with pytest.raises(FileNotFoundError, match=r"forbids a download. Put aclImdb_v1.tar.gz .*data=reviews"):
        text(f"data.root={tmp_path / 'none'}", "data.download=false").prepare_data()
