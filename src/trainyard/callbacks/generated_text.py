"""Texts that a language model generates after each validation."""

from collections.abc import Sequence

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from trainyard.inference.generate import generate_texts, is_causal_language_model


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
        self.sampling = {"temperature": temperature, "top_k": top_k, "top_p": top_p}

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        net = pl_module.net
        loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if trainer.sanity_checking or not is_causal_language_model(net) or not loggers:  # pyright: ignore
            return
        data = trainer.datamodule  # pyright: ignore
        for prompt in self.prompts:
            room = min(self.max_new_tokens, net.max_length - 1 - len(prompt))  # a token is at least one character
            if room < 1:
                continue
            (text,) = generate_texts(net, data, prompt, room, **self.sampling)  # pyright: ignore
            for logger in loggers:
                tag = f"samples/{prompt or 'from nothing'}"
                logger.experiment.add_text(tag, text, trainer.global_step)
