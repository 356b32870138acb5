"""trainyard evaluate: the scores of the training, their intervals, the classes, the files."""

import csv
import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchmetrics.classification import MulticlassCalibrationError, MulticlassF1Score

import trainyard
from trainyard.cli.main import run_command
from trainyard.errors import UserError
from trainyard.evaluation.bootstrap import class_scorer, macro_f1, resampled, sample_losses
from trainyard.evaluation.classes import calibration, class_scores, confusion_matrix
from trainyard.evaluation.collect import collected
from trainyard.evaluation.files import write_evaluation
from trainyard.tasks.classification import Classification


@pytest.fixture(scope="module")
def reader(short: list[str]) -> trainyard.Run:
    """A classifier of reviews, tested on all of them, in the order of their lengths."""
    whole = [word for word in short if "limit_test" not in word]
    words = ["model=bow", "data=reviews", "data.size=200", "data.test_size=60", "data.bucket=true"]
    return trainyard.train([*whole, *words])


def test_the_scores_are_those_of_the_summary_and_within_their_intervals(run: trainyard.Run) -> None:
    found = run.evaluation()
    assert found.scores == pytest.approx(run.summary["test"]) and found.samples == 16
    assert found.intervals.keys() == found.scores.keys()
    assert all(low <= found.scores[name] <= high for name, (low, high) in found.intervals.items())
    assert run.evaluation().intervals == found.intervals
    val = run.evaluation("val")
    assert val.scores == pytest.approx(run.summary["best"]) and val.intervals.keys() == val.scores.keys()


def test_what_is_resampled_is_what_lightning_logs(run: trainyard.Run) -> None:
    """Each sample taken once: the scores themselves; each taken twice the same."""
    evaluator = run.evaluator()
    with collected(evaluator.task) as kept:
        scores = evaluator.scores()
    once = torch.ones(2, len(kept.targets), dtype=torch.float64)
    once[1] = 2
    found = class_scorer(evaluator.task, kept)(once)  # pyright: ignore
    for name, values in zip(("loss", "accuracy", "accuracy_top5", "f1"), found, strict=True):
        divide = 1 if name == "f1" else 2
        assert values.tolist() == pytest.approx([scores[f"test/{name}"], divide * scores[f"test/{name}"]], abs=1e-6)
    assert "step" not in evaluator.task.__dict__


def test_macro_f1_leaves_out_classes_that_do_not_occur() -> None:
    guesses, labels = torch.tensor([0, 1, 1, 3, 0]), torch.tensor([0, 1, 0, 0, 1])
    one_hot = torch.nn.functional.one_hot
    true, guessed = one_hot(labels, 5).double(), one_hot(guesses, 5).double()
    expected = MulticlassF1Score(5, average="macro")(guesses, labels)
    sums = ((true * guessed).sum(0), true.sum(0), guessed.sum(0))
    assert float(macro_f1(*sums)) == pytest.approx(float(expected))


def test_an_interval_is_as_wide_as_the_binomial_one() -> None:
    hit = (torch.arange(400) % 5 > 0).double()
    (values,) = resampled(400, lambda counts: [counts @ hit / 400])
    assert len(values) == 1000 and float(values.mean()) == pytest.approx(0.8, abs=0.003)
    low, high = torch.quantile(values, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(0.8 * 0.2 / 400), rel=0.1)


def test_classes_have_precision_recall_and_f1() -> None:
    guesses, labels = torch.tensor([0, 0, 1, 1, 0]), torch.tensor([0, 0, 0, 1, 2])
    matrix = confusion_matrix(guesses, labels, 3)
    assert matrix.tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 0]]
    a, b, c, macro, weighted = class_scores(matrix, ["a", "b", "c"])
    assert a == ("a", pytest.approx(2 / 3), pytest.approx(2 / 3), pytest.approx(2 / 3), 3)
    assert b == ("b", 0.5, 1.0, pytest.approx(2 / 3), 1) and c == ("c", 0, 0, 0, 1)
    assert macro.recall == pytest.approx(5 / 9) and weighted.recall == pytest.approx(3 / 5) and macro.count == 5


def test_the_calibration_error_is_torchmetrics_own() -> None:
    generator = torch.Generator().manual_seed(0)
    probabilities = (3 * torch.randn(500, 4, generator=generator)).softmax(dim=1)
    labels = torch.randint(4, (500,), generator=generator)
    expected = MulticlassCalibrationError(4, n_bins=15, norm="l1")(probabilities, labels)
    found = calibration(probabilities, labels)
    assert found.error == pytest.approx(float(expected), abs=1e-5) and found.count.sum() == 500


def test_a_language_model_has_intervals_over_its_blocks(short: list[str], small_imdb: Path, tmp_path: Path) -> None:
    whole = [word for word in short if "limit_test" not in word]
    run = trainyard.train([*whole, "model=gpt", "model.dim=16", "model.depth=1", "data=imdb_lm", "data.max_length=16"])
    found = run.evaluation()
    assert found.scores == pytest.approx(run.summary["test"]) and found.intervals.keys() == found.scores.keys()
    assert all(low < found.scores[name] < high for name, (low, high) in found.intervals.items())
    evaluator = run.evaluator()
    with collected(evaluator.task) as kept:
        evaluator.scores()
    assert len(kept.targets) == found.samples == len(evaluator.data.splits["test"])  # pyright: ignore
    assert math.exp(kept.predictions.sum() / kept.targets.sum()) == pytest.approx(found.scores["test/perplexity"])
    with pytest.raises(ValueError, match="predictions are written of a classification alone"):
        write_evaluation(found, [], tmp_path / "here", with_predictions=True)
    assert not (tmp_path / "here").exists()
    with pytest.raises(UserError, match="this network has no classes; leave it out"):
        run_command(["evaluate", str(run.path), "--csv"])
    assert not (run.path / "evaluation").exists()


def test_the_files_say_what_is_printed(reader: trainyard.Run, capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["evaluate", str(reader.path), "--csv"])
    said, folder = capsys.readouterr().out, reader.path / "evaluation" / "test"
    assert {file.name for file in folder.iterdir()} == {
        "scores.json", "confusion.png", "reliability.png", "predictions.csv"
    }  # fmt: skip
    numbers = json.loads((folder / "scores.json").read_text())
    low, high = numbers["intervals"]["test/accuracy"]
    assert numbers["scores"] == pytest.approx(reader.summary["test"])
    assert f"test/accuracy            {numbers['scores']['test/accuracy']:.4f}  [{low:.4f}, {high:.4f}]" in said
    assert "test: 60 samples" in said and "class             precision  recall      f1   samples\nagainst  " in said
    assert f"expected calibration error {numbers['calibration_error']:.4f} (15 bins)" in said
    for name in ("confusion", "reliability"):
        assert Image.open(folder / f"{name}.png").size > (300, 300)
    rows = list(csv.DictReader((folder / "predictions.csv").open()))
    assert [int(row["index"]) for row in rows] == list(range(60))  # though the texts were read by length
    accuracy = sum(row["label"] == row["prediction"] for row in rows) / 60
    assert accuracy == pytest.approx(numbers["scores"]["test/accuracy"])
    data = reader.data()
    texts, labels = data.texts("test")  # pyright: ignore
    assert [row["label"] for row in rows] == [("against", "for")[label] for label in labels]
    expected = reader.predict(texts)
    assert [float(row["probability for"]) for row in rows] == pytest.approx(expected[:, 1].tolist(), abs=1e-5)


def test_a_place_that_cannot_be_written_is_named(run: trainyard.Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is a file; name a folder"):
        run_command(["evaluate", str(run.path), "--out", str(tmp_path / "file")])
    with pytest.raises(UserError, match=r"below cannot be written .Not a directory.; name another folder by --out"):
        run_command(["evaluate", str(run.path), "--out", str(tmp_path / "file" / "below")])


def test_a_link_in_a_run_directory_is_not_followed(run: trainyard.Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    copy = shutil.copytree(run.path, tmp_path / "run", ignore=shutil.ignore_patterns("evaluation"))
    (copy / "evaluation").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="evaluation links to .*elsewhere; delete the link, or name another folder"):
        run_command(["evaluate", str(copy)])
    run_command(["evaluate", str(copy), "--out", str(tmp_path / "out")])
    assert not list((tmp_path / "elsewhere").iterdir()) and (tmp_path / "out" / "scores.json").is_file()


def test_other_data_of_the_same_classes(run: trainyard.Run) -> None:
    words = ["data=shapes", "data.size=200", "data.test_size=100", "data.eval_batch_size=8"]
    assert trainyard.Run(run.path, words).evaluate() == pytest.approx(run.evaluate())
    noisy = trainyard.Run(run.path, [*words, "data.noise=0.4"]).evaluate()
    assert noisy["test/loss"] != pytest.approx(run.evaluate()["test/loss"])
    data = trainyard.Run(run.path, [*words, "data.mean=[0.1,0.1,0.1]"]).data()
    assert data.pixels.mean.flatten().tolist() == pytest.approx([25.5] * 3)  # pyright: ignore
    with pytest.raises(UserError, match="data=cifar10 has the classes airplane, .*, and the run was trained on disc"):
        trainyard.Run(run.path, ["data=cifar10"]).evaluate()
    with pytest.raises(UserError, match="data=reviews has labeled texts, and the run was trained on images"):
        trainyard.Run(run.path, ["data=reviews"]).evaluate()
    with pytest.raises(UserError, match="data=shaps"):
        trainyard.Run(run.path, ["data=shaps"]).evaluate()


def test_other_texts_have_the_tokens_of_the_runs_tokenizer(reader: trainyard.Run, tmp_path: Path) -> None:
    rows = [("the film was good", "for"), ("I never thought that the cast was dull", "for"), ("so boring", "against")]
    for split in ("train", "test"):
        with (tmp_path / f"{split}.csv").open("w") as file:
            csv.writer(file).writerows([("text", "label"), *rows * 4])
    other = trainyard.Run(reader.path, ["data=csv", f"data.root={tmp_path}", "data.classes=[for,against]"])
    found = other.evaluation()
    assert found.classes == ["against", "for"] and found.samples == 12
    expected = reader.predict([text for text, _ in rows])
    order = found.index.argsort()
    torch.testing.assert_close(found.probabilities[order][:3], expected, atol=1e-5, rtol=1e-4)
    with pytest.raises(UserError, match=r"has the classes bad, good, and the run was trained on against, for"):
        trainyard.Run(reader.path, ["data=csv", f"data.root={tmp_path}", "data.classes=[bad,good]"]).evaluate()


class OwnLoss(Classification):
    """Cross-entropy, written as other people may write it."""

    way = ""

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        loss = super().loss(logits, labels)
        if self.way == "numpy":
            return torch.as_tensor(logits.exp().numpy().sum(axis=1)).log().mean() - logits[0, labels[0]]
        if self.way == "a number":
            return loss.item()  # pyright: ignore
        if self.way == "checks":
            assert type(logits) is torch.Tensor and not torch._C._functorch.is_batchedtensor(logits), "no tensor"
        if self.way == "keeps an axis":
            return loss[None]
        return loss


@pytest.mark.parametrize("way", ["numpy", "a number", "checks", "keeps an axis", ""])
def test_the_loss_of_each_sample_is_had_however_it_is_written(way: str) -> None:
    """vmap refuses some of these by RuntimeError, some by ValueError, and one refuses it."""
    parts = {"optimizer": torch.optim.SGD, "scheduler": torch.optim.lr_scheduler.ConstantLR}
    task = OwnLoss(num_classes=3, net=torch.nn.Linear(2, 3), **parts).eval()
    task.way = way
    logits, labels = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1])
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    assert torch.allclose(sample_losses(task, logits, labels), expected, atol=1e-6)
