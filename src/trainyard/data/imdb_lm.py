"""IMDB's reviews in blocks for causal language modeling."""

from trainyard.data.imdb import IMDB
from trainyard.data.loading.text_blocks import CausalBlocks


class IMDBLM(CausalBlocks, IMDB):
    """A stream of whole reviews in blocks of `max_length` tokens; each target is the next token."""
