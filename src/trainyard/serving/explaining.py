"""Explanations of predictions, one at a time, beside the predictions."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any

from trainyard.errors import UserError, printable
from trainyard.explain.methods import fitting_methods, kind_of
from trainyard.serving.answers import explained
from trainyard.serving.limits import Limits, RefusedError, busy
from trainyard.serving.served import Prepared, Served
from trainyard.tasks.base import Task
from trainyard.tasks.ordinal import Ordinal

log = logging.getLogger(__name__)


class Explaining:
    """Explains inputs in a thread of its own, with a copy of the network, whose hooks disturb no prediction.

    `RefusedError` (503) where more than `limits.explanations` would wait.
    """

    def __init__(self, served: Served, limits: Limits) -> None:
        self.served, self.limits = served, limits
        has_scores = served.labels and not isinstance(served.task, Ordinal)
        self.methods = fitting_methods(served.task.net, kind_of(served.data)) if has_scores else ()
        self.thread = ThreadPoolExecutor(1, "explain")
        self.task: Task | None = None
        self.waiting = 0

    async def explain(self, prepared: Prepared, method: str, target: str | None) -> dict[str, Any]:
        """Why the network predicts what it does, by a method (by default its own), for a class (the predicted one)."""
        if self.waiting >= self.limits.explanations:
            raise busy(f"{self.waiting} explanations wait")
        self.waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self.thread, self.work, prepared, method, target)
        future.add_done_callback(self.done)
        return await asyncio.shield(future)  # a request that ends early does not make room before the thread has

    def done(self, future: "asyncio.Future[Any]") -> None:
        """Count an explanation as done, also one that nobody waits for any more."""
        self.waiting -= 1
        if not future.cancelled():
            future.exception()

    def work(self, prepared: Prepared, method: str, target: str | None) -> dict[str, Any]:
        """In the thread."""
        from trainyard.explain.explain import Explainer
        from trainyard.explain.samples import Sample

        if self.task is None:
            self.task = deepcopy(self.served.task)
        value = prepared.text if prepared.words else prepared.tensor.numpy()
        device = str(self.served.predictor.device)
        try:
            explainer = Explainer(self.task, self.served.data, method, target, device=device)
        except ValueError as error:  # of the method or the class that was asked for
            raise RefusedError(422, printable(error, 300)) from error
        try:
            return explained(explainer.explain(Sample("the input", value)))
        except ValueError as error:
            log.warning("an explanation by %s: %s", explainer.method, error)
            raise RefusedError(422, f"the input cannot be explained by {explainer.method}") from error
        except UserError as error:  # an extra that is not installed
            raise RefusedError(501, f"this explanation cannot be made: {error}") from error
