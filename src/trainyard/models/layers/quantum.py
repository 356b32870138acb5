"""A layer of simulated qubits (data re-uploading; Pérez-Salinas et al., 2020): rotations by the inputs, CNOTs, <Z>.

All in real numbers, which ONNX and autocast know: a complex matrix U is [[Re U, -Im U], [Im U, Re U]], and the state
(B, 2, 2^qubits) has its real parts first. Qubit 0 is the first factor of the Kronecker product.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainyard.models.layers.memory import check_one_sample

GENERATORS = {  # -i times a Pauli matrix, as real numbers
    "x": [[0, 0, 0, 1], [0, 0, 1, 0], [0, -1, 0, 0], [-1, 0, 0, 0]],
    "y": [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]],
    "z": [[0, 0, 1, 0], [0, 0, 0, -1], [-1, 0, 0, 0], [0, 1, 0, 0]],
}


class QuantumLayer(nn.Module):
    """`in_features` numbers turn qubits; <Z> of the first `out_features` of them, each from -1 to 1.

    Each of `depth` layers turns every qubit about the axes `rotations`, by trained scale x feature + shift, and applies
    a ring of CNOTs. Features are taken in order, and again from the first after the last. `qubits`: `out_features` of
    them where it is None. Scales begin at 1 / sqrt(angles of a qubit). Computed in fp32 also under autocast.
    """

    feature: Tensor  # (angles), which one turns by each angle
    ring: Tensor

    def __init__(
        self, in_features: int, out_features: int, qubits: int | None = None, depth: int = 3, rotations: str = "xyz"
    ) -> None:
        super().__init__()
        qubits = out_features if qubits is None else qubits
        angles = depth * qubits * len(rotations)
        check_circuit(in_features, out_features, qubits, depth, rotations)
        self.out_features, self.qubits, self.depth, self.rotations = out_features, qubits, depth, rotations
        check_one_sample(f"qubits={qubits}", self.bytes_needed(1, training=False))
        self.scale = nn.Parameter(torch.full((angles,), (qubits / angles) ** 0.5))
        self.shift = nn.Parameter(torch.empty(angles).uniform_(-pi, pi))
        self.register_buffer("feature", torch.arange(angles) % in_features, persistent=False)
        self.register_buffer("ring", cnot_ring(qubits), persistent=False)

    def forward(self, x: Tensor) -> Tensor:  # (B, in_features) -> (B, out_features)
        with full_precision(x.device.type):
            angles = x[:, self.feature].to(torch.promote_types(x.dtype, torch.float32)) * self.scale + self.shift
            gates = turns(angles.view(-1, self.depth, self.qubits, len(self.rotations)), self.rotations)
            return measured(simulate(gates, self.ring), self.out_features).to(self.scale.dtype)

    def bytes_needed(self, samples: int, training: bool = True) -> int:
        """The least for a batch: 4 states in use and, for autograd, the state before each pair of gates."""
        states = 4 + training * self.depth * ((self.qubits + 1) // 2)
        return samples * states * 2 * 4 * 2**self.qubits


def turns(angles: Tensor, rotations: str) -> Tensor:  # (..., len(rotations)) -> (..., 4, 4)
    """The product of rotations about these axes, the first of them at the right: cos(a/2) + sin(a/2) (-i Pauli)."""
    one = torch.eye(4, dtype=angles.dtype, device=angles.device)
    gates = []
    for angle, axis in zip((angles / 2)[..., None, None].unbind(-3), rotations, strict=True):
        generator = torch.tensor(GENERATORS[axis], dtype=angles.dtype, device=angles.device)
        gates.append(angle.cos() * one + angle.sin() * generator)
    return reduce(lambda product, gate: gate @ product, gates)


def simulate(gates: Tensor, ring: Tensor) -> Tensor:  # (B, depth, qubits, 4, 4), (2^qubits) -> (B, 2, 2^qubits)
    """The state of qubits that begin as |0...0>, after layers of a gate for each qubit and a permutation `ring`."""
    batch, _, qubits = gates.shape[:3]
    state = F.pad(gates.new_ones(batch, 1), (0, 2 * 2**qubits - 1))
    for layer in zip(*(each.unbind(1) for each in in_pairs(gates)), strict=True):
        for gate in layer:  # on the first qubits, which become the last ones
            size = gate.shape[-1] // 2
            state = gate @ state.reshape(batch, 2 * size, -1)
            state = state.view(batch, 2, size, -1).transpose(2, 3)
        state = state.reshape(batch, 2, -1).index_select(-1, ring)
    return state


def in_pairs(gates: Tensor) -> list[Tensor]:  # (B, depth, qubits, 4, 4) -> each (B, depth, 8, 8), perhaps a last 4 x 4
    """The Kronecker products of gates of neighbors: half as many operations on the state."""
    first, second = (gates[:, :, start : gates.shape[2] // 2 * 2 : 2] for start in (0, 1))
    first, second = (each.unflatten(-1, (2, 2)).unflatten(-3, (2, 2)) for each in (first, second))
    pairs = torch.einsum("...aibj,...bkcl->...aikcjl", first, second).flatten(-3).flatten(-4, -2)
    return [*pairs.unbind(2), *([gates[:, :, -1]] if gates.shape[2] % 2 else [])]


def measured(state: Tensor, count: int) -> Tensor:  # (B, 2, 2^qubits) -> (B, count)
    """<Z> of the first qubits: the probability of 0 less that of 1, each qubit summed over for those after it."""
    probabilities, values = state.square().sum(1), []
    for _ in range(count):
        zero, one = probabilities.unflatten(1, (2, -1)).unbind(1)
        values.append((zero - one).sum(1))
        probabilities = zero + one
    return torch.stack(values, dim=1)


def cnot_ring(qubits: int) -> Tensor:  # (2^qubits)
    """Which old amplitude is each new one, after CNOTs of qubit 0 on 1, 1 on 2, ... and of the last on 0."""
    source = torch.arange(2**qubits)
    for control in reversed(range(qubits if qubits > 1 else 0)):  # the last gate's source is looked up first
        target = (control + 1) % qubits
        source = source ^ ((source >> (qubits - 1 - control) & 1) << (qubits - 1 - target))
    return source


def check_circuit(in_features: int, out_features: int, qubits: int, depth: int, rotations: str) -> None:
    """Raise ValueError for sizes that make no circuit, or one that does not read every feature."""
    if min(in_features, out_features, qubits, depth) < 1:
        raise ValueError(
            f"in_features={in_features}, out_features={out_features}, qubits={qubits} and depth={depth} must all be at "
            "least 1"
        )
    if not rotations or set(rotations) - set(GENERATORS):
        raise ValueError(f"rotations={rotations} must be axes of x, y and z, such as xyz or zy")
    if out_features > qubits:
        raise ValueError(f"out_features={out_features} are more than qubits={qubits}, of which each gives one number")
    if in_features > (angles := depth * qubits * len(rotations)):
        raise ValueError(
            f"in_features={in_features} are more than the circuit's {angles} angles (depth={depth} x qubits={qubits} x "
            f"rotations={rotations}); use more of these, or an encoder to fewer features"
        )


def full_precision(device: str) -> AbstractContextManager:
    """Within `with`, matrices are multiplied as they are, although autocast is on."""
    on = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if on else nullcontext()
