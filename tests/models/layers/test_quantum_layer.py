"""Simulated qubits: equal to matrices written out, their gradients to the parameter-shift rule, their norm 1."""

from functools import reduce

import pytest
import torch
from torch import Tensor, nn

from trainyard.models.layers import memory
from trainyard.models.layers.quantum import QuantumLayer, cnot_ring, in_pairs, simulate, turns
from trainyard.models.quantum import Quantum

PAULI = {
    "x": torch.tensor([[0, 1], [1, 0]], dtype=torch.complex128),
    "y": torch.tensor([[0, -1j], [1j, 0]], dtype=torch.complex128),
    "z": torch.tensor([[1, 0], [0, -1]], dtype=torch.complex128),
}


def layer(in_features: int = 3, out_features: int = 3, **sizes) -> QuantumLayer:
    torch.manual_seed(0)
    made = QuantumLayer(in_features, out_features, **sizes).double()
    nn.init.normal_(made.scale)
    return made


def on(qubit: int, qubits: int, matrix: Tensor) -> Tensor:
    """A matrix on one qubit, as one on all: a Kronecker product."""
    one = torch.eye(2, dtype=torch.complex128)
    return reduce(torch.kron, [matrix if i == qubit else one for i in range(qubits)])


def cnot(control: int, target: int, qubits: int) -> Tensor:
    off, up = torch.diag(torch.tensor([1, 0])), torch.diag(torch.tensor([0, 1]))
    flipped = on(control, qubits, up.to(torch.complex128)) @ on(target, qubits, PAULI["x"])
    return on(control, qubits, off.to(torch.complex128)) + flipped


def by_matrices(net: QuantumLayer, x: Tensor) -> Tensor:  # (in_features) -> (out_features)
    """The circuit as its definition has it: matrices of all qubits, exp(-i angle/2 Pauli)."""
    qubits, state = net.qubits, torch.zeros(2**net.qubits, dtype=torch.complex128)
    state[0] = 1
    angles = iter((x[torch.arange(len(net.scale)) % len(x)] * net.scale + net.shift).tolist())
    for _ in range(net.depth):
        for qubit in range(qubits):
            for axis in net.rotations:
                state = torch.linalg.matrix_exp(-0.5j * next(angles) * on(qubit, qubits, PAULI[axis])) @ state
        for control in range(qubits if qubits > 1 else 0):
            state = cnot(control, (control + 1) % qubits, qubits) @ state
    values = [state.conj() @ on(qubit, qubits, PAULI["z"]) @ state for qubit in range(net.out_features)]
    return torch.stack(values).real


CIRCUITS = [(1, 2, "xyz"), (2, 1, "x"), (2, 3, "zyz"), (3, 2, "yx"), (4, 2, "xyz"), (5, 1, "zx")]


@pytest.mark.parametrize(("qubits", "depth", "rotations"), CIRCUITS)
def test_it_is_the_product_of_its_matrices(qubits: int, depth: int, rotations: str) -> None:
    """Catches a wrong sign, order of gates, order of qubits or ring, with several layers and with odd numbers."""
    net = layer(2, max(1, qubits - 1), qubits=qubits, depth=depth, rotations=rotations)
    x = torch.randn(3, 2, dtype=torch.float64)
    torch.testing.assert_close(net(x), torch.stack([by_matrices(net, each) for each in x.detach()]))


def test_gradients_are_those_of_the_parameter_shift_rule() -> None:
    """(Mitarai et al., 2018; Schuld et al., 2019): half the difference between angles a quarter turn apart."""
    net = layer(3, 3, depth=2)
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    net(x)[:, 1].sum().backward()
    found, inputs = torch.zeros_like(net.shift), torch.zeros_like(x)
    with torch.no_grad():
        for i, value in enumerate(net.shift.tolist()):
            sides = []
            for turn in (torch.pi / 2, -torch.pi / 2):
                net.shift[i] = value + turn
                sides.append(net(x)[:, 1])
            net.shift[i] = value
            slope = (sides[0] - sides[1]) / 2  # of each sample, by this angle
            found[i] = slope.sum()
            inputs[:, i % 3] += slope * net.scale[i]
    assert net.shift.grad is not None and x.grad is not None
    torch.testing.assert_close(net.shift.grad, found)
    torch.testing.assert_close(x.grad, inputs)  # the chain rule through scale x feature + shift
    assert found.abs().max() > 0.1


@pytest.mark.parametrize("qubits", [1, 2, 5, 8])
def test_the_norm_is_kept_and_the_gates_are_unitary(qubits: int) -> None:
    """In fp32, through 20 layers, within a few roundings."""
    torch.manual_seed(0)
    gates = turns(10 * torch.randn(3, 20, qubits, 3), "xyz")
    torch.testing.assert_close(gates @ gates.mT, torch.eye(4).expand_as(gates), atol=1e-6, rtol=0)
    assert [each.shape[-1] for each in in_pairs(gates)] == [8] * (qubits // 2) + [4] * (qubits % 2)
    state = simulate(gates, cnot_ring(qubits))
    torch.testing.assert_close(state.square().sum((1, 2)), torch.ones(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_autocast_leaves_the_simulation_as_it_is(precision: torch.dtype) -> None:
    """The same bits as without, and gradients in fp32."""
    net, x = layer(4, 4).float(), torch.randn(5, 4)
    with torch.autocast("cpu", precision):
        inside = net(x)
        inside.sum().backward()
    assert inside.dtype == torch.float32 and torch.equal(inside, net(x))
    assert net.scale.grad is not None and net.scale.grad.dtype == torch.float32


def test_weights_in_bfloat16_are_simulated_in_fp32() -> None:
    """As with hardware.precision=bf16-true: the outputs are those of fp32, rounded once."""
    net, x = layer(4, 4).bfloat16(), torch.randn(5, 4).bfloat16()
    rounded = net(x)
    assert rounded.dtype == torch.bfloat16 and torch.equal(rounded, net.float()(x.float()).bfloat16())


def test_it_can_stand_in_any_network() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), QuantumLayer(4, 3, qubits=4), nn.Linear(3, 2))
    net(torch.randn(7, 6)).square().sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in net.parameters())


def test_what_autograd_keeps_is_known_beforehand() -> None:
    """`bytes_needed` counts the states that are kept for the backward pass, and little is kept beside them."""
    net, kept = QuantumLayer(8, 11, depth=4), {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        net(torch.randn(16, 8))
    stored = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    states = net.bytes_needed(16) - net.bytes_needed(16, training=False)
    assert states == 4 * 6 * 16 * 2 * 4 * 2**11 and states <= stored <= 1.2 * states
    assert memory.bytes_needed(nn.Sequential(net, nn.Linear(11, 2)), 16) == net.bytes_needed(16)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QuantumLayer(2, 0), "in_features=2, out_features=0, qubits=0 and depth=3 must all be at least 1"),
        (lambda: QuantumLayer(2, 2, rotations="xq"), "rotations=xq must be axes of x, y and z, such as xyz or zy"),
        (lambda: QuantumLayer(2, 2, rotations=""), "rotations= must be axes of x, y and z"),
        (lambda: QuantumLayer(2, 3, qubits=2), "out_features=3 are more than qubits=2, of which each gives one number"),
        (lambda: QuantumLayer(64, 2, depth=2), r"in_features=64 are more than the circuit's 12 angles \(depth=2 x"),
        (lambda: QuantumLayer(2, 50), r"qubits=50: a single sample takes at least [\d,]+ bytes .*, "
         r"and this machine has [\d,]+ bytes \("),
        (lambda: Quantum([2], 2, encoder=0), "encoder=0: a linear encoder needs at least 1 feature"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_the_limit_of_a_container_counts(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LIMIT", tmp_path / "memory.max")
    machine = memory.host_memory()
    (tmp_path / "memory.max").write_text("1000000\n")
    assert memory.host_memory() == 1_000_000
    with pytest.raises(ValueError, match=r"takes at least .* and this machine has 1,000,000 bytes \(0.0 GB\)"):
        QuantumLayer(2, 16)
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.host_memory() == machine
