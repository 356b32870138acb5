"""Predict the next token (Bengio et al., 2003)."""

from math import log

from trainyard.tasks.base import STAGES
from trainyard.tasks.language import LanguageModel


class CausalLM(LanguageModel):
    """Also logs bits_per_character, which can be compared between tokenizers, if the data counts characters.

    (With a tokenizer that has an [UNK] token the value is too low: all unknown words are one token.)
    """

    causal = True

    def scores(self) -> list[str]:
        return [*super().scores(), *(f"{stage}/bits_per_character" for stage in STAGES)]

    def log_metrics(self, stage: str) -> None:
        loss = self.stage_meters(stage)["loss"].compute()
        super().log_metrics(stage)
        ratios = getattr(getattr(self.trainer, "datamodule", None), "characters_per_token", {})
        if stage in ratios:
            self.log(f"{stage}/bits_per_character", loss / log(2) / ratios[stage], on_step=False, on_epoch=True)
