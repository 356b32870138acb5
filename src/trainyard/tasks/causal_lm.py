"""Predict the next token (Bengio et al., 2003)."""

from math import log

from trainyard.tasks.language import LanguageModel


class CausalLM(LanguageModel):
    """Also logs bits_per_character, which can be compared between tokenizers, where the data knows its characters.

    (A tokenizer with unknown words need not tell them apart, so that its value is too low.)
    """

    causal = True

    def report(self, stage: str) -> None:
        loss = self.stage_meters(stage)["loss"].compute()
        super().report(stage)
        ratios = getattr(getattr(self.trainer, "datamodule", None), "characters_per_token", {})
        if stage in ratios:
            self.log(f"{stage}/bits_per_character", loss / log(2) / ratios[stage], on_step=False, on_epoch=True)
