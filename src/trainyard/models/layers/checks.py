"""Checks of constructor arguments."""


def check_image_shape(network: str, shape: list[int]) -> tuple[int, int, int]:
    """`shape` as (channels, height, width); ValueError if it does not have three axes."""
    if len(shape) != 3:
        raise ValueError(f"{network} takes images (channels, height, width), not samples of shape {list(shape)}")
    channels, height, width = shape
    return channels, height, width


def check_probability(name: str, value: float) -> float:
    """`value`; ValueError if it is not in [0, 1)."""
    if not 0 <= value < 1:
        raise ValueError(f"{name}={value} must be in [0, 1)")
    return value
