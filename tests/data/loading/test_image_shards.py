import logging
import os
import pickle
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import processes
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from trainyard.data.loading import shards
from trainyard.data.loading.image_files import ImageFiles
from trainyard.data.loading.shards import decode_once

SHAPE = (3, 16, 16)
ALL = torch.arange(20)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageFiles:
    """Twenty pictures, of which six are a shard."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 6 * 3 * 16 * 16)
    draw = np.random.default_rng(0)
    paths = [tmp_path / "images" / f"{i:02d}.png" for i in range(20)]
    paths[0].parent.mkdir()
    for path in paths:
        Image.fromarray(draw.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(path)
    return ImageFiles(paths, SHAPE)


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.npy")}


def test_shards_are_the_decoded_images_in_any_order(images: ImageFiles, tmp_path: Path) -> None:
    found = decode_once(images, tmp_path / "cache")
    order = torch.tensor([19, 0, 5, 6, 6, 11])
    assert len(found) == 20 and len(list((tmp_path / "cache").glob("*.npy"))) == 4
    assert torch.equal(found[order], images[order]) and found[order].dtype == torch.uint8
    assert torch.equal(pickle.loads(pickle.dumps(found))[order], images[order])  # a worker that is not forked
    assert found.digest() == images.digest()


def test_a_second_start_decodes_nothing(images: ImageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decode_once(images, tmp_path / "cache")
    monkeypatch.setattr(ImageFiles, "__getitem__", None)
    assert len(decode_once(images, tmp_path / "cache")) == 20


def test_only_the_shards_of_changed_files_are_made_again(
    images: ImageFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = times(decode_once(images, tmp_path / "cache").paths[0].parent)
    Image.new("RGB", (20, 30), "white").save(images.paths[7])
    with caplog.at_level(logging.INFO):
        found = decode_once(images, tmp_path / "cache")
    after = times(tmp_path / "cache")
    assert torch.equal(found[ALL], images[ALL]) and (found[ALL][7] == 255).all()
    assert len(after) == 4 and len(before.items() & after.items()) == 3  # the old one is gone
    assert "the images have changed: 1 of their files" in caplog.text and "decoding 6 of 20 images" in caplog.text


def test_a_broken_image_is_named_and_the_shards_before_it_are_kept(images: ImageFiles, tmp_path: Path) -> None:
    good = images.paths[13].read_bytes()
    stat = images.paths[13].stat()
    images.paths[13].write_bytes(good[: len(good) // 2])
    with pytest.raises(ValueError, match=r"images/13.png cannot be read as an image .*; repair or delete it"):
        decode_once(images, tmp_path / "cache")
    before = times(tmp_path / "cache")
    images.paths[13].write_bytes(good)
    os.utime(images.paths[13], ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert torch.equal(decode_once(images, tmp_path / "cache")[ALL], images[ALL])
    assert len(before) == 2 and before.items() <= times(tmp_path / "cache").items()


def test_a_shard_that_was_cut_off_is_made_again(images: ImageFiles, tmp_path: Path) -> None:
    file = decode_once(images, tmp_path / "cache").paths[1]
    file.write_bytes(file.read_bytes()[:-1])
    assert torch.equal(decode_once(images, tmp_path / "cache")[ALL], images[ALL])


def test_too_little_space_is_said_before_anything_is_decoded(
    images: ImageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SPARE", 1 << 60)
    with pytest.raises(
        ValueError, match=r"20 decoded images take 0.0 GB in .*cache, and .* GB are free there; data.ca"
    ):
        decode_once(images, tmp_path / "cache")
    assert not times(tmp_path / "cache")


def test_a_place_that_cannot_be_written_is_named(images: ImageFiles, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file/cache, for decoded images, cannot be written \(Not a directory\)"):
        decode_once(images, tmp_path / "file" / "cache")


def convert(words: list[str]) -> None:
    """Decode a folder, and say how long this process did so itself."""
    shards.SHARD_BYTES = 2 * 3 * 400 * 400
    folder, cache = map(Path, words)
    made = 0

    class Counted(ImageFiles):
        def __getitem__(self, rows: torch.Tensor) -> torch.Tensor:
            nonlocal made
            made += len(rows)
            time.sleep(0.02)
            return super().__getitem__(rows)

    decode_once(Counted(sorted(folder.glob("*.png")), (3, 400, 400)), cache)
    print("made", made)


def test_killed_it_continues_and_of_two_processes_one_decodes(images: ImageFiles, tmp_path: Path) -> None:
    folder, cache = images.paths[0].parent, tmp_path / "cache"
    words = (str(folder), str(cache))
    first = processes.Process(convert, list(words), tmp_path)
    deadline = time.monotonic() + 60
    while len(times(cache)) < 3 and time.monotonic() < deadline:
        time.sleep(0.002)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    done = times(cache)
    assert 3 <= len(done) < 10
    two = [processes.Process(convert, list(words), tmp_path) for _ in range(2)]
    made = sorted(int(process.communicate()[0].split()[-1]) for process in two)
    assert made == [0, 20 - 2 * len(done)] and done.items() <= times(cache).items()
    assert not list(cache.glob(".*.part"))


def test_scaled_and_cropped_as_torchvision_does(tmp_path: Path) -> None:
    theirs = v2.Compose([v2.Resize(16, v2.InterpolationMode.BICUBIC), v2.CenterCrop(16), v2.PILToTensor()])
    image = Image.effect_noise((3, 2), 100).resize((300, 200), Image.Resampling.BICUBIC).convert("RGB")
    image.save(tmp_path / "smooth.png")
    ours = ImageFiles([tmp_path / "smooth.png"], SHAPE)[torch.tensor([0])][0]
    assert (theirs(image).int() - ours.int()).abs().float().mean() < 1


def test_other_folders_of_the_cache_are_left_alone(images: ImageFiles, tmp_path: Path) -> None:
    decode_once(images, tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    images.paths.pop()
    decode_once(images, tmp_path / "a")
    assert len(times(tmp_path / "b")) == 4
