"""Columns of tables as samples: labels by name, images as Trainyard decodes them, numbers to predict."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.loading.decode import decode_file
from trainyard.data.loading.hf_columns import Columns, open_image
from trainyard.data.loading.items import input_tensor
from trainyard.errors import UserError

datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")


def labeled(names: list[str], labels: list[int | None]) -> Any:
    kinds = datasets.Features({"x": datasets.Value("float32"), "label": datasets.ClassLabel(names=names)})
    return datasets.Dataset.from_dict({"x": [0.5] * len(labels), "label": labels}, features=kinds)


def configured(path: Path, *more: str) -> Any:
    words = [f"data.path={path}", "run.dir=x", "data.input=[n]", "model=mlp", "data.num_workers=0", *more]
    return instantiate(resolve(compose(["data=hf_dataset", *words])).data, "data")


def written(folder: Path, **columns: list[Any]) -> Path:
    datasets.config.HF_DATASETS_CACHE = folder / "cache"
    datasets.Dataset.from_dict(columns).to_parquet(folder / "table.parquet")
    return folder / "table.parquet"


def test_labels_are_those_of_their_names_in_every_split_and_order() -> None:
    assert Columns(labeled(["a", "b"], [0, 1]), "x", "label").targets == [0, 1]
    assert Columns(labeled(["b", "a"], [0, 1]), "x", "label", classes=["a", "b"]).targets == [1, 0]
    with pytest.raises(ValueError, match="row 1 of the column label is 'c', none of the classes a, b"):
        Columns(labeled(["a", "c"], [0, 1]), "x", "label", classes=["a", "b"])


@pytest.mark.parametrize("label", [5, -1])
def test_a_number_that_is_no_class_is_named_before_the_training(label: int) -> None:
    table = datasets.Dataset.from_dict({"x": [0.5] * 3, "label": [0, 1, label]})
    with pytest.raises(ValueError, match=f"row 2 of the column label is {label}, none of the classes 0, 1, 2"):
        Columns(table, "x", "label", classes=["0", "1", "2"])


def test_an_empty_cell_is_named_before_the_training() -> None:
    table = datasets.Dataset.from_dict({"x": [0.5, None, 0.5], "n": [1, 2, 3], "label": [0, 1, 0]})
    with pytest.raises(ValueError, match="row 1 of the column x is empty; remove such rows"):
        Columns(table, ["n", "x"], "label")
    assert len(Columns(table.select([0, 2]), ["n", "x"], "label")) == 2


def test_an_image_is_decoded_as_in_a_folder_of_images(tmp_path: Path) -> None:
    Image.fromarray(np.arange(0, 60000, 10000, dtype=np.uint16).reshape(2, 3)).save(tmp_path / "deep.png")
    turned = Image.fromarray(np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6))
    turned.getexif()[0x0112] = 6  # to be turned by 90 degrees
    turned.save(tmp_path / "turned.jpg", exif=turned.getexif())
    for name, shape in (("deep.png", (1, 2, 3)), ("turned.jpg", (1, 6, 4))):
        image = open_image({"bytes": (tmp_path / name).read_bytes(), "path": None}, name)
        assert torch.equal(input_tensor(image, name), decode_file(tmp_path / name, shape))
    deep = Image.open(io.BytesIO((tmp_path / "deep.png").read_bytes()))
    assert torch.equal(input_tensor(deep, "x"), decode_file(tmp_path / "deep.png", (1, 2, 3)))  # of data=dataset


def test_whole_numbers_are_predicted_by_a_regression_and_are_no_classes(tmp_path: Path) -> None:
    prices = [200_000 + 1000 * i for i in range(60)]
    path = written(tmp_path, n=list(range(60)), label=prices)
    data = configured(path, "task=regression")
    data.prepare_data()
    data.setup("fit")
    assert (data.classes, data.num_classes, data.num_outputs) == (None, None, 1)
    assert [len(data.splits[split]) for split in ("train", "val")] == [43, 5]
    inputs, targets, _ = next(iter(data.train_dataloader()))
    assert inputs.dtype == targets.dtype == torch.float32
    assert torch.equal(targets, 200_000 + 1000 * inputs[:, 0])
    with pytest.raises(
        UserError, match=r"column label has whole numbers up to 259,000 and 60 samples.*task=regression"
    ):
        configured(path)


def test_whatever_a_table_or_a_transform_raises_is_a_sentence(tmp_path: Path) -> None:
    path = written(tmp_path, n=list(range(4)), label=[0, None, 1, 0])
    with pytest.raises(UserError, match=r"row 1 of the column label has no label \(None\); remove such rows"):
        configured(path)
    path = written(tmp_path, n=list(range(4)), label=[0, 1, 1, 0])
    with pytest.raises(UserError, match=r"data.path=.* cannot be read \(TypeError: "):
        configured(path, "data.eval_transform={_target_: torchvision.transforms.PILToTensor}")
    datasets.DatasetDict(test=labeled(["a"], [0])).save_to_disk(tmp_path / "saved")
    with pytest.raises(UserError, match=r"saved has the splits test, and no train"):
        configured(tmp_path / "saved")


def test_a_file_that_hides_the_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").touch()
    code = "from trainyard.data.loading.hf_tables import package\npackage()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert f"need the package datasets, and {tmp_path}/datasets/__init__.py hides it; rename that" in done.stderr
