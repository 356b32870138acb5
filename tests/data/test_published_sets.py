import gzip
import hashlib
import io
import shutil
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from published_copies import COUNTS, SETS, contents, idx, labels_of, mat, write_copy

import trainyard
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.cifar100 import CIFAR100
from trainyard.data.published import PublishedImages

IN_FILES = [name for name in SETS if name != "cifar100"]  # the others are published as one archive


def published(name: str, root: Path, *words: str) -> PublishedImages:
    return instantiate(resolve(compose([f"data={name}", f"data.root={root}", "run.dir=x", *words])).data, "data")


@pytest.mark.parametrize("name", SETS)
def test_images_and_labels_are_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pixels of each image tell its label: axes or records in another order would not."""
    write_copy(name, tmp_path, monkeypatch)
    data = published(name, tmp_path)
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    kind, test = SETS[name], data.splits["test"]
    assert tuple(test.inputs.shape) == (COUNTS["test"], *kind.SHAPE) and test.inputs.dtype == torch.uint8
    assert test.labels.tolist() == labels_of(COUNTS["test"], len(kind.CLASSES)).tolist()
    assert torch.equal(test.inputs.flatten(1).unique(dim=1).squeeze(1), (2 * test.labels).to(torch.uint8))
    train, val = data.splits["train"], data.splits["val"]
    assert len(train) + len(val) == COUNTS["train"] and not set(train.rows.tolist()) & set(val.rows.tolist())
    assert val.labels.unique().tolist() == list(range(len(kind.CLASSES)))


@pytest.mark.parametrize("name", IN_FILES)
def test_checksums_are_those_of_torchvision(name: str) -> None:
    kind = SETS[name]
    theirs = getattr(torchvision.datasets, kind.__name__)
    resources = theirs.resources if name != "svhn" else [entry[1:] for entry in theirs.split_list.values()][:2]
    assert [(source.name, source.checksum) for source in kind.SOURCES] == [tuple(each) for each in resources]


@pytest.mark.parametrize("name", IN_FILES)
def test_a_file_with_another_checksum_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_copy(name, tmp_path, monkeypatch)
    file = folder / SETS[name].SOURCES[-1].name
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match=rf"{file.name} has the MD5 \w+, not the published \w+; delete it and try"):
        published(name, tmp_path, "data.download=false").prepare_data()


@pytest.mark.parametrize("name", SETS)
def test_offline_the_error_names_the_files_and_their_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = SETS[name]
    monkeypatch.setattr(
        kind, "SOURCES", tuple(each._replace(url=f"http://127.0.0.1:9/{each.name}") for each in kind.SOURCES)
    )
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the attempts
    names = " and ".join(source.name for source in kind.SOURCES)
    with pytest.raises(
        FileNotFoundError, match=rf"could not be downloaded .*Put {names} from .*{tmp_path}.*data=shapes"
    ):
        published(name, tmp_path).prepare_data()
    with pytest.raises(
        FileNotFoundError, match=rf"{kind.TITLE} is not in {tmp_path}.*, and data.download=false forbids"
    ):
        published(name, tmp_path, "data.download=false").prepare_data()


def test_only_what_is_missing_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_copy("mnist", tmp_path, monkeypatch)
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="Put t10k-labels-idx1-ubyte.gz from https://"):
        published("mnist", tmp_path, "data.download=false").prepare_data()


def test_an_archive_that_is_there_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_copy("cifar100", tmp_path, monkeypatch)
    shutil.rmtree(tmp_path / CIFAR100.FOLDER)
    archive = tmp_path / "cifar-100-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in contents("cifar100").items():
            member = tarfile.TarInfo(f"{CIFAR100.FOLDER}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with pytest.raises(ValueError, match=r"has the SHA-256 \w+, not the published 58a81ae1"):
        published("cifar100", tmp_path, "data.download=false").prepare_data()
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR100, "SOURCES", (CIFAR100.SOURCES[0]._replace(checksum=found),))
    published("cifar100", tmp_path, "data.download=false").prepare_data()
    assert (tmp_path / CIFAR100.FOLDER / "train.bin").is_file()


def test_files_that_torchvision_has_unpacked_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_copy("mnist", tmp_path, monkeypatch)
    for file in list(folder.iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    data = published("mnist", tmp_path, "data.download=false")
    data.prepare_data()
    theirs = torchvision.datasets.MNIST(str(tmp_path), train=False)
    assert torch.equal(data.load("test")[0].squeeze(1), theirs.data)
    assert torch.equal(data.load("test")[1], theirs.targets)


def test_wrong_contents_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_copy("mnist", tmp_path, monkeypatch)
    for file in list(folder.iterdir()):  # without a checksum, the content alone tells
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    data, labels = published("mnist", tmp_path), folder / "t10k-labels-idx1-ubyte"
    labels.write_bytes(idx(np.full(200, 10, np.uint8)))
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte: record 0 has the label 10, above 9; .* of MNIST"):
        data.prepare_data()
    labels.write_bytes(idx(np.zeros(199, np.uint8)))
    with pytest.raises(ValueError, match=r"images of shape \[200, 28, 28\], and .* has 199 labels; MNIST has images"):
        data.prepare_data()
    file = tmp_path / "x.mat"
    monkeypatch.setattr(SETS["svhn"], "file", lambda self, source: file)
    file.write_bytes(mat({"X": np.zeros((32, 32, 3, 2)), "y": np.array([[1], [11]])}))
    with pytest.raises(ValueError, match="record 1 has the label 11, above 9"):
        published("svhn", tmp_path).load("test")
    file.write_bytes(mat({"X": np.zeros((32, 32, 3, 2)), "y": np.ones((3, 1))}))
    with pytest.raises(ValueError, match=r"arrays of the shapes .*; SVHN has X of \[32, 32, 3, N\] uint8"):
        published("svhn", tmp_path).load("test")


@pytest.mark.parametrize("model", ["cnn", "vit", "perceptron"])
def test_networks_take_one_channel(
    model: str, short: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_copy("mnist", tmp_path, monkeypatch)
    words = [f"model={model}", "data=mnist", f"data.root={tmp_path}", "data.augment=[jitter,crop]"]
    words += ["data.classes=[3,8]"] if model == "perceptron" else []
    run = trainyard.train([*short, *words, "callbacks.pictures=null"])
    assert run.summary["test"]["test/loss"] > 0
