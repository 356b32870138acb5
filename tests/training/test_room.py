"""A network that knows what it needs is refused before its training where there is less memory."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import trainyard
from trainyard.errors import UserError
from trainyard.models.layers import memory
from trainyard.models.quantum import Quantum
from trainyard.training.room import check_room

WORDS = ["data=xor", "data.batch_size=64", "model=quantum", "model.encoder=null", "model.qubits=10", "hardware=cpu"]


@pytest.fixture(autouse=True)
def little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "limit").write_text("2000000")
    monkeypatch.setattr(memory, "LIMIT", tmp_path / "limit")


def test_a_batch_that_finds_no_room_is_refused(tmp_path: Path) -> None:
    """Bytes wanted, 64 samples x 19 states of 2^10 pairs of fp32, and bytes there; no run directory."""
    message = (
        r"model=quantum takes at least 9,961,472 bytes \(0.0 GB\) for a batch of data.batch_size=64, and this mach"
    )
    with pytest.raises(UserError, match=message + r"ine has 2,000,000 bytes \(0.0 GB\); use a smaller batch"):
        trainyard.train([*WORDS, f"run.root={tmp_path}/outputs"])
    assert not (tmp_path / "outputs").exists()


def test_an_evaluation_keeps_nothing_for_gradients_and_processes_share_a_batch() -> None:
    net, hardware = Quantum([2], 2, qubits=10, encoder=None), SimpleNamespace(accelerator="cpu", num_nodes=1)
    sizes = {"data.batch_size": 8, "data.eval_batch_size": 60}
    check_room(net, sizes, hardware, "net")
    with pytest.raises(UserError, match="takes at least 2,031,616 bytes .* of data.eval_batch_size=62, and"):
        check_room(net, {**sizes, "data.eval_batch_size": 62}, hardware, "net")
    with pytest.raises(UserError, match="takes at least 2,179,072 bytes .* of data.batch_size=14, and"):
        check_room(net, {**sizes, "data.batch_size": 14}, hardware, "net")
    check_room(net, {**sizes, "data.batch_size": 14}, SimpleNamespace(accelerator="cpu", num_nodes=2), "net")
