"""Predictions as text."""

import torch

from trainyard.inference.formats import as_table
from trainyard.inference.inputs import Input
from trainyard.inference.predict import Prediction


def test_the_columns_of_a_table_begin_below_their_names() -> None:
    found = [Prediction(Input(name, None), torch.tensor([0.25, 0.75]), None) for name in ("0,1", "a longer name")]
    for predictions in (found[:1], found):
        head, *rows = as_table(predictions, ["no", "yes"], 2)
        assert [row.index("yes") for row in rows] == [head.index("label")] * len(predictions)
        assert [row.index("no 0.25") for row in rows] == [head.index("next")] * len(predictions)
