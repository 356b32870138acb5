"""Checks of the facts that a network takes from the data."""


def image_shape(network: str, shape: list[int]) -> tuple[int, int, int]:
    """(channels, height, width), or ValueError if `shape` is not an image's."""
    if len(shape) != 3:
        raise ValueError(f"{network} takes images (channels, height, width), not samples of shape {list(shape)}")
    channels, height, width = shape
    return channels, height, width


def probability(name: str, value: float) -> float:
    """`value`, or ValueError if it is not in [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(f"{name}={value} is not a share in [0, 1)")
    return value
