"""Gated recurrent unit (Cho et al., 2014)."""

from torch import nn

from trainyard.models.layers.recurrent import Recurrent


class GRU(Recurrent):
    """A recurrent network with GRU cells; the article's has layers [64]."""

    cell = nn.GRU
