"""Predict masked tokens (Devlin et al., 2018)."""

from trainyard.tasks.language import LanguageModel


class MaskedLM(LanguageModel):
    """The loss is that of the masked tokens alone."""

    causal = False
