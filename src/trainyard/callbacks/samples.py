"""What a language model writes, epoch by epoch."""

from collections.abc import Sequence

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from trainyard.generation import can_write, continued


class Samples(Callback):
    """After each validation a causal language model goes on with the prompts: TensorBoard's TEXT tab.

    The draws are the same ones each time, from a generator of their own. Other networks are left alone.
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
        if trainer.sanity_checking or not can_write(net) or not loggers:  # pyright: ignore
            return
        data = trainer.datamodule  # pyright: ignore
        for prompt in self.prompts:
            room = min(self.max_new_tokens, net.max_length - 1 - len(prompt))  # pyright: ignore  # a token is a letter at least
            if room < 1:
                continue
            (text,) = continued(net, data, prompt, room, **self.sampling)  # pyright: ignore
            for logger in loggers:
                tag = f"samples/{prompt or 'from nothing'}"
                logger.experiment.add_text(tag, text, trainer.global_step)
