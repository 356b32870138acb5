"""Keys that are set together: zip(...), whose values advance together, and recipes, each a mapping of keys."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution

from trainyard.config_keys import key_of
from trainyard.errors import UserError
from trainyard.sweep.space import Parameter, Space, quote

RECIPE = "recipe"  # the parameter that says which recipe


def zip_keys(space: Space, groups: Sequence[Sequence[str]]) -> Space:
    """The space in which the keys of each group are one parameter; UserError unless they have as many values.

    A key that the command line sets to one value has it with every other.
    """
    parameters = dict(space.parameters)
    set_to_one = [key_of(word) for word in space.fixed]
    for group in groups:
        names = [name.lstrip("+") for name in group if name.lstrip("+") not in set_to_one]
        if unknown := [name for name in names if name not in parameters]:
            raise UserError(f"zip({' '.join(group)}): {unknown[0]} has no list of values; write {unknown[0]}=a,b,...")
        if len(names) > 1:
            parts = [parameters[name] for name in names]
            first = list(parameters).index(names[0])
            rest = [(name, part) for name, part in parameters.items() if name not in names]
            parameters = dict([*rest[:first], _zipped(parts), *rest[first:]])
    return Space(parameters, space.fixed)


def _zipped(parts: list[Parameter]) -> tuple[str, Parameter]:
    """The name and the parameter that sets those of `parts` together."""
    names = [name for part in parts for name in part.names]
    columns = [list(part.given) or part.values() for part in parts]
    for name, column in zip(names, columns, strict=True):
        if column is None:
            raise UserError(f"zip({' '.join(names)}): {name} is an interval; write its values, {name}=a,b,...")
        if len(column) != len(columns[0] or []):
            first = len(columns[0] or [])
            raise UserError(f"zip({' '.join(names)}): {names[0]} has {first} values, and {name} {len(column)}")
    rows = list(zip(*(column or [] for column in columns), strict=True))
    words = [[word for part, value in zip(parts, row, strict=True) for word in part.overrides(value)] for row in rows]
    values = [",".join(map(str, row)) for row in rows]
    return ",".join(names), _joint([part.keys[0] for part in parts], values, words)


def add_recipes(space: Space, recipes: Sequence[dict[str, Any]]) -> Space:
    """The space with a parameter more, whose values are the recipes; UserError for one that is none.

    What the command line says of a key holds in every recipe.
    """
    if not recipes:
        return space
    given = {*space.keys, *map(key_of, space.fixed)}
    words: list[list[str]] = []
    for recipe in recipes:
        if not isinstance(recipe, dict) or not recipe:
            raise UserError(
                f"hydra.sweeper.recipes: {recipe} is no mapping of keys; write {{model: gru, data.batch_size: 32}}"
            )
        texts = [f"{key}={value if isinstance(value, str) else quote(value)}" for key, value in recipe.items()]
        overrides = OverridesParser.create().parse_overrides(texts)
        if swept := [each.input_line for each in overrides if each.is_sweep_override()]:
            raise UserError(f"hydra.sweeper.recipes: {swept[0]} is several values; a recipe has one of each key")
        words.append([text for text in texts if key_of(text) not in given])
    keys = list(dict.fromkeys(word.partition("=")[0] for each in words for word in each))
    unique = {" ".join(each): each for each in words}
    return replace(space, parameters={RECIPE: _joint(keys, list(unique), list(unique.values())), **space.parameters})


def _joint(keys: list[str], values: list[str], words: list[list[str]]) -> Parameter:
    """A choice of texts, each of which stands for several overrides."""
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise UserError(f"{','.join(keys)}: {twice} is given twice")
    written = dict(zip(map(repr, values), words, strict=True))
    return Parameter(tuple(keys), CategoricalDistribution(values), written, tuple(values))
