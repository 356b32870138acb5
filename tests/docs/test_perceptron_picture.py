"""docs/images/perceptron.png is drawn by its command, from networks that were trained."""

import sys
from pathlib import Path

import pytest
from conftest import ROOT
from PIL import Image

sys.path.insert(0, str(ROOT / "docs"))
import perceptron


@pytest.mark.slow
def test_the_perceptrons_limit_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AND is solved, XOR not by one line; a few epochs are enough for that, and for two qubits."""
    monkeypatch.setattr(perceptron, "PICTURE", tmp_path / "picture.png")
    right = perceptron.draw(["trainer.max_epochs=50", "trainer.check_val_every_n_epoch=5"])
    assert right["and_perceptron"] == right["xor_quantum"] == 4 and right["xor_perceptron"] <= 3
    with Image.open(tmp_path / "picture.png") as drawn, Image.open(ROOT / "docs/images/perceptron.png") as shown:
        assert drawn.size == shown.size
