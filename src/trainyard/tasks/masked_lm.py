"""Find the hidden tokens of a text (Devlin et al., 2018)."""

from trainyard.tasks.language import LanguageModel


class MaskedLM(LanguageModel):
    """The loss is that of the hidden tokens alone."""

    causal = False
