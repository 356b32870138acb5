"""What a finished run is good for: each command that takes a run is a method here, of the same name."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning import LightningDataModule
from torch import Tensor

from trainyard.config.validate import check_hardware
from trainyard.data.lightning_data import Loaders
from trainyard.errors import UserError, short_traceback
from trainyard.evaluation.evaluate import Evaluation, Evaluator
from trainyard.evaluation.robustness import Disturbed, robustness
from trainyard.export.export import export
from trainyard.export.request import FIXED, SUFFIXES, Exported, Request
from trainyard.hardware.settings import choose_accelerator, configure_torch
from trainyard.inference.generate import generate_texts
from trainyard.inference.inputs import Inputs
from trainyard.inference.masked import masked_text, predict_masks, vocabulary
from trainyard.inference.predict import Prediction, class_names, predict, predict_each
from trainyard.page.page import write_page
from trainyard.report.comparison import Compared, compare_runs
from trainyard.runs.card_facts import card_facts
from trainyard.runs.opened import OpenedRun
from trainyard.tasks.base import Task
from trainyard.trust.allowlist import LIMITS

if TYPE_CHECKING:
    from trainyard.explain.explanation import Explanation


class Run(OpenedRun):
    """A training run, opened for reading; `overrides` (key=value) change its config, as data.root=... elsewhere.

    One that someone else made, or changed, is read as data: what its config names must be Trainyard's or torch's own
    classes, unless `trust`.
    """

    @cached_property
    def _predictor(self) -> tuple[Task, LightningDataModule]:
        task = self.task()
        if not isinstance(task, Task):
            raise UserError(
                f"{self.path}: {type(task).__name__} has steps of its own, so that what it predicts is not known; "
                "trainyard evaluate scores it, and trainyard.load(RUN).task() is the module with its trained weights"
            )
        return task, self.data()

    @short_traceback
    def predict(self, inputs: Any, batch_size: int | None = None, device: str = "auto") -> Tensor:
        """N inputs -> what the task predicts, (N, ...): the probability of each class, the values of a regression.

        Images are files, Pillow images, or uint8 (N, *shape); texts are strings, or tokens; all else is a tensor or an
        array as the dataset has them. See `trainyard.inference.predict.predict`.
        """
        with self._name_in_errors():
            return predict(*self._predictor, inputs, batch_size, device)

    def inputs(
        self, words: Sequence[str], columns: Sequence[str] = (), refuse: Callable[[str], object] = print
    ) -> Inputs:
        """The inputs that words of a command name: files, folders, texts, rows of CSV files, - for stdin.

        `refuse` is called with a sentence for each that cannot be read; the rest goes on.
        """
        with self._name_in_errors():
            return Inputs(self._predictor[1], words, columns, refuse)

    def predict_each(self, inputs: Inputs, batch_size: int | None = None, device: str = "auto") -> Iterator[Prediction]:
        """The prediction of each of the `inputs`, batch by batch; of masked texts one for each [MASK]."""
        task, data = self._predictor
        with self._name_in_errors():
            if text := masked_text(task, data):
                yield from predict_masks(task, text, inputs, batch_size, device)
            else:
                yield from predict_each(task, data, inputs, batch_size, device)

    def class_names(self) -> list[str] | None:
        """The names of what has probabilities in a prediction: classes, or the tokens for a [MASK]; else None."""
        task, data = self._predictor
        with self._name_in_errors():
            return vocabulary(text) if (text := masked_text(task, data)) else class_names(task, data)

    @short_traceback
    def generate(
        self, prompt: str = "", max_new_tokens: int | None = None, count: int = 1, seed: int = 0, **sampling: Any
    ) -> list[str]:
        """Texts that begin with the prompt, from a causal language model; see `generate_texts`."""
        task, data = self._predictor
        with self._name_in_errors():
            return generate_texts(task.net, data, prompt, max_new_tokens, count, seed, **sampling)  # pyright: ignore

    @short_traceback
    def evaluate(self, split: str = "test") -> dict[str, float]:
        """The scores of the weights on `split` (test or val), by the names that they are logged by."""
        with self.explain_errors():
            return self.evaluator(split).scores()

    @short_traceback
    def evaluation(self, split: str = "test") -> Evaluation:
        """What `trainyard evaluate` prints: the scores with intervals, and, of a classification, what lies behind."""
        with self.explain_errors():
            return self.evaluator(split).evaluation()

    def evaluator(self, split: str = "test") -> Evaluator:
        """The task, its data, and the Trainer that scores them on `split`."""
        hardware = self.cfg.hardware
        asked = any(word.startswith("hardware.accelerator=") for word in self.overrides)
        hardware.accelerator = choose_accelerator(hardware.accelerator if asked else "auto")
        check_hardware(hardware)
        configure_torch(hardware)
        limits = {key: self.cfg.trainer.get(key) for key in LIMITS}
        task, data = self.task(), self.data()
        if isinstance(data, Loaders):
            data.take_from(task)
        return Evaluator(task, data, hardware, limits, split)

    @short_traceback
    def robustness(self, split: str = "test") -> list[Disturbed]:
        """The scores under each disturbance of images (noise, blur, JPEG, brightness) or texts (words)."""
        with self._name_in_errors():
            return list(robustness(self.evaluator(split)))

    @short_traceback
    def compare(self, *others: "OpenedRun | str | Path") -> Compared:
        """What differs between this run and others (or folders of runs), in config and scores; print it to read it."""
        return compare_runs([self.path, *(each.path if isinstance(each, OpenedRun) else each for each in others)])

    @short_traceback
    def show(self, out: str | Path | None = None) -> Path:
        """Write the run as one HTML file, by default its own run.html: curves, scores, pictures, config; its name."""
        return write_page(self.path, Path(out) if out is not None else None)

    @short_traceback
    def export(
        self, format: str = "onnx", out: str | Path | None = None, int8: bool = False, dynamic: bool | None = None,
        split: str = "val",
    ) -> Exported:  # fmt: skip
        """Write the network as a file that runs without Trainyard, by default RUN/export/model.onnx, and its card.

        See `trainyard.export.export`. `dynamic` inputs, any number of samples of any length, are the default where the
        format has them; `int8` is compared with fp32 on `split`.
        """
        dynamic = format not in FIXED if dynamic is None else dynamic
        name = f"model{'.int8' if int8 else ''}{SUFFIXES.get(format, '')}"
        request = Request(Path(out or self.path / "export" / name), format, int8, dynamic, split)
        with self._name_in_errors():
            task, data = self._predictor
            return export(task, data, request, card_facts(self, task, data))

    @short_traceback
    def explain(
        self,
        inputs: Any = (),
        method: str = "",
        target: str | int | None = None,
        check: bool = False,
        samples: int = 0,
        device: str = "auto",
    ) -> "list[Explanation]":
        """Why the network predicts what it does: for each input (as `predict` takes them) values of its parts.

        Texts are strings. `samples` of the test split follow the inputs. See `trainyard.explain.explain.Explainer`; an
        `Explanation` has `values`, `figure()`, `page()` and `save(folder)`.
        """

        def refuse(sentence: str) -> None:
            raise UserError(f"{self.path}: {sentence}")

        from trainyard.explain.samples import from_values

        options = {"method": method, "target": target, "check": check, "device": device}
        return list(self.explain_each(from_values(inputs), refuse, samples, **options))

    def explain_each(
        self, inputs: Iterable[Any], refuse: Callable[[str], object], samples: int = 0, **options: Any
    ) -> "Iterator[Explanation]":
        """As `explain`, one at a time; `refuse` is called with a sentence for each input that cannot be read."""
        from trainyard.explain.explain import explain_each

        with self._name_in_errors():
            yield from explain_each(*self._predictor, inputs, refuse, samples, **options)

    @short_traceback
    def serve(self, port: int = 8000, host: str = "127.0.0.1", device: str = "auto", **options: Any) -> None:
        """Answer requests over HTTP, with a page for a browser, until Ctrl-C; see `trainyard.serving.serve.serve`."""
        from trainyard.serving.address import Address
        from trainyard.serving.serve import serve

        with self._name_in_errors():
            serve(*self._predictor, Address(port, host, options.pop("names", ())), device, **options)

    @contextmanager
    def _name_in_errors(self) -> Iterator[None]:
        try:
            with self.explain_errors():
                yield
        except ValueError as error:
            raise UserError(f"{self.path}: {error}") from error
