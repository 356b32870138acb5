"""Texts that a language model generates after each validation."""

import logging
from collections.abc import Sequence

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from trainyard.collectives import is_sharded, usable_weights
from trainyard.inference.generate import can_generate, generate_texts, prompt_tokens
from trainyard.tasks.lightning_module import network_of

log = logging.getLogger(__name__)


class GeneratedText(Callback):
    """After each validation, log a causal language model's continuations of the prompts to TensorBoard.

    The draws are the same each time, from a generator of their own. Other networks generate nothing.
    """

    def __init__(
        self,
        prompts: Sequence[str] = ("", "This film"),
        max_new_tokens: int = 60,
        temperature: float = 0.8,
        top_k: int | None = None,
        top_p: float | None = 0.95,
    ) -> None:
        self.prompts, self.max_new_tokens = list(prompts), max_new_tokens
        self.room: dict[str, int] = {}  # of each prompt that fits: how many tokens may follow
        self.sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the tokens of each prompt, and warn about one that cannot be continued."""
        net, data = network_of(pl_module), trainer.datamodule  # pyright: ignore
        for prompt in self.prompts if can_generate(net, data) else []:  # pyright: ignore
            try:
                self.room[prompt] = net.max_length - len(prompt_tokens(net, data, prompt))  # pyright: ignore
            except ValueError as error:
                log.warning("callbacks.samples.prompts: %s (it is left out)", error)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        net, data = network_of(pl_module), trainer.datamodule  # pyright: ignore
        is_needed = trainer.is_global_zero or is_sharded(net)  # pyright: ignore
        if trainer.sanity_checking or not loggers or not is_needed:
            return
        for prompt, room in self.room.items():
            new = min(self.max_new_tokens, room)
            with usable_weights(net):  # pyright: ignore
                (text,) = generate_texts(net, data, prompt, new, **self.sampling)  # pyright: ignore
            for logger in loggers:  # in other processes than the first one, they write nothing
                tag = f"samples/{prompt or 'from nothing'}"
                logger.experiment.add_text(tag, text, trainer.global_step)
