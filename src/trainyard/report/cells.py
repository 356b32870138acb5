"""How the numbers of a group are written: fractions in percent, any other metric in four significant digits."""

from math import floor, isfinite, log10

from trainyard.report.groups import Group

FRACTIONS = {  # words in the names of scores between 0 and 1, as torchmetrics has them
    "accuracy", "acc", "f1", "fbeta", "precision", "recall", "specificity", "sensitivity", "auroc", "auc", "ap", "map",
    "jaccard", "iou", "dice", "exact",
}  # fmt: skip
NO_FRACTIONS = {"loss", "error"}
SPLITS = ("validation", "test", "train")


def is_fraction(each: Group) -> bool:
    """Whether the metric is known to be a fraction, and every score is one."""
    words = set(each.first.metric.replace("/", "_").lower().split("_"))
    values = [value for split in SPLITS for value in each.scores(split).values()]
    return bool(words & FRACTIONS) and not words & NO_FRACTIONS and all(0 <= v <= 1 for v in values if isfinite(v))


def number(value: float, each: Group, sign: str = "", like: float | None = None) -> str:
    """A score, or a difference of scores; with as many decimals as four significant digits of `like` have."""
    if is_fraction(each):
        return f"{100 * value:{sign}.2f}"
    size = abs(value if like is None else like)
    if not isfinite(size) or (size and not 1e-4 <= size < 1e5):
        return f"{value:{sign}.4g}"
    return f"{value:{sign}.{max(0, 3 - floor(log10(size or 1)))}f}"


def score(each: Group, split: str) -> str:
    """Mean and standard deviation; over how many of the runs, if not all have the score."""
    found = each.statistics(split)
    if found is None:
        return ""
    unit = " %" if is_fraction(each) else ""
    spread = "" if found.std is None else f" ± {number(found.std, each, like=found.mean)}"
    some = f" ({found.count} of {len(each.runs)})" if found.count < len(each.runs) else ""
    return f"{number(found.mean, each)}{unit}{spread}{some}"


def cells(each: Group) -> dict[str, str]:
    """The row of a group by column; "" for what it does not have."""
    first, unit, minutes = each.first, " %" if is_fraction(each) else "", each.average("minutes") or 0
    judged, trained, speed = each.statistics(each.judged_on), each.statistics("train"), each.average("speed")
    best = judged.best if judged and judged.count > 1 else None
    return {
        "network": first.network,
        "data": first.data,
        "metric": first.metric,
        "validation": score(each, "validation"),
        "test": score(each, "test"),
        "train": f"{number(trained.mean, each)}{unit}" if trained else "",
        "mean over": each.over,
        "best run": "" if best is None else f"{number(best, each)}{unit}",
        "parameters": f"{first.parameters:,}",
        "minutes": f"{minutes:.1f}" if minutes >= 1 else f"{minutes:.2g}",
        "samples/s": f"{speed:,.0f}" if speed else "",
        "machine": first.machine,
        "command": each.command,
    }
