"""How many logits a network has; decided here alone."""


def num_logits(num_classes: int | None, num_outputs: int | None = None) -> int:
    """`num_outputs` where the task says so; else 1 for two classes (its sigmoid is the probability of class 1).

    More classes have a logit each.
    """
    if num_outputs is not None:
        return num_outputs
    if num_classes is None or num_classes < 2:
        raise ValueError(f"num_classes={num_classes}: a classifier needs at least 2 classes")
    return 1 if num_classes == 2 else num_classes
