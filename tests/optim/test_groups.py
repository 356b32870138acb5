"""Which weights are in which group, on the networks that are there."""

from functools import partial

import pytest
import torch
from torch import nn

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate_task
from trainyard.config.resolve import resolve
from trainyard.optim.groups import decay_groups
from trainyard.optim.layers import hidden_matrices, layers
from trainyard.optim.muon import Muon
from trainyard.optim.schedules import cosine
from trainyard.tasks.base import Task
from trainyard.tasks.classification import Classification


def task(*words: str) -> Task:
    composed = compose(["run.dir=x", *words])
    return instantiate_task(resolve(composed), composed.choices)


@pytest.mark.parametrize(
    ("words", "inside", "outside"),
    [
        (["model=resnet18", "model.width=4"], {"stem.0.weight", "stages.stage4.1.residual.3.weight"}, {"head.weight"}),
        (["model=vit", "model.depth=1"], {"patches.weight"}, {"head.weight", "class_token"}),
        (["model=gpt", "data=imdb_lm", "model.depth=1"], set(), {"embedding.weight"}),
        (["model=gru", "data=reviews"], set(), {"embedding.weight", "head.weight"}),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else None,
)
def test_hidden_matrices_are_neither_embeddings_nor_the_head(
    words: list[str], inside: set[str], outside: set[str]
) -> None:
    made = task(*words, "optimizer=muon")
    hidden = next(group for group in made.parameter_groups() if group["kind"] == "hidden")
    net, held = made.net, {id(weight) for weight in hidden["params"]}
    found = {name for name, weight in net.named_parameters() if id(weight) in held}
    assert inside <= found and not outside & found
    assert found and all(net.get_parameter(name).ndim >= 2 for name in found)
    assert len({name for name in found if "weight" in name}) >= 2  # those of the layers between


def test_where_no_part_is_clearly_the_head_it_has_to_be_named() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 4), nn.Linear(4, 4))
    made = Classification(4, net=net, optimizer=partial(Muon), scheduler=cosine)
    with pytest.raises(ValueError, match="which part of Sequential is its head is not clear; name it as task.head=..."):
        made.parameter_groups()
    assert hidden_matrices(net, ("3",)) == {"0.weight", "2.weight"}


def hidden_of(made: Task) -> int:
    return sum(len(group["params"]) for group in made.parameter_groups() if group["kind"] == "hidden")


def test_all_blocks_of_a_language_model_are_hidden() -> None:
    made = task("model=gpt", "data=imdb_lm", "model.depth=2", "optimizer=muon")
    assert hidden_of(made) == 2 * 4  # queries, keys and values; out; two of the feed-forward network


def test_the_classifier_of_a_text_network_of_others_is_not_hidden() -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.body, self.classifier = nn.Embedding(9, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    made = Classification(2, net=Reader(), optimizer=partial(Muon), scheduler=cosine)
    assert hidden_of(made) == 1


def test_a_matrix_that_is_an_embedding_too_is_none() -> None:
    net = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 3), nn.Linear(3, 5, bias=False), nn.Linear(5, 2))
    net[2].weight = net[0].weight
    assert hidden_matrices(net, ("3",)) == {"1.weight"}


def test_layers_are_blocks_where_a_network_has_them() -> None:
    found = layers(task("model=vit", "model.depth=3").net)
    assert {found["class_token"], found["patches.weight"]} == {0} and found["head.weight"] == 4
    assert {depth for name, depth in found.items() if "blocks.1." in name or ".blocks.1." in name} <= {2}
    assert set(found.values()) == {0, 1, 2, 3, 4}


def test_layers_are_modules_with_a_matrix_elsewhere() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 3), nn.Linear(3, 2))
    assert layers(net) == {
        "0.weight": 0, "0.bias": 0, "1.weight": 0, "1.bias": 0, "2.weight": 1, "2.bias": 1, "3.weight": 2, "3.bias": 2,
    }  # fmt: skip


def test_each_layer_learns_at_a_share_of_the_rate_above() -> None:
    made = task("model=mlp", "data=shapes", "model.widths=[8,8]", "task.layer_decay=0.5", "scheduler=constant")
    rates = {group["name"]: group["lr"] for group in made.make_optimizer(50)["optimizer"].param_groups}
    assert rates == pytest.approx(
        {f"layer{i}/{kind}": 1e-3 * 0.5 ** (2 - i) for i in range(3) for kind in ("matrices", "vectors")}
    )


def test_norms_learn_at_their_own_rate() -> None:
    """Biases and gains of norms, not the bias of a convolution; a step shrinks them as much as it does matrices."""
    made = task("model=airbench", "task.norm_lr_scale=64", "optimizer=sgd", "optimizer.lr=0.5", "scheduler=constant")
    groups = {group["name"]: group for group in made.make_optimizer(50)["optimizer"].param_groups}
    assert {name: group["lr"] for name, group in groups.items()} == {"matrices": 0.5, "vectors": 0.5, "norms": 32.0}
    assert [len(group["params"]) for group in groups.values()] == [8, 1, 12]
    shrinking = {name: group["lr"] * group["weight_decay"] for name, group in groups.items()}
    assert shrinking == pytest.approx({"matrices": 0.5 * 5e-4, "vectors": 0, "norms": 0.5 * 5e-4})
    both = task("model=vit", "task.norm_lr_scale=2", "task.backbone_lr_scale=0.5", "scheduler=constant")
    rates = {group["name"]: group["lr"] for group in both.make_optimizer(50)["optimizer"].param_groups}
    assert rates["backbone/norms"] == rates["head/vectors"] == 2 * rates["backbone/matrices"]


def test_every_weight_is_in_one_group() -> None:
    net = task("model=vit", "model.depth=2").net
    for given in ({}, {"layer_decay": 0.5}, {"backbone_lr_scale": 0.5}, {"splits_hidden": True, "layer_decay": 0.7},
                  {"norm_lr_scale": 3.0, "splits_hidden": True}):  # fmt: skip
        weights = [weight for group in decay_groups(net, **given) for weight in group["params"]]
        assert {id(weight) for weight in weights} == {id(weight) for weight in net.parameters()}
        assert len(weights) == len(list(net.parameters()))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task.layer_decay=0"], "task.layer_decay=0 must be in"),
        (["task.norm_lr_scale=0"], "task.norm_lr_scale=0 must be positive"),
        (["task.norm_lr_scale=2"], "task.norm_lr_scale: MLP has no norm with weights; leave it at 1"),
        (["task.layer_decay=0.5", "task.backbone_lr_scale=0.5"], "both lower the learning rates below the head"),
        (
            ["task.layer_decay=0.5", "scheduler._target_=torch.optim.lr_scheduler.CyclicLR", "+scheduler.base_lr=0.1",
             "+scheduler.max_lr=1.0", "+scheduler.cycle_momentum=false", "~scheduler.factor"],
            "sets one learning rate for all weights, which contradicts task.layer_decay=0.5",
        ),
    ],
)  # fmt: skip
def test_rates_that_contradict_each_other(words: list[str], message: str) -> None:
    with pytest.raises(Exception, match=message):
        task("model=mlp", "data=shapes", "scheduler=constant", *words)


def test_groups_of_a_plain_optimizer_are_as_they_were() -> None:
    """Names and order, on which the states of older runs depend."""
    net = task("model=vit", "model.depth=2").net
    assert [group["name"] for group in decay_groups(net)] == ["matrices", "vectors"]
    names = [group["name"] for group in decay_groups(net, backbone_lr_scale=0.1)]
    assert names == ["backbone/matrices", "backbone/vectors", "head/matrices", "head/vectors"]
    assert all(set(group) <= {"name", "params", "weight_decay"} for group in decay_groups(net))
    assert torch.equal(decay_groups(net)[0]["params"][0], next(p for p in net.parameters() if p.ndim >= 2))


def test_biases_and_gains_are_not_decayed() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))
    matrices, vectors = decay_groups(net)
    assert [p.ndim for p in matrices["params"]] == [4, 2] and "weight_decay" not in matrices
    assert {p.ndim for p in vectors["params"]} == {1} and vectors["weight_decay"] == 0


def test_frozen_weights_are_left_out() -> None:
    net = nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(ValueError, match="the network has no trainable parameter"):
        decay_groups(net)
