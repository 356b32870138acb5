"""IMDB's reviews in blocks for replaced-token detection."""

from trainyard.data.imdb import IMDB
from trainyard.data.loading.text_blocks import ReplacedBlocks


class IMDBRTD(ReplacedBlocks, IMDB):
    """A stream of whole reviews in blocks of `max_length` tokens, some of them masked, and what decides their place."""

    tokens_of = "imdbmlm"
