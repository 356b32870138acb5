"""What a weight is in its network: in which layer it is, and whether it is the matrix of a hidden one."""

from collections.abc import Iterable

from torch import nn

from trainyard.optim.head import is_within

MATRICES = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.RNNBase,
    nn.MultiheadAttention,
)  # fmt: skip


def hidden_matrices(net: nn.Module, head: tuple[str, ...]) -> set[str]:
    """The names of the matrices (and filters) of linear, convolutional and recurrent layers outside of the head.

    Not those of embeddings, nor what is shared with one, nor a parameter of another kind of module.
    """
    modules = dict(net.named_modules())
    shared = {id(module.weight) for module in modules.values() if isinstance(module, nn.Embedding)}
    found = set()
    for name, parameter in net.named_parameters():
        is_matrix = parameter.ndim >= 2 and isinstance(modules[name.rpartition(".")[0]], MATRICES)
        if is_matrix and not is_within(name, head) and id(parameter) not in shared:
            found.add(name)
    return found


def has_embedding(net: nn.Module) -> bool:
    """Whether a network begins with an embedding, which a language model may have in place of a head."""
    return any(isinstance(module, nn.Embedding) for module in net.modules())


def layers(net: nn.Module) -> dict[str, int]:
    """How many layers are below each parameter, by name.

    A network with repeated blocks (the attribute `blocks` names them) has one before them, one for each, and one after
    them, which contains the head; any other a layer for each module that has a matrix.
    """
    named = getattr(net, "blocks", None)
    named = getattr(named, "blocks", named)
    blocks = [each for each in named if isinstance(each, nn.Module)] if isinstance(named, Iterable) else []
    found: dict[str, int] = {}
    if blocks:
        depth_of = {id(p): i + 1 for i, block in enumerate(blocks) for p in block.parameters()}
        depth = 0
        for name, parameter in net.named_parameters():
            depth = depth_of.get(id(parameter), len(blocks) + 1 if depth else 0)
            found[name] = depth
        return found
    owners: list[str] = []
    for name, parameter in net.named_parameters():
        owner = name.rpartition(".")[0]
        if parameter.ndim >= 2 and owner not in owners:
            owners.append(owner)
        found[name] = max(0, len(owners) - 1)
    return found
