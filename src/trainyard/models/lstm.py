"""Long short-term memory (Hochreiter & Schmidhuber, 1997)."""

from torch import nn

from trainyard.models.recurrent import Recurrent


class LSTM(Recurrent):
    """A recurrent network of LSTM cells; the article's has layers [64, 32]."""

    cell = nn.LSTM
