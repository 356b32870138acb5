"""Local tables of Hugging Face's datasets, written by that package."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

import trainyard
from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.config.resolve import resolve
from trainyard.data.hf_dataset import HFDataset
from trainyard.data.loading.hf_columns import Columns
from trainyard.errors import UserError

datasets = pytest.importorskip("datasets", reason="the extra datasets is not installed")
MODELS = {"text": "gru", "dataset": "mlp"}
FLIP = "data.transform={_target_: torchvision.transforms.v2.RandomHorizontalFlip}"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Converted files of the tests are no one else's."""
    kept, datasets.config.HF_DATASETS_CACHE = datasets.config.HF_DATASETS_CACHE, tmp_path_factory.mktemp("cache")
    yield
    datasets.config.HF_DATASETS_CACHE = kept


def images(count: int = 40) -> Any:
    """Two classes by their gray value; the classes have names."""
    kinds = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["light", "dark"])})
    pictures = [Image.fromarray(np.full((8, 8, 3), 200 - 120 * (i % 2), np.uint8)) for i in range(count)]
    return datasets.Dataset.from_dict({"image": pictures, "label": [i % 2 for i in range(count)]}, features=kinds)


def texts(count: int = 40) -> Any:
    rows = [("a good film", "pos", 0.5, 3) if i % 2 else ("a bad one", "neg", -1.0, 4) for i in range(count)]
    return datasets.Dataset.from_dict(
        dict(zip(("text", "label", "x", "n"), map(list, zip(*rows, strict=True)), strict=True))
    )


def write(table: Any, kind: str, folder: Path) -> Path:
    """A table in one of the forms that can be read."""
    if kind == "saved":
        table.save_to_disk(folder / "saved")
    elif kind == "splits":
        datasets.DatasetDict(train=table, test=table, validation=table).save_to_disk(folder / "splits")
    elif kind == "arrow":
        table.save_to_disk(folder / "whole")
        next((folder / "whole").glob("*.arrow")).rename(folder / "arrow.arrow")
        return folder / "arrow.arrow"
    elif kind == "folder":
        (folder / "folder" / "data").mkdir(parents=True)
        for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
            table.to_parquet(folder / "folder" / "data" / f"{name}.parquet")
    else:
        getattr(table, f"to_{kind}")(folder / f"file.{kind}")
        return folder / f"file.{kind}"
    return folder / kind


def configured(kind: str, path: Path, *more: str) -> Any:
    words = [f"data=hf_{kind}", f"data.path={path}", "run.dir=x", f"model={MODELS[kind]}", *more]
    return instantiate(resolve(compose(words)).data, "data")


def prepared(kind: str, path: Path, *words: str) -> Any:
    data = configured(kind, path, *words)
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    return data


@pytest.mark.parametrize("path", [None, "moved"])
def test_without_the_table_images_are_still_prepared(path: str | None) -> None:
    """As those that a run predicts whose table was moved away, or is someone else's."""
    data = HFDataset(path, [3, 4, 4], eval_transform=v2.Resize(4), num_classes=2, batch_size=4)
    assert data.prepare_inputs(Image.new("RGB", (8, 8), "white")).eq(255).all()
    with pytest.raises(FileNotFoundError, match=r"data.path(=moved is no local file or folder| is required)"):
        data.prepare_data()


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [("saved", [28, 4, 8]), ("splits", [40, 40, 40]), ("arrow", [28, 4, 8]), ("parquet", [28, 4, 8]),
     ("folder", [72, 8, 40])],
)  # fmt: skip
def test_images_are_read_from_every_form(kind: str, sizes: list[int], tmp_path: Path) -> None:
    data = prepared("dataset", write(images(), kind, tmp_path), "data.num_workers=0")
    assert (data.shape, data.classes) == ((3, 8, 8), ["light", "dark"])
    assert [len(data.splits[split]) for split in ("train", "val", "test")] == sizes
    for inputs, labels, _ in (next(iter(loader)) for loader in (data.train_dataloader(), data.test_dataloader())):
        assert torch.equal(inputs[:, 0, 0, 0], (200 - 120 * labels).to(torch.uint8))


@pytest.mark.parametrize("kind", ["saved", "splits", "json", "csv", "parquet"])
def test_texts_are_tokenized_as_those_of_other_data(kind: str, tmp_path: Path) -> None:
    data = prepared("text", write(texts(), kind, tmp_path), f"data.cache={tmp_path}")
    assert data.classes == ["neg", "pos"] and len(data.splits["test"]) == (40 if kind == "splits" else 8)
    tokens, labels, _ = next(iter(data.test_dataloader()))
    assert [data.decode(row) for row in tokens] == ["a good film" if label else "a bad one" for label in labels]


def test_another_table_in_the_same_place_is_tokenized_again(tmp_path: Path) -> None:
    first = configured("text", write(texts(), "csv", tmp_path), f"data.cache={tmp_path}").folder
    assert configured("text", write(texts(60), "csv", tmp_path), f"data.cache={tmp_path}").folder != first


def test_columns_of_numbers_are_a_vector_and_a_number_is_a_regression(tmp_path: Path) -> None:
    file = write(texts(), "csv", tmp_path)
    data = prepared("dataset", file, "data.input=[x,n]", "data.target=x", "data.num_workers=0")
    assert (data.shape, data.classes, data.num_outputs) == ((2,), None, 1)
    inputs, labels, _ = next(iter(data.test_dataloader()))
    assert torch.equal(inputs[:, 0], labels) and inputs.dtype == torch.float32 and -1.0 in labels


def test_a_transform_of_training_leaves_validation_alone(tmp_path: Path) -> None:
    words = ["data.transform={_target_: torchvision.transforms.v2.ColorJitter, brightness: 0.5}", "data.num_workers=0"]
    data = prepared("dataset", write(images(), "saved", tmp_path), *words)
    train, val = (next(iter(loader))[0] for loader in (data.train_dataloader(), data.val_dataloader()))
    assert len(train.unique()) > 2 and set(val.unique().tolist()) <= {80, 200}


def test_runs_train(short: list[str], tmp_path: Path) -> None:
    words = [f"data.path={write(images(), 'splits', tmp_path)}", "data=hf_dataset", "data.num_workers=1", FLIP]
    assert trainyard.train([*short, *words, "model=mlp", "model.widths=[8]"]).summary["test"]["test/loss"] > 0


def test_nothing_is_downloaded() -> None:
    with pytest.raises(
        UserError, match=r"data.path=imdb is no local file or folder, and nothing is downloaded; .*save"
    ):
        configured("text", Path("imdb"))
    rows = {"image": [{"bytes": None, "path": "https://127.0.0.1:9/cat.png"}] * 20, "label": [0, 1] * 10}
    kinds = datasets.Features({"image": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
                               "label": datasets.Value("int64")})  # fmt: skip
    table = datasets.Dataset.from_dict(rows, features=kinds).cast_column("image", datasets.Image())
    with pytest.raises(ValueError, match=r"image of row 0 is at https://127.*, and nothing is downloaded"):
        Columns(table, "image", "label")[0]


def test_an_image_that_is_none_is_named(tmp_path: Path) -> None:
    kinds = images().features
    good = io.BytesIO()
    Image.new("RGB", (8, 8)).save(good, "PNG")
    cells = [{"bytes": content, "path": None} for content in [good.getvalue()] * 19 + [b"%!PS-Adobe"]]
    table = datasets.Dataset.from_dict({"image": cells, "label": [0, 1] * 10}, features=kinds)
    with pytest.raises(
        ValueError, match=r"the image of row 19 cannot be read as an image \(its content is none of PNG"
    ):
        configured("dataset", write(table, "saved", tmp_path)).prepare_data()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["data.input=txt", "data.target=label"],
            "data.input=txt is not a column. Did you mean text.*The table has text",
        ),
        (["data.input=x", "data.target=labels"], "data.target=labels is not a column. Did you mean label"),
        (["data.input=text"], "the input of item 0 of data.train is ndarray"),
        (["data.input=x", "data.classes=[neg]"], "row 1 of the column label is 'pos', none of the classes neg"),
    ],
)
def test_columns_that_do_not_fit_are_refused(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        configured("dataset", write(texts(), "csv", tmp_path), *words)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.parquet", b"not parquet", r"data.path=.*x.parquet cannot be read \(.*Parquet magic bytes"),
        ("x.csv", b"", r"data.path=.*x.csv cannot be read \("),
        ("x.txt", b"words", "has no table of training samples: it must be a folder of save_to_disk, a file"),
        ("state.json", b"{", r"data.path=.* cannot be read \("),
    ],
)
def test_a_file_that_is_no_table_is_refused(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        configured("text", tmp_path if name == "state.json" else tmp_path / name)


def test_rows_without_a_label_are_refused(tmp_path: Path) -> None:
    table = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [0, -1]}, features=datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}))  # fmt: skip
    data = configured("text", write(table, "saved", tmp_path))
    with pytest.raises(ValueError, match=r"row 1 of the column label has no label \(-1\); remove such rows"):
        data.texts("train")
    table = datasets.Dataset.from_dict({"text": ["a", " "], "label": [0, 1]})
    with pytest.raises(ValueError, match="row 1 of the column text is ' ', which is no text"):
        configured("text", write(table, "csv", tmp_path)).texts("train")


def test_without_the_package_the_error_names_the_extra(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['datasets'] = None\n"
        "from trainyard.data.loading.hf_tables import open_tables\n"
        f"open_tables({str(write(texts(), 'csv', tmp_path))!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'trainyard[datasets]'" in done.stderr


def test_other_data_is_prepared_as_the_runs_own(
    short: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(images(), "parquet", tmp_path)
    invert = "data.eval_transform={_target_: torchvision.transforms.v2.RandomInvert, p: 1.0}"
    words = ["model=mlp", "model.widths=[8]", "data.num_workers=0", f"data.path={path}"]
    run = trainyard.train([*short, *words, "data=hf_dataset", invert])
    other = trainyard.Run(run.path, ["data=hf_dataset", f"data.path={path}"])
    assert other.evaluate() == pytest.approx(run.evaluate()) and "transform" not in caplog.text
    fake = ["data=dataset", "data.train._target_=torchvision.datasets.FakeData", "+data.train.size=40",
            "+data.train.num_classes=2", "+data.train.image_size=[3,8,8]", "data.classes=[light,dark]"]  # fmt: skip
    trainyard.Run(run.path, fake).evaluate()
    assert "data=dataset has the transform None in the test, and the run's own data has {'_target_'" in caplog.text


def test_a_run_that_predicts_whole_numbers_is_evaluated_on_another_table(short: list[str], tmp_path: Path) -> None:
    path = write(texts(), "csv", tmp_path)
    words = ["model=mlp", "model.widths=[8]", "data.num_workers=0", f"data.path={path}", "task=regression"]
    run = trainyard.train([*short, *words, "data=hf_dataset", "data.input=[x]", "data.target=n"])
    other = trainyard.Run(run.path, ["data=hf_dataset", f"data.path={path}"])
    assert other.evaluate() == pytest.approx(run.evaluate())
