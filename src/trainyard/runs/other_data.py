"""data=OTHER: evaluate a run on another dataset of the same classes, prepared as in the run's training."""

import logging
from collections.abc import Sequence
from typing import Any

from lightning import LightningDataModule
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from trainyard.config.compose import compose
from trainyard.config.instantiate import instantiate
from trainyard.data.images import Images
from trainyard.data.lightning_data import seed_setup
from trainyard.data.loading.text_blocks import TextBlocks
from trainyard.data.tabular import Tabular
from trainyard.data.text import Text
from trainyard.errors import UserError

log = logging.getLogger(__name__)

KINDS = ((TextBlocks, "texts without labels"), (Text, "labeled texts"), (Images, "images"))
PREPARATION = (
    "shape", "mean", "std", "eval_transform", "tokenizer", "vocab_size", "max_length", "truncation_side",
    "padding_side", "strip_html",
)  # fmt: skip
COLUMNS = ("input", "target")  # of a table, or of an item
NUMBERS = ("classes", "num_classes", "num_outputs")  # what a network that predicts numbers determines


def split_choice(overrides: Sequence[str]) -> tuple[str, list[str]]:
    """The name in data=NAME, if there is one, and the other words; without it, all of them."""
    chosen = [word for word in overrides if word.startswith("data=")]
    return (chosen[-1][5:] if chosen else ""), [word for word in overrides if word not in chosen]


def is_of_data(word: str) -> bool:
    """Whether an override changes a key of the data, be it one of its own or a further one (+data.KEY)."""
    return word.lstrip("+").startswith("data.")


def other_data(choice: str, words: Sequence[str], own: LightningDataModule, cfg: DictConfig) -> LightningDataModule:
    """The dataset `choice` with the changes `words` (data....), for a network that was trained on `own`.

    Its images are scaled and normalized, its texts tokenized, as `own` are. UserError if classes or shapes differ.
    """
    if isinstance(own, Tabular):
        raise UserError(f"data={choice}: the run was trained on a table; data.path=... alone names another one")
    composed = compose([f"data={choice}", *words])
    named = {word.lstrip("+").partition("=")[0] for word in words}
    node = composed.cfg.data
    for key in _kept(node, cfg):
        if f"data.{key}" not in named:
            OmegaConf.update(node, key, cfg[key])
    try:
        plain = DictConfig(OmegaConf.to_container(node, resolve=True, throw_on_missing=True))
    except OmegaConfBaseException as error:
        raise UserError(f"data={choice}: {str(error).splitlines()[0]}; set it as data.KEY=...") from error
    if (kinds := (_kind(own), _kind(found := instantiate(plain, f"data={choice}"))))[0] != kinds[1]:
        raise UserError(f"data={choice} has {kinds[1]}, and the run was trained on {kinds[0]}")
    _warn_of_transform(choice, plain, cfg)
    names = list(getattr(own, "classes", None) or [])
    if sorted(map(str, getattr(found, "classes", None) or [])) == sorted(map(str, names)) and names:
        plain.classes = names  # in the order of the run's labels
        found = instantiate(plain, f"data={choice}")
    _check_same(choice, own, found)
    if isinstance(found, Text) and isinstance(own, Text):
        found.tokenizer_file, found.tokenizes_anew = own.tokenizer_path(), False
    return seed_setup(found)


def _kept(node: DictConfig, cfg: DictConfig) -> list[str]:
    """The keys whose values are the run's own, in the config `node` of other data."""
    keys = [*PREPARATION]
    if node.get("_target_") == cfg.get("_target_"):
        keys += COLUMNS
    if isinstance(cfg.get("num_outputs"), int) and cfg.get("num_classes") is None:
        keys += NUMBERS
    return [key for key in keys if key in node and key in cfg]


def _warn_of_transform(choice: str, node: DictConfig, cfg: DictConfig) -> None:
    """Say so if test samples have another transform than those of the run."""
    found, wanted = _transform(node), _transform(cfg)
    if found != wanted:
        log.warning(
            "data=%s has the transform %s in the test, and the run's own data has %s: the scores are those of samples "
            "that the network does not know in this form, unless the dataset itself makes them so",
            choice, found, wanted,
        )  # fmt: skip


def _transform(node: DictConfig) -> Any:
    """The transform of test samples that a config of a map-style dataset names; None for none."""
    if "eval_transform" in node:
        return node.eval_transform
    read = next((node[name] for name in ("test", "held_out", "train") if isinstance(node.get(name), DictConfig)), {})
    return read.get("transform")


def _kind(data: Any) -> str:
    return next((text for base, text in KINDS if isinstance(data, base)), "numbers")


def _check_same(choice: str, own: Any, found: Any) -> None:
    """Raise UserError unless the classes and the shape are those of the run."""
    classes, others = ([str(name) for name in getattr(data, "classes", None) or []] for data in (own, found))
    if classes != others:
        hint = ""
        if set(classes) <= set(others):
            hint = f"; data.classes=[{','.join(classes)}] chooses them"
        raise UserError(
            f"data={choice} has the classes {', '.join(others) or '(none)'}, and the run was trained on "
            f"{', '.join(classes) or '(none)'}{hint}"
        )
    for name in ("shape", "num_classes"):
        wanted, has = (getattr(data, name, None) for data in (own, found))
        if wanted is not None and has is not None and wanted != has:
            shown = [str(list(value)) if isinstance(value, tuple) else str(value) for value in (has, wanted)]
            raise UserError(f"data={choice} has data.{name}={shown[0]}, and the run was trained with {shown[1]}")
