import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.image_folder import ImageFolder
from trainyard.data.loading.decode import decode_file
from trainyard.errors import UserError
from trainyard.runs.origin import check_same_data


def folder(root: Path, *words: str) -> ImageFolder:
    config = ["data=image_folder", f"data.root={root}", "data.shape=[3,16,16]", "run.dir=x", *words]
    return instantiate(resolve(compose(config)).data, "data")


@pytest.mark.parametrize("memory", [0, 1 << 30])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_any_size_are_read(image_root: Path, memory: int, channels: int) -> None:
    words = [f"data.shape=[{channels},16,16]", f"data.in_memory_bytes={memory}"]
    data = folder(image_root, *words)
    data.prepare_data()
    data.setup("test")
    inputs, labels, _ = next(iter(data.test_dataloader()))
    assert inputs.shape == (20, channels, 16, 16) and inputs.dtype == torch.uint8
    assert (inputs[labels == 0] < 60).all() and (inputs[labels == 1] > 180).all()


def test_a_validation_folder_is_the_validation_split(image_root: Path) -> None:
    shutil.copytree(image_root / "test", image_root / "val")
    data = folder(image_root)
    data.setup("fit")
    assert (len(data.splits["train"]), len(data.splits["val"])) == (20, 20)


def test_without_one_it_is_cut_out_of_train(image_root: Path) -> None:
    data = folder(image_root, "data.val_fraction=0.2")
    data.setup("fit")
    assert (len(data.splits["train"]), len(data.splits["val"])) == (16, 4)


@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_a_broken_file_is_named(image_root: Path, memory: int) -> None:
    (image_root / "train" / "dark" / "3.png").write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"train/dark/3.png cannot be read as an image .*repair or delete"):
        data = folder(image_root, f"data.in_memory_bytes={memory}", "data.num_workers=0")
        data.setup("fit")
        list(data.train_dataloader())


def test_a_truncated_file_is_named(image_root: Path) -> None:
    file = image_root / "train" / "dark" / "2.jpg"
    Image.effect_noise((200, 200), 50).save(file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"train/dark/2.jpg cannot be read as an image"):
        folder(image_root).setup("fit")


def test_an_empty_class_is_named(image_root: Path) -> None:
    shutil.rmtree(image_root / "train" / "dark")
    (image_root / "train" / "dark").mkdir()
    with pytest.raises(ValueError, match=r"train/dark contains no image \(.png, .jpg, .jpeg\)"):
        folder(image_root).setup("fit")


def test_a_class_without_a_test_folder_is_named_before_training(image_root: Path) -> None:
    shutil.rmtree(image_root / "test" / "light")
    with pytest.raises(ValueError, match=r"test has no folder for the classes \['light'\]; it has \['dark'\]"):
        folder(image_root).prepare_data()


def test_a_broken_test_file_is_named_before_training(image_root: Path) -> None:
    (image_root / "test" / "dark" / "3.png").write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"test/dark/3.png cannot be read as an image"):
        folder(image_root).prepare_data()


def test_sixteen_bits_are_scaled_not_cut_off(image_root: Path) -> None:
    ramp = np.linspace(0, 65535, 16 * 16, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(image_root / "test" / "dark" / "0.png")
    pixels = decode_file(image_root / "test" / "dark" / "0.png", (3, 16, 16))
    assert pixels.float().mean().item() == pytest.approx(127, abs=3)


def test_hidden_folders_are_not_classes(image_root: Path) -> None:
    (image_root / "train" / ".ipynb_checkpoints").mkdir()
    assert folder(image_root).classes == ["dark", "light"]


def test_a_missing_test_split_is_named_before_training(image_root: Path) -> None:
    shutil.rmtree(image_root / "test")
    with pytest.raises(FileNotFoundError, match="test is missing: it should contain a folder of images per class"):
        folder(image_root).prepare_data()


def test_only_formats_that_pillow_decodes_itself_are_read(
    image_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For PostScript Pillow runs `gs`, which may be any program of that name."""
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/canary\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    file = image_root / "train" / "dark" / "x.png"
    file.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(ValueError, match=r"x.png cannot be read as an image .*; repair or delete it"):
        folder(image_root).setup("fit")
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("kind", ["pipe", "device", "huge"])
def test_what_would_block_or_fill_the_memory_is_refused(kind: str, image_root: Path) -> None:
    file = image_root / "train" / "dark" / "x.png"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        Image.new("1", (13_000, 13_000)).save(file)
    with pytest.raises(ValueError, match="x.png cannot be read as an image .*(regular file|67,108,864 pixels)"):
        folder(image_root).setup("fit")


def batches(data: ImageFolder) -> list[torch.Tensor]:
    data.setup("fit")
    return [part for inputs, labels, share in data.train_dataloader() for part in (inputs, labels, share.keys)]


@pytest.mark.parametrize("more", [["data.decode=once"], ["data.decode=once", "data.num_workers=2"], ["data.cache=C"]])
def test_decoded_once_each_batch_is_that_of_the_memory(image_root: Path, tmp_path: Path, more: list[str]) -> None:
    more = [word.replace("=C", f"={tmp_path}/cache") for word in more]
    words = ["data.batch_size=7", "data.num_workers=0"]
    data = folder(image_root, *words, "data.in_memory_bytes=0", *more)
    data.prepare_data()
    places = [tmp_path / "cache" / "decoded", image_root / ".decoded"]
    assert [place.is_dir() for place in places] == ([True, False] if "cache" in more[0] else [False, True])
    for ours, theirs in zip(batches(data), batches(folder(image_root, *words)), strict=True):
        assert torch.equal(ours, theirs)
    assert data.workers("train") == ("num_workers=2" in more[-1]) * 1


def test_decoded_images_of_another_shape_or_choice_of_classes_stay(image_root: Path) -> None:
    for words in (["data.shape=[1,8,8]"], ["data.shape=[3,8,8]"], ["data.classes=[light]"], ["data.shape=[3,8,8]"]):
        folder(image_root, "data.in_memory_bytes=0", *words).prepare_data()
    assert len(list((image_root / ".decoded").glob("test-*/*.npy"))) == 3


def test_only_the_splits_that_are_read_are_decoded(image_root: Path) -> None:
    data = folder(image_root, "data.in_memory_bytes=0")
    data.prepare_data()
    data.setup("test")
    assert [path.name[:4] for path in (image_root / ".decoded").iterdir()] == ["test"]


@pytest.mark.parametrize("more", ["data.in_memory_bytes=0", "data.decode=every_epoch"])
def test_a_run_in_memory_is_resumed_with_files_and_back(image_root: Path, tmp_path: Path, more: str) -> None:
    words = [["data.in_memory_bytes=1000000"], [more, "data.in_memory_bytes=0"]]
    memory, files = (digests(folder(image_root, *each)) for each in words)
    for then, now in ((memory, files), (files, memory), (memory, memory), (pixels(memory), memory)):
        noted(tmp_path, then)
        check_same_data(tmp_path, now)
    for wrong in ({**memory, "train": memory["train"].replace("18", "17", 1)}, pixels(memory)):
        noted(tmp_path, wrong)
        with pytest.raises(UserError, match="was trained on other data: its train split was 1. samples"):
            check_same_data(tmp_path, files)


@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_other_images_are_other_data(image_root: Path, tmp_path: Path, memory: int) -> None:
    noted(tmp_path, digests(folder(image_root, f"data.in_memory_bytes={1 << 30}")))
    file = image_root / "train" / "dark" / "1.png"
    Image.new("RGB", (21, 30), "white").save(file)
    with pytest.raises(UserError, match="was trained on other data: its (train|val) split was"):
        check_same_data(tmp_path, digests(folder(image_root, f"data.in_memory_bytes={memory}")))


def digests(data: ImageFolder) -> dict[str, str]:
    data.setup("fit")
    return data.digests()


def pixels(found: dict[str, str]) -> dict[str, str]:
    """What an earlier version noted of images in memory."""
    return {split: " ".join(text.split()[:3]) for split, text in found.items()}


def noted(run: Path, found: dict[str, str]) -> None:
    (run / "environment.json").write_text(json.dumps({"data": found}))


def test_a_link_out_of_the_folder_is_not_followed(image_root: Path, tmp_path: Path) -> None:
    (image_root / ".decoded").symlink_to(tmp_path)
    with pytest.raises(ValueError, match=r".decoded links to .*; delete the link, or set data.cache=FOLDER"):
        folder(image_root, "data.in_memory_bytes=0").prepare_data()


def test_a_lock_that_is_a_link_is_not_followed(image_root: Path, tmp_path: Path) -> None:
    data = folder(image_root, "data.in_memory_bytes=0")
    data.folder("test").mkdir(parents=True)
    (data.folder("test") / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"test-.*, for decoded images, cannot be written .*data.cache=FOLDER"):
        data.prepare_data()
    assert not (tmp_path / "elsewhere").exists()


def test_without_a_root_images_are_still_prepared(image_root: Path) -> None:
    """As for someone else's run, whose paths mean nothing here."""
    data = ImageFolder(None, [3, 8, 8], classes=["dark", "light"], num_classes=2, mean=[0.5], std=[0.25], batch_size=4)
    assert data.prepare_inputs(image_root / "test" / "dark" / "1.png").shape == (1, 3, 8, 8)
    with pytest.raises(ValueError, match="data.root=FOLDER names the folder that contains train and test"):
        data.prepare_data()


def test_an_unknown_way_to_decode_is_named(image_root: Path) -> None:
    with pytest.raises(UserError, match="decode=never is unknown; choose one of once, every_epoch"):
        folder(image_root, "data.decode=never")


def test_workers_decode_a_large_split_though_another_one_is_in_memory(image_root: Path) -> None:
    shutil.copytree(image_root / "test", image_root / "val")
    for i in range(5):
        shutil.copy(image_root / "train" / "dark" / "1.png", image_root / "train" / "dark" / f"more-{i}.png")
    data = folder(image_root, "data.num_workers=2", "data.decode=every_epoch",
                  f"data.in_memory_bytes={22 * 3 * 16 * 16}")  # fmt: skip
    data.setup("fit")
    assert data.train_dataloader().num_workers == 2 and data.val_dataloader().num_workers == 0
