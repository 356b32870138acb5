"""Hybrid network with a quantum layer (dressed quantum circuit; Mari et al., 2020), simulated."""

from math import prod

from torch import Tensor, nn

from trainyard.models.layers.heads import num_logits
from trainyard.models.layers.quantum import QuantumLayer


class Quantum(nn.Module):
    """Flatten, a linear encoder with tanh to `encoder` features (None: none), a quantum layer, a linear head."""

    def __init__(
        self,
        shape: list[int],
        num_classes: int | None,
        qubits: int = 4,
        depth: int = 3,
        rotations: str = "xyz",
        encoder: int | None = 8,
        num_outputs: int | None = None,
    ) -> None:
        super().__init__()
        features = prod(shape)
        self.encoder = nn.Flatten()
        if encoder is not None:
            if encoder < 1:
                raise ValueError(f"encoder={encoder}: a linear encoder needs at least 1 feature; null leaves it out")
            self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(features, encoder), nn.Tanh())
        self.circuit = QuantumLayer(encoder or features, qubits, qubits, depth, rotations)
        self.head = nn.Linear(qubits, num_logits(num_classes, num_outputs))

    def forward(self, x: Tensor) -> Tensor:  # (B, *shape) -> (B, num_logits)
        return self.head(self.circuit(self.encoder(x)))
