"""How many logits a head has: the one place that decides it."""


def num_logits(num_classes: int) -> int:
    """One logit for two classes (its sigmoid is the probability of class 1), else one for each class."""
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes}: a classifier needs at least 2 classes")
    return 1 if num_classes == 2 else num_classes
