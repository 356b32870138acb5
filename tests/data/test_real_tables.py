"""Real data that scikit-learn brings, trained for seconds, beside scikit-learn's own estimators on the same rows."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import trainyard

pytest.importorskip("sklearn", reason="the data and the estimators are scikit-learn's; pip install scikit-learn")
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

QUICK = ["hardware=cpu", "hardware.threads=1", "callbacks.pictures=null", "callbacks.progress_bar=null"]
MLP = ["data=tabular", "model=mlp", "model.widths=[64]", "optimizer.lr=0.003", *QUICK]
ATTRIBUTES = {"even": {0, 2, 4, 6, 8}, "prime": {2, 3, 5, 7}, "loop": {0, 6, 8, 9}}  # of a digit


def split(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Inputs to train and to test on, and their targets."""
    return train_test_split(x, y, test_size=0.25, random_state=0)


def write_tables(folder: Path, parts: Sequence[np.ndarray], targets: Sequence[str] = ("y",)) -> Path:
    """train.csv and test.csv, the targets last."""
    for name, x, y in zip(("train", "test"), parts[:2], parts[2:], strict=True):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([*(f"x{i}" for i in range(x.shape[1])), *targets])
            rows.writerows([*values, *np.atleast_1d(target)] for values, target in zip(x, y, strict=True))
    return folder


def scores(tmp_path: Path, *words: str) -> dict[str, float]:
    """Those of the test split."""
    run = trainyard.train([*words, f"run.dir={tmp_path}/run"])
    return {name.removeprefix("test/"): value for name, value in run.summary["test"].items()}


def test_diabetes_is_predicted_as_well_as_by_linear_regression(tmp_path: Path) -> None:
    parts = split(*load_diabetes(return_X_y=True))
    linear = LinearRegression().fit(parts[0], parts[2]).score(parts[1], parts[3])
    words = [*MLP, f"data.path={write_tables(tmp_path, parts)}", "task=regression"]
    assert scores(tmp_path, *words, "trainer.max_epochs=20")["r2"] > linear - 0.05


@pytest.mark.parametrize(("load", "least"), [(load_digits, 0.95), (load_breast_cancer, 0.93)])
def test_classes_are_told_apart(load, least: float, tmp_path: Path) -> None:
    parts = split(*load(return_X_y=True))
    words = [*MLP, f"data.path={write_tables(tmp_path, parts)}"]
    assert scores(tmp_path, *words, "trainer.max_epochs=25")["accuracy"] > least


def test_the_attributes_of_digits_are_labels(tmp_path: Path) -> None:
    x, digits = load_digits(return_X_y=True)
    labels = np.array([[int(digit in each) for each in ATTRIBUTES.values()] for digit in digits])
    parts = split(x, labels)
    logistic = MultiOutputClassifier(make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)))
    linear = f1_score(parts[3], logistic.fit(parts[0], parts[2]).predict(parts[1]), average="macro")
    path = write_tables(tmp_path, parts, list(ATTRIBUTES))
    words = [*MLP, f"data.path={path}", f"data.target=[{','.join(ATTRIBUTES)}]", "task=multilabel"]
    assert scores(tmp_path, *words, "trainer.max_epochs=15")["f1"] > linear + 0.05  # they are not linear


def test_digits_as_image_files_decoded_once(tmp_path: Path) -> None:
    x_train, x_test, train, test = split(load_digits().images, load_digits().target)
    for name, images, digits in (("train", x_train, train), ("test", x_test, test)):
        for i, (image, digit) in enumerate(zip(images, digits, strict=True)):
            (folder := tmp_path / "digits" / name / str(digit)).mkdir(parents=True, exist_ok=True)
            Image.fromarray((15 * image).astype(np.uint8)).save(folder / f"{i}.png")
    words = ["data=image_folder", f"data.root={tmp_path}/digits", "data.shape=[1,8,8]", "data.in_memory_bytes=0"]
    words += [
        "model=mlp",
        "model.widths=[64]",
        "optimizer.lr=0.003",
        "data.batch_size=32",
        "data.num_workers=0",
        *QUICK,
    ]
    assert scores(tmp_path, *words, "trainer.max_epochs=15")["accuracy"] > 0.95
    assert list((tmp_path / "digits" / ".decoded").glob("train-1x8x8-*/*.npy"))
