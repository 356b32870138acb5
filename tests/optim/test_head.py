"""The head of any network: found by what it is called or does, or named."""

import pytest
import torch
from torch import nn
from torchvision.models import get_model

from trainyard.optim.groups import decay_groups
from trainyard.optim.head import find_head, is_within


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("resnet18", "fc"),
        ("mobilenet_v3_small", "classifier.3"),
        ("squeezenet1_1", "classifier.1"),  # a convolution
        ("convnext_tiny", "classifier.2"),
        ("swin_t", "head"),
        ("vit_b_16", "heads.head"),
        ("densenet121", "classifier"),
    ],
)
def test_the_head_of_torchvisions_networks_is_found(name: str, head: str) -> None:
    """Built without memory: weights of another number of classes have exactly these other shapes."""
    with torch.device("meta"):
        nets = [get_model(name, num_classes=classes) for classes in (10, 7)]
    shapes = [{key: value.shape for key, value in net.state_dict().items()} for net in nets]
    assert find_head(nets[0]) == (head,)
    assert {key for key in shapes[0] if shapes[0][key] != shapes[1][key]} == {f"{head}.weight", f"{head}.bias"}


class Wrapper(nn.Module):
    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


def test_a_wrappers_inner_head_is_found() -> None:
    inner = Wrapper(body=nn.Linear(4, 4), classifier=Wrapper(dense=nn.Linear(4, 4), out_proj=nn.Linear(4, 4)))
    assert find_head(Wrapper(model=inner)) == ("model.classifier.out_proj",)


def test_without_a_usual_name_the_only_layer_with_the_outputs_is_the_head() -> None:
    net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
    assert find_head(net, outputs=3) == ("2",)
    for outputs in (None, 5):
        with pytest.raises(ValueError, match=r"which part of Sequential is its head .* task.head=..., of 0, 2$"):
            find_head(net, outputs=outputs)
    with pytest.raises(ValueError, match="it has no linear layer"):
        find_head(nn.Sequential(nn.ReLU()))


def test_a_named_head_must_be_there() -> None:
    net = Wrapper(fc=nn.Linear(4, 3), neck=nn.Linear(4, 4))
    assert find_head(net) == ("fc",) and find_head(net, "neck") == ("neck",)
    with pytest.raises(ValueError, match=r"task.head=nck is no part of Wrapper; name it as task.head=..., of fc, neck"):
        find_head(net, "nck")


def test_a_part_is_more_than_the_beginning_of_a_name() -> None:
    assert is_within("fc.weight", ("fc",)) and not is_within("fc2.weight", ("fc",))


def test_groups_are_split_at_the_head_of_any_name() -> None:
    net = Wrapper(body=nn.Linear(4, 4), fc=nn.Linear(4, 3))
    groups = {group["name"]: group["params"] for group in decay_groups(net, 0.5, head=find_head(net))}
    assert groups["head/matrices"] == [net.fc.weight] and groups["backbone/matrices"] == [net.body.weight]
