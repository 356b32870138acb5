"""Gated recurrent unit (Cho et al., 2014)."""

from torch import nn

from trainyard.models.recurrent import Recurrent


class GRU(Recurrent):
    """A recurrent network of GRU cells; the article's has layers [64]."""

    cell = nn.GRU
