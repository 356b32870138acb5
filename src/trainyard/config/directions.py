"""Whether a lower or a higher value of a score is better, as far as its name says; torchmetrics is not asked here."""

LOWER = (  # names, or what they end with after an underscore
    "loss", "error", "perplexity", "bits_per_character", "distance", "divergence", "mae", "mse", "rmse", "mape",
    "smape", "wmape", "nll", "brier_score", "crps", "probability_score", "eer", "fairness", "rates",
)  # fmt: skip
HIGHER = (
    "accuracy", "accuracy_top5", "f1", "f1_score", "fbeta_score", "auroc", "auc", "average_precision", "precision",
    "recall", "specificity", "kappa", "corr_coef", "corrcoef", "mcc", "jaccard_index", "iou", "exact_match", "r2",
    "r2_score", "explained_variance", "similarity", "success_index", "bleu",
)  # fmt: skip


def known_direction(score: str) -> str | None:
    """`min` or `max` for the name of a score (val/loss); None if the name does not say which is better."""
    name = score.rpartition("/")[2]
    for mode, ends in (("min", LOWER), ("max", HIGHER)):
        if any(name == end or name.endswith(f"_{end}") for end in ends):
            return mode
    return None


def direction(score: str) -> str:
    """The mode of a score that is monitored: `max` unless a lower value is known to be better."""
    return known_direction(str(score)) or "max"
