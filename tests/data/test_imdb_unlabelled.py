"""IMDB's reviews without labels: what they join, what they leave alone, and what is said where they are not there."""

import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.data import imdb
from trainyard.data.imdb import IMDB
from trainyard.data.imdb_lm import IMDBLM
from trainyard.data.imdb_mlm import IMDBMLM
from trainyard.data.loading.download import checksum
from trainyard.data.loading.tokens import SEP
from trainyard.errors import UserError
from trainyard.training.pretrained import check_tokenizer


def ready(root: Path, kind: type[IMDB] = IMDBMLM, **keys: Any) -> Any:
    labels = {"classes": ["neg", "pos"], "num_classes": 2} if kind is IMDB else {}
    common = {"vocab_size": 300, "max_length": 16, "batch_size": 4, "root": str(root), "download": False}
    data = kind(**{**common, **labels, **keys})
    data.prepare_data()
    data.setup("fit")
    return data


@pytest.fixture
def own(small_imdb: Path, tmp_path: Path) -> Path:
    """A copy of the stand-in that a test may damage."""
    shutil.copytree(small_imdb / imdb.FOLDER, tmp_path / imdb.FOLDER)
    return tmp_path


@pytest.mark.parametrize("kind", [IMDBMLM, IMDBLM])
def test_they_join_the_training_text_alone(kind: type[IMDB], small_imdb: Path) -> None:
    """Fails if one is validated on, if a labeled one changes its split, or if the tokenizer learns from them."""
    plain, without = ready(small_imdb, kind), ready(small_imdb, kind, strip_html=True)
    more = ready(small_imdb, kind, strip_html=True, unlabelled=True)
    count = {split: [int((data.splits[split].inputs.stream == SEP).sum()) for data in (plain, more)]
             for split in ("train", "val")}  # fmt: skip
    assert count == {"train": [36, 56], "val": [4, 4]}
    streams = [data.splits["val"].inputs.stream for data in (without, more)]
    assert torch.equal(*streams)  # the same reviews and the same ids
    head = without.splits["train"].inputs.stream
    assert torch.equal(more.splits["train"].inputs.stream[: len(head)], head)
    assert "curious" not in more.saved_tokenizer().get_vocab()  # a word of theirs alone
    assert len({data.folder for data in (plain, more, without)}) == 3
    half = ready(small_imdb, kind, strip_html=True, unlabelled=True, fraction=0.5)
    assert int((half.splits["train"].inputs.stream == SEP).sum()) == 28


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_tags_are_as_if_they_were_not_there(kind: str, small_imdb: Path, tmp_path: Path) -> None:
    """Texts of a copy without tags and of one with them are the same tokens; new texts and ids are treated alike."""
    text = "I know.<br /><br />But <i>this</i> film is bad, 1 < 2<br />It is"
    plain = "I know.But this film is bad, 1 < 2It is"
    keys = {"max_length": 99, "tokenizer": kind}
    kept, stripped = ready(small_imdb, IMDB, **keys), ready(small_imdb, IMDB, strip_html=True, **keys)
    assert torch.equal(stripped.encode([text]), kept.encode([plain]))
    assert not torch.equal(kept.encode([text]), kept.encode([plain]))
    assert torch.equal(stripped.encode([kept.texts("train")[0][3]]), stripped.splits["train"].inputs[torch.tensor([3])])
    more = ready(small_imdb, strip_html=True, unlabelled=True, tokenizer=kind)
    (tmp_path / "tokenizer.json").write_text(more.tokenizer_json())
    check_tokenizer(str(tmp_path), kept)  # one vocabulary: to be fine-tuned with tags or without
    with pytest.raises(UserError, match="has its own tokenizer"):
        check_tokenizer(str(tmp_path), ready(small_imdb, IMDB, split_seed=1, **keys))


def test_what_is_missing_is_counted(own: Path) -> None:
    (own / imdb.UNSUP / "3_0.txt").unlink()
    with pytest.raises(FileNotFoundError, match="unsup contains 19 of 20 reviews; unpack the whole archive"):
        ready(own, unlabelled=True)
    shutil.rmtree(own / imdb.UNSUP)
    with pytest.raises(FileNotFoundError, match=r"unsup contains 0 of 20 unlabelled .* forbids a .*\. Put aclImdb_v1"):
        ready(own, unlabelled=True)
    ready(own)  # which needs none of them


def test_the_folder_comes_from_the_archive_alone(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = own / "aclImdb_v1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(own / imdb.FOLDER, imdb.FOLDER)
    monkeypatch.setattr(imdb, "SHA256", checksum(archive))
    shutil.rmtree(own / imdb.UNSUP)
    kept = own / imdb.FOLDER / "train" / "neg" / "0_7.txt"
    kept.write_text("changed since")
    ready(own, unlabelled=True, strip_html=True)
    assert len(list((own / imdb.UNSUP).iterdir())) == 20 and kept.read_text() == "changed since"


def test_labels_are_not_asked_of_them_and_tags_go_by_default() -> None:
    def made(*words: str) -> Any:
        return instantiate(compose(["run.dir=x", "data.unlabelled=true", *words]).cfg.data, "data")

    with pytest.raises(UserError, match="unlabelled=true, but this data learns from labels"):
        made("data=imdb")
    assert made("data=imdb_lm").strip_html and not made("data=imdb_lm", "data.strip_html=false").strip_html


def test_copies_that_differ_in_their_tags_are_not_mixed(small_imdb: Path) -> None:
    with pytest.raises(ValueError, match=r"have lost their <br />, .*set data\.strip_html=true"):
        ready(small_imdb, unlabelled=True, strip_html=False)
