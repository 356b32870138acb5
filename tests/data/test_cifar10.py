import os
import shutil
import time
from pathlib import Path

import pytest
import torch

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.cifar10 import CIFAR10
from trainyard.errors import UserError


def cifar(root: Path, *words: str) -> CIFAR10:
    return instantiate(resolve(compose(["data=cifar10", f"data.root={root}", "run.dir=x", *words])).data, "data")


@pytest.fixture
def damaged(cifar10_root: Path, tmp_path: Path) -> Path:
    """A copy of the stand-in, of links, whose second file can be replaced."""
    folder = tmp_path / CIFAR10.FOLDER
    folder.mkdir()
    for file in (cifar10_root / CIFAR10.FOLDER).iterdir():
        (folder / file.name).symlink_to(file)
    return folder / "data_batch_2.bin"


def test_splits_are_stratified_and_apart(cifar10_root: Path) -> None:
    data = cifar(cifar10_root, "data.fraction=0.5")
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 22_500, "val": 5_000, "test": 10_000}
    assert data.splits["val"].labels.bincount().tolist() == [500] * 10
    assert not set(data.splits["train"].rows.tolist()) & set(data.splits["val"].rows.tolist())


def test_the_seed_leaves_the_split_alone(cifar10_root: Path) -> None:
    one, two = cifar(cifar10_root, "seed=1"), cifar(cifar10_root, "seed=2")
    for data in (one, two):
        data.setup("fit")
    assert torch.equal(one.splits["val"].rows, two.splits["val"].rows)
    assert not torch.equal(next(iter(one.train_dataloader()))[1], next(iter(two.train_dataloader()))[1])


def test_a_subset_of_classes_validates_on_the_same_samples(cifar10_root: Path) -> None:
    whole, part = cifar(cifar10_root), cifar(cifar10_root, "data.classes=[cat,truck]")
    for data in (whole, part):
        data.setup("fit")
    assert set(part.splits["val"].rows.tolist()) < set(whole.splits["val"].rows.tolist())


def test_classes_by_name_take_a_subset(cifar10_root: Path) -> None:
    data = cifar(cifar10_root, "data.classes=[truck,cat]")
    data.setup("test")
    inputs, labels, _ = next(iter(data.test_dataloader()))
    assert {int(x) for x in inputs[labels == 0].unique()} == {20 * 9}  # the stand-in's grey of trucks
    assert {int(x) for x in inputs[labels == 1].unique()} == {20 * 3}


def test_a_missing_folder_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match="data.download=false forbids.* Put cifar-10-binary.tar.gz .*data=shapes"
    ):
        cifar(tmp_path, "data.download=false").prepare_data()


def test_without_a_network_the_error_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = CIFAR10.SOURCES[0]._replace(url="http://127.0.0.1:9/cifar-10-binary.tar.gz")
    monkeypatch.setattr(CIFAR10, "SOURCES", (source,))
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the attempts
    with pytest.raises(FileNotFoundError, match=r"could not be downloaded .* Put cifar-10-binary.tar.gz .*data=shapes"):
        cifar(tmp_path).prepare_data()


def test_an_archive_that_is_there_is_verified(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(b"not it")
    with pytest.raises(ValueError, match="has the SHA-256 .*, not the published c4a38c50"):
        cifar(tmp_path, "data.download=false").prepare_data()


def test_a_missing_file_is_named(damaged: Path) -> None:
    damaged.unlink()
    with pytest.raises(FileNotFoundError, match=r"data_batch_2.bin is missing; unpack the whole archive"):
        cifar(damaged.parents[1]).prepare_data()


@pytest.mark.parametrize("size", [1000, 30_730_001])
def test_a_file_of_the_wrong_size_is_named(damaged: Path, size: int) -> None:
    shutil.copyfile(damaged.resolve(), damaged.with_suffix(".copy"))
    os.truncate(damaged.with_suffix(".copy"), size)
    damaged.with_suffix(".copy").replace(damaged)
    with pytest.raises(ValueError, match=rf"data_batch_2.bin has {size:,} bytes instead of 30,730,000"):
        cifar(damaged.parents[1]).prepare_data()


def test_a_wrong_label_is_named(damaged: Path) -> None:
    content = bytearray(damaged.read_bytes())
    content[7 * 3073] = 10
    damaged.unlink()
    damaged.write_bytes(content)
    with pytest.raises(ValueError, match=r"data_batch_2.bin: record 7 has the label 10, above 9"):
        cifar(damaged.parents[1]).setup("fit")


def test_a_wrong_label_in_test_is_named_before_training(damaged: Path) -> None:
    file = damaged.with_name("test_batch.bin")
    content = bytearray(file.read_bytes())
    content[0] = 200
    file.unlink()
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"test_batch.bin: record 0 has the label 200, above 9"):
        cifar(damaged.parents[1]).prepare_data()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.shape=[1,28,28]", r"CIFAR-10 has images of shape \[3, 32, 32\], not shape=\[1, 28, 28\]"),
        ("data.classes=[cat,cat]", r"classes=\['cat', 'cat'\] names a class twice"),
        ("data.num_classes=7", "num_classes=7, but there are 10 classes"),
        ("data.mean=[0.5,0.5]", r"mean=\[0.5, 0.5\] must have a value for each of the 3 channels|must be as many"),
        ("data.val_fraction=1.5", "val_fraction=1.5 must be in \\(0, 1\\)"),
        ("data.fraction=0", "fraction=0 must be in \\(0, 1\\]"),
        ("data.batch_size=0", "batch_size=0 and eval_batch_size=500 must be at least 1"),
    ],
)
def test_facts_that_are_wrong_are_refused_at_once(tmp_path: Path, word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        cifar(tmp_path, word)


def test_an_unknown_class_is_refused(cifar10_root: Path) -> None:
    with pytest.raises(ValueError, match=r"classes=\['dgo'\] are not among the data's classes: airplane"):
        cifar(cifar10_root, "data.classes=[cat,dgo]").setup("fit")


@pytest.mark.real_data
def test_the_real_data_has_its_classes_and_statistics() -> None:
    data = cifar(Path(os.environ["TRAINYARD_DATA"]))
    data.setup("fit")
    data.setup("test")
    assert data.splits["test"].labels.bincount().tolist() == [1000] * 10
    pixels = data.splits["train"].inputs.float().div(255)
    assert pixels.mean(dim=(0, 2, 3)).tolist() == pytest.approx(data.pixels.mean.flatten().div(255).tolist(), abs=0.01)
    assert pixels.std(dim=(0, 2, 3)).tolist() == pytest.approx(data.pixels.std.flatten().div(255).tolist(), abs=0.01)
