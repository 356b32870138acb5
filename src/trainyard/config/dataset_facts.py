"""What a config leaves to the map-style dataset that it names: the shape of a sample, and the classes."""

import json
from functools import lru_cache
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError

from trainyard.config.instantiate import instantiate
from trainyard.data.loading.dataset_facts import facts
from trainyard.data.loading.hashing import seeded
from trainyard.data.loading.hf_columns import Columns, check_column, class_names
from trainyard.data.loading.hf_tables import open_tables
from trainyard.data.loading.items import Names
from trainyard.errors import UserError


def known_facts(node: DictConfig, has_classes: bool = True) -> dict[str, Any]:
    """The facts of the dataset in `node.train`; UserError if it cannot be built, or a sample cannot be used.

    Without `has_classes`, targets that are whole numbers are no classes.
    """
    if not isinstance(node.train, DictConfig) or OmegaConf.is_missing(node.train, "_target_"):
        raise UserError(
            "data.train._target_ is required: the import path of a map-style dataset, such as "
            "torchvision.datasets.FakeData"
        )
    try:
        train = OmegaConf.to_container(node.train, resolve=True, throw_on_missing=True)
    except (RecursionError, InterpolationResolutionError) as error:
        if "recursion" not in str(error):
            raise
        raise UserError(
            "data.train refers to what is read from it, such as data.num_classes; give the value itself"
        ) from error
    return _facts(json.dumps(train, sort_keys=True), node.input, node.target, has_classes)


def table_facts(node: DictConfig, has_classes: bool = True) -> dict[str, Any]:
    """The facts of the table in `node.path`: of texts the classes alone; UserError if it cannot be used."""
    path = node.path  # which may be missing
    try:
        train = open_tables(path)["train"]
        if "text_column" in node:
            check_column(train, node.label_column, "label_column")
            return {"classes": class_names(train, node.label_column) or []}
        input = node.input if isinstance(node.input, str) else list(node.input)
        transform = instantiate(node.eval_transform, "data.eval_transform") if node.eval_transform else None
        with seeded(0):
            return facts(
                Columns(train, input, node.target, transform, None, has_classes), Names(), "data.train", has_classes
            )
    except (ValueError, OSError) as error:
        raise UserError(str(error)) from error
    except UserError:
        raise
    except Exception as error:  # whatever a transform or a row raises
        raise UserError(f"data.path={path} cannot be read ({type(error).__name__}: {error})") from error


@lru_cache(maxsize=1)
def _facts(described: str, input_name: Any, target_name: Any, has_classes: bool) -> dict[str, Any]:
    with seeded(0):
        dataset = instantiate(DictConfig(json.loads(described)), "data.train")
        try:
            return facts(dataset, Names(input_name, target_name), "data.train", has_classes)
        except Exception as error:  # ours, and whatever reading a sample raises
            if isinstance(error, ValueError) and "data.train" in str(error):
                raise UserError(str(error)) from error
            kind = type(dataset).__name__
            raise UserError(
                f"data.train: a sample of {kind} cannot be read ({type(error).__name__}: {error})"
            ) from error
