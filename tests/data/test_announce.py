"""What a user waits for before a training starts is said."""

import logging
import re
import time
from pathlib import Path

import pytest

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.data.base import DataModule
from trainyard.data.loading import announce
from trainyard.data.loading.announce import announced


def data_of(*words: str) -> DataModule:
    return instantiate(compose(list(words)).cfg.data, "data")


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return found


@pytest.fixture(autouse=True)
def listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="trainyard")


def test_only_what_takes_long_is_announced(caplog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announce, "SLOW", 0.1)
    with announced("a moment"):
        pass
    with announced("a while"):
        time.sleep(0.3)
        assert messages(caplog) == ["a while"]
    assert re.fullmatch(r"done in 0\.[3-9] s", messages(caplog)[0])
    with pytest.raises(ValueError), announced("failing", at_once=True):
        raise ValueError
    assert messages(caplog) == ["failing"]


def test_texts_are_tokenized_once_and_that_is_said(text_root: Path, caplog) -> None:
    words = ["model=gru", "data=text_folder", f"data.root={text_root}", "data.classes=[bad,good]"]
    data = data_of(*words)
    data.prepare_data()
    first, done = messages(caplog)
    assert first == f"tokenizing 24 + 24 texts into {data.folder}, once" and done.startswith("done in ")
    data_of(*words).prepare_data()
    assert messages(caplog) == []


def test_decoding_many_images_is_said(image_root: Path, caplog, monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_of("model=mlp", "data=image_folder", f"data.root={image_root}")
    data.prepare_data()
    data.read("train")
    assert messages(caplog) == []  # it takes no two seconds
    monkeypatch.setattr(announce, "SLOW", 0)
    data.prepare_data()
    data.read("train")
    folder = image_root.resolve()
    said = [line for line in messages(caplog) if not line.startswith("done in ")]
    assert said == [f"checking 20 images of {folder}/test", f"decoding 20 images of {folder}/train into memory"]
