"""FLOPs of kernels that torch's own counter does not know, against the same computation from matrix products."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from trainyard.flops import flop_counter


def test_attention_on_a_cpu_counts_as_its_two_products() -> None:
    q, k, v = torch.randn(2, 3, 16, 8), torch.randn(2, 3, 20, 8), torch.randn(2, 3, 20, 8)
    counts = []
    for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.MATH):
        with flop_counter() as counter, sdpa_kernel(backend):
            F.scaled_dot_product_attention(q, k, v)
        counts.append(counter.get_total_flops())
    assert counts[0] == counts[1] == 2 * 2 * (2 * 3) * 16 * 20 * 8


def test_an_lstm_counts_the_products_with_its_matrices() -> None:
    net = nn.LSTM(6, 8, num_layers=2, bidirectional=True, batch_first=True).eval()
    with torch.no_grad(), flop_counter() as counter:
        net(torch.randn(3, 5, 6))
    matrices = sum(weight.numel() for weight in net.parameters() if weight.ndim == 2)
    assert counter.get_total_flops() == 2 * 3 * 5 * matrices


def test_a_linear_layer_counts_as_it_does_in_torch() -> None:
    with flop_counter() as counter:
        nn.Linear(4, 7)(torch.randn(3, 4))
    assert counter.get_total_flops() == 2 * 3 * 4 * 7
