"""IMDB's reviews as text to continue: blocks for causal language modelling."""

from trainyard.data.blocks import CausalBlocks
from trainyard.data.imdb import IMDB


class IMDBLM(CausalBlocks, IMDB):
    """Each target is the token after; a stream of whole reviews in blocks of `max_length`."""
