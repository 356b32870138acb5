"""How many logits a classifier has; decided here alone."""


def num_logits(num_classes: int) -> int:
    """1 for two classes (its sigmoid is the probability of class 1), else `num_classes`."""
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes}: a classifier needs at least 2 classes")
    return 1 if num_classes == 2 else num_classes
