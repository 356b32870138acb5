"""Attention weights are those that the layers used; rollout and readout are what the papers say."""

import pytest
import torch
from explained import ATTENTIVE, subject

from trainyard.explain.attention import attention_weights, has_class_token, readout, rollout
from trainyard.explain.attribute import attribute
from trainyard.models.bert import BERT
from trainyard.models.layers.attention import SelfAttention


@pytest.mark.parametrize("name", ATTENTIVE)
def test_rows_sum_to_one_and_weigh_the_values_as_the_layer_did(name: str) -> None:
    found, calls = subject(name), []
    layers = [module for module in found.net.modules() if isinstance(module, SelfAttention)]
    handles = [layer.register_forward_hook(lambda *call: calls.append(call)) for layer in layers]
    weights = attention_weights(found.net, found.inputs)
    for handle in handles:
        handle.remove()
    assert len(weights) == len(layers) == len(calls) == 2
    for weight, (layer, args, output) in zip(weights, calls, strict=True):
        torch.testing.assert_close(weight.sum(-1), torch.ones(weight.shape[:-1]))
        assert weight.std() > 0.001  # else any weights would pass
        _, _, v = layer.project(args[0])
        torch.testing.assert_close(layer.out((weight @ v).transpose(1, 2).flatten(2)), output)
        assert not layer._forward_pre_hooks


def test_padding_gets_no_attention_and_causal_heads_see_no_later_word() -> None:
    found = subject("bert")
    padded = torch.cat([found.inputs, torch.zeros(1, 3, dtype=torch.long)], dim=1)
    assert all(weight[..., -3:].max() == 0 for weight in attention_weights(found.net, padded))
    found = subject("gpt")
    assert all(weight.triu(1).max() == 0 for weight in attention_weights(found.net, found.inputs))


def test_rollout_multiplies_the_blocks_last_one_first() -> None:
    torch.manual_seed(0)
    first, second = torch.rand(2, 1, 3, 4, 4).softmax(-1)
    one, two = (0.5 * block.mean(1) + 0.5 * torch.eye(4) for block in (first, second))
    found = rollout([first, second])
    torch.testing.assert_close(found, two @ one)
    assert not torch.allclose(found, one @ two)
    torch.testing.assert_close(found.sum(-1), torch.ones(1, 4))


@pytest.mark.parametrize("name", ATTENTIVE)
def test_the_readout_names_the_tokens_that_the_head_depends_on(name: str) -> None:
    """A change of the last block's output at any other token leaves the logits as they are."""
    found = subject(name)
    length = found.inputs.shape[1] if found.words else 16
    length += has_class_token(found.net)
    read = readout(found.net, length)

    def change(place: int) -> torch.Tensor:
        def hook(module, args, output):
            output = output.clone()
            output[:, place] += torch.arange(output.shape[-1])
            return output

        handle = found.net.blocks.register_forward_hook(hook)
        try:
            return found.net(found.inputs)
        finally:
            handle.remove()

    with torch.no_grad():
        whole = found.net(found.inputs)
        depends = [not torch.allclose(change(place), whole) for place in range(length)]
    assert depends == (read > 0).tolist() and float(read.sum()) == pytest.approx(1)


def test_rollout_and_heads_have_a_value_for_each_pixel_and_word() -> None:
    image, text = subject("vit"), subject("bert")
    values, _ = attribute("rollout", image, 0)
    assert values.shape == (32, 32) and len(values[:8, :8].unique()) == 1 and len(values.unique()) == 16
    assert attribute("heads", image, 0)[0].shape == (2, 2, 4, 4)
    assert attribute("rollout", text, 0)[0].shape == (8,)
    heads, _ = attribute("heads", text, 0)
    weights = attention_weights(text.net, text.inputs)
    torch.testing.assert_close(heads, torch.stack(weights)[:, 0, :, 1:, 1:])  # a word is a token here


def test_mean_pooling_reads_all_words_but_the_class_token() -> None:
    net = BERT(300, 32, 2, dim=16, depth=1, heads=2, ff_dim=32, pool="mean")
    assert readout(net, 5).tolist() == [0, 0.25, 0.25, 0.25, 0.25]
