"""IMDB's reviews as text with gaps: blocks for masked language modelling."""

from trainyard.data.blocks import MaskedBlocks
from trainyard.data.imdb import IMDB


class IMDBMLM(MaskedBlocks, IMDB):
    """Hidden tokens are to be found; a stream of whole reviews in blocks of `max_length`."""
