"""IMDB's reviews in blocks for masked language modeling."""

from trainyard.data.imdb import IMDB
from trainyard.data.loading.text_blocks import MaskedBlocks


class IMDBMLM(MaskedBlocks, IMDB):
    """A stream of whole reviews in blocks of `max_length` tokens; the targets are the masked tokens."""
