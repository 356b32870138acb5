"""Attributions have the properties that define them."""

import pytest
import torch
import torch.nn.functional as F
from explained import NETS, TEXT_NETS, image, network, subject
from torch import Tensor, nn

from trainyard.explain.attribute import attribute
from trainyard.explain.gradcam import gradcam, last_feature_map
from trainyard.explain.gradients import gradient_x_input, integrated_gradients, occlusion, saliency
from trainyard.explain.scores import class_scores, differentiable
from trainyard.models.cnn import CNN
from trainyard.models.vgg16 import VGG16


def linear() -> tuple[nn.Linear, Tensor]:
    torch.manual_seed(0)
    return nn.Linear(5, 3), torch.randn(1, 5)


@pytest.mark.parametrize("method", [gradient_x_input, occlusion, lambda *args: integrated_gradients(*args)[0]])
def test_of_a_linear_network_every_method_finds_weight_times_input(method) -> None:
    net, x = linear()
    torch.testing.assert_close(method(class_scores(net), x, 1), x * net.weight[1:2], rtol=1e-4, atol=1e-5)


def test_saliency_is_the_size_of_the_gradient() -> None:
    net, x = linear()
    torch.testing.assert_close(saliency(class_scores(net), x, 2), net.weight[2:3].abs().detach())


def test_the_classes_of_a_single_logit_are_opposed() -> None:
    """The logit of class 0 is otherwise constant, and nothing would explain it."""
    net, x = nn.Linear(5, 1), torch.randn(1, 5)
    first, second = (gradient_x_input(class_scores(net), x, target) for target in (0, 1))
    assert torch.equal(first, -second) and first.abs().sum() > 0


@pytest.mark.parametrize("name", NETS)
def test_integrated_gradients_are_complete_and_say_so(name: str) -> None:
    found = subject(name)
    with differentiable(found.net):
        values, (note,) = attribute("integrated_gradients", found, 1)
    with torch.no_grad():
        x = found.inputs
        score = found.scores()(x)[0, 1]
        assert note.startswith(f"completeness: attributions sum to {float(values.sum()):.4f}, score - baseline is")
        if found.words is None:
            assert float(values.sum()) == pytest.approx(float(score - found.scores()(0 * x)[0, 1]), rel=0.02, abs=1e-4)
    assert "%" in note and "jumps" not in note


def test_a_jump_of_the_score_is_told_and_not_hidden() -> None:
    def step(x: Tensor) -> Tensor:
        return torch.stack([x.sum(1), (x.sum(1) > 0.5).float() + 0.01 * x.sum(1)], dim=1)

    _, completeness = integrated_gradients(step, torch.ones(1, 2), 1)
    assert completeness.error > 0.9 and "the score jumps on the way" in str(completeness)


@pytest.mark.parametrize("name", TEXT_NETS)
def test_a_text_through_its_embeddings_has_the_score_of_its_tokens(name: str) -> None:
    from trainyard.explain.words import embedded, scores_of_embeddings

    found = subject(name)
    vectors = embedded(found.net, found.inputs)
    twice = scores_of_embeddings(found.net, found.scores())(vectors.expand(2, -1, -1), found.inputs)
    torch.testing.assert_close(twice, found.scores()(found.inputs).expand(2, -1))
    assert not found.net.embedding._forward_hooks


def test_a_bag_of_words_divides_the_score_among_its_words() -> None:
    """The network is linear in its embeddings: without its bias, the words' values add up to the logit."""
    found = subject("bow")
    values, _ = attribute("gradient_x_input", found, 1)
    with torch.no_grad():
        logit = found.net(found.inputs)[0, 0] - found.net.head.bias[0]
    assert len(values) == 8 and float(values.sum()) == pytest.approx(float(logit), abs=1e-6)


@pytest.mark.parametrize("name", TEXT_NETS)
def test_occlusion_of_a_word_is_what_its_omission_costs(name: str) -> None:
    found = subject(name)
    values, _ = attribute("occlusion", found, 1)
    shorter = torch.cat([found.inputs[:, :1], found.inputs[:, 2:]], dim=1)
    with torch.no_grad():
        cost = found.scores()(found.inputs)[0, 1] - found.scores()(shorter)[0, 1]
    assert float(values[1]) == pytest.approx(float(cost), abs=1e-5)


def test_gradcam_of_pooled_maps_is_the_class_activation_map() -> None:
    """Where a linear head reads mean-pooled maps, the gradients are its weights (Zhou et al., 2016)."""
    net, x = network("resnet"), image()
    with torch.no_grad():
        maps = net.stages(net.stem(x))
        cam = (maps * net.head.weight[2][:, None, None]).sum(1, keepdim=True).relu() / maps[0, 0].numel()
    expected = F.interpolate(cam, (32, 32), mode="bilinear", align_corners=False)[:, 0]
    assert expected.max() > 0
    torch.testing.assert_close(gradcam(net, class_scores(net), x, 2), expected)


def test_gradcam_reads_the_last_maps_before_they_are_pooled() -> None:
    net = network("resnet")
    assert last_feature_map(net, image()) is net.stages
    net = network("cnn")
    assert isinstance(net, CNN) and last_feature_map(net, image()) is net.body[-4]  # before pooling and dropout
    vgg = VGG16([3, 32, 32], 4).eval()
    assert last_feature_map(vgg, image()) is vgg.base[-2]
    with pytest.raises(ValueError, match="32 x 32 pixels leave no feature map"):
        last_feature_map(network("mlp"), image())


def test_frozen_networks_are_explained_and_no_gradient_is_left() -> None:
    net = network("resnet").requires_grad_(False)
    values = gradcam(net, class_scores(net), image(), 2)
    assert values.shape == (1, 32, 32) and values.max() > 0
    net = network("resnet")
    saliency(class_scores(net), image(), 2)
    assert all(weight.grad is None for weight in net.parameters()) and not net.stages._forward_hooks
