"""Distillation: the loss is Hinton's, the teacher stays as it is, in no checkpoint, and is compared on resume."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import trainyard
from trainyard.errors import UserError
from trainyard.tasks.classification import Classification
from trainyard.tasks.distillation import Distillation

PARTS: dict[str, Any] = {"optimizer": torch.optim.SGD, "scheduler": torch.optim.lr_scheduler.ConstantLR}
SHAPES = ["data=shapes", "data.size=200", "data.test_size=100", "callbacks.pictures=null"]
STUDENT = [*SHAPES, "model=mlp", "model.widths=[8]", "task=distillation"]
INPUTS, LABELS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1, 2])


def test_the_loss_is_that_of_labels_and_teacher() -> None:
    torch.manual_seed(0)
    teacher = Classification(3, net=nn.Linear(4, 3), **PARTS)
    student = Distillation("run", temperature=2.0, alpha=0.7, num_classes=3, net=nn.Linear(4, 3), **PARTS)
    with pytest.raises(ValueError, match="the teacher run was not loaded"):
        student.score((INPUTS, LABELS))
    student.learn_from(teacher, "digest")
    ours, theirs = (net(INPUTS) / 2 for net in (student.net, teacher.net))
    divergence = (theirs.softmax(1) * (theirs.log_softmax(1) - ours.log_softmax(1))).sum(1).mean()
    hard = nn.functional.cross_entropy(student.net(INPUTS), LABELS)
    torch.testing.assert_close(student.score((INPUTS, LABELS)).loss, 0.3 * hard + 0.7 * 4 * divergence)
    student.eval()
    torch.testing.assert_close(student.score((INPUTS, LABELS)).loss, hard)
    assert not any("teach" in name for name in [*student.state_dict(), *dict(student.named_modules())])
    assert not any(weight.requires_grad for weight in teacher.parameters()) and not teacher.training


def test_a_teacher_with_one_logit_teaches_one_with_two() -> None:
    torch.manual_seed(0)
    student = Distillation("run", alpha=1.0, num_classes=2, net=nn.Linear(4, 2), **PARTS)
    student.learn_from(Classification(2, net=nn.Linear(4, 1), **PARTS), "digest")
    assert student.score((INPUTS, LABELS % 2)).loss > 0


@pytest.mark.parametrize("option", [{"temperature": 0.0}, {"alpha": 1.5}])
def test_other_values_are_refused(option: dict[str, float]) -> None:
    (name,) = option
    with pytest.raises(ValueError, match=f"{name}={option[name]} must be "):
        Distillation("run", **option, num_classes=2, net=nn.Linear(4, 2), **PARTS)


def test_a_run_is_a_teacher_and_a_resumed_student_refuses_another_one(
    run: trainyard.Run, short: list[str], tmp_path: Path
) -> None:
    teacher = tmp_path / "teacher"
    shutil.copytree(run.path, teacher)
    words = [*short, *STUDENT, f"task.teacher={teacher}", "callbacks.resume.every_n_steps=1", f"run.dir={tmp_path}/run"]
    whole = trainyard.train(words)
    assert whole.evaluate() == pytest.approx(whole.summary["test"])
    saved = torch.load(whole.path / "checkpoints" / "last.ckpt", weights_only=True)
    assert len(saved["teacher"]) == 32 and saved["state_dict"].keys() == whole.task().state_dict().keys()
    (tmp_path / "run" / "summary.json").unlink()
    shutil.copy(run.path / "checkpoints" / "best.ckpt", teacher / "checkpoints" / "best.ckpt")
    assert trainyard.train([f"resume={tmp_path}/run"]).summary["test"] == whole.summary["test"]
    other = trainyard.train([*short, *SHAPES, "model=mlp", "seed=1"])
    shutil.copy(other.path / "checkpoints" / "best.ckpt", teacher / "checkpoints" / "best.ckpt")
    (tmp_path / "run" / "summary.json").unlink()
    with pytest.raises(UserError, match=r"has other weights than when this run began \(\w{32} here, \w{32} there\)"):
        trainyard.train([f"resume={tmp_path}/run"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "task.teacher is required: set task.teacher=..."),
        (
            ["task.teacher=latest"],
            "task.teacher=latest would be another run when this one is resumed",
        ),
        (["task.teacher=nowhere"], "nowhere is not a run: it has no config.resolved.yaml"),
        (["task.teacher=RUN", "data.classes=[disc,ring]"], "was trained with data.num_classes=10, and here it is 2"),
        (
            ["task.teacher=RUN", "data.mean=[0,0,0]"],
            r"was trained with data.mean=\[0.5, 0.5, 0.5\], and here",
        ),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(
    words: list[str], message: str, run: trainyard.Run, short: list[str], tmp_path: Path
) -> None:
    here = [word.replace("RUN", str(run.path)) for word in words]
    with pytest.raises(UserError, match=message):
        trainyard.train([*short, *STUDENT, *here, f"run.dir={tmp_path}/run"])
    assert not (tmp_path / "run").exists()
