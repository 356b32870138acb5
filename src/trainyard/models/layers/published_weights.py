"""Weights that torchvision publishes, downloaded once into torch's own cache."""

from pathlib import Path

import torch
from torch import Tensor
from torchvision.models import WeightsEnum


def fetch_weights(weights: WeightsEnum) -> dict[str, Tensor]:
    """The state dict of one of torchvision's weights, from torch's cache or its URL.

    A download is verified by the checksum in the file's name. FileNotFoundError, which says which file to put where, if
    there is no connection; ValueError for a damaged file.
    """
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    try:
        return weights.get_state_dict(check_hash=True, weights_only=True, map_location="cpu")
    except OSError as error:
        raise FileNotFoundError(
            f"{file.name} is not in {file.parent}, and could not be downloaded ({error}); "
            f"put it there from {weights.url} (TORCH_HOME names another folder)"
        ) from error
    except Exception as error:  # a wrong checksum, or bytes that are no weights
        raise ValueError(f"{file} from {weights.url} is damaged ({error}); delete it and try again") from error
