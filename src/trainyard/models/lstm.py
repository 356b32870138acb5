"""Long short-term memory (Hochreiter & Schmidhuber, 1997)."""

from torch import nn

from trainyard.models.layers.recurrent import Recurrent


class LSTM(Recurrent):
    """A recurrent network with LSTM cells; the article's has layers [64, 32]."""

    cell = nn.LSTM
