"""The search space: Hydra's sweep syntax as Optuna's distributions, and drawn values as overrides."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from math import ceil, isclose, prod
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, Quote, QuotedString
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from trainyard.errors import UserError, printable

MAX_POINTS = 10_000  # combinations that are listed
FORMS = "choice(a,b), range(1,10), interval(0.1,0.5) or int(interval(1,8)), tag(log, interval(1e-5,1e-1))"


@dataclass(frozen=True)
class Parameter:
    """What varies: one key, or several that are set together."""

    keys: tuple[str, ...]  # as in an override, with + where it was given
    distribution: BaseDistribution
    words: dict[str, list[str]] = field(default_factory=dict)  # of a choice: the overrides that each value stands for
    given: tuple[Any, ...] = ()  # of a choice or range: the values as they were listed, in their order

    @property
    def names(self) -> list[str]:
        """Its keys without +."""
        return [key.lstrip("+~") for key in self.keys]

    def contains(self, value: Any) -> bool:
        """Whether the value is in the search space; never for a list or a mapping, which could name code."""
        if isinstance(self.distribution, CategoricalDistribution):
            return isinstance(value, str | int | float | bool | None) and value in self.distribution.choices
        low, high = self.distribution.low, self.distribution.high  # pyright: ignore
        return isinstance(value, int | float) and (low <= value <= high or isclose(value, high))

    def overrides(self, value: Any) -> list[str]:
        """The overrides that `value` stands for; UserError for one that is not in the space.

        (The value may come from a study that someone else wrote.)
        """
        if not self.contains(value):
            raise UserError(f"{','.join(self.keys)}={printable(value)} is outside the search space")
        written = self.words.get(repr(value))
        return [f"{self.keys[0]}={quote(value)}"] if written is None else written

    def values(self) -> list[Any] | None:
        """Every value once, or None for a continuous interval."""
        if self.given:
            return list({repr(value): value for value in self.given}.values())
        if isinstance(self.distribution, IntDistribution):
            whole = range(self.distribution.low, self.distribution.high + 1, self.distribution.step)
            return list(whole) if len(whole) <= MAX_POINTS else None
        return None


@dataclass(frozen=True)
class Space:
    """The parameters by name, and the overrides that are the same for all trials."""

    parameters: dict[str, Parameter]
    fixed: list[str]

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The distributions by name, as Optuna takes them."""
        return {name: parameter.distribution for name, parameter in self.parameters.items()}

    @property
    def keys(self) -> list[str]:
        """The keys that vary, without +."""
        return [name for parameter in self.parameters.values() for name in parameter.names]

    def overrides(self, values: dict[str, Any]) -> list[str]:
        """The overrides that set these values."""
        return [word for name, value in values.items() for word in self.parameters[name].overrides(value)]

    def contains(self, values: dict[str, Any]) -> bool:
        """Whether these are values of all parameters, each in the space."""
        return set(values) == set(self.parameters) and all(
            parameter.contains(values[name]) for name, parameter in self.parameters.items()
        )

    def points(self) -> list[dict[str, Any]] | None:
        """Every combination, or None where there are infinitely, or very, many."""
        values = [parameter.values() for parameter in self.parameters.values()]
        if any(each is None for each in values) or prod(len(each or []) for each in values) > MAX_POINTS:
            return None
        return [dict(zip(self.parameters, point, strict=True)) for point in product(*values)]  # pyright: ignore


def read_space(params: dict[str, Any], arguments: list[str], loader: ConfigLoader | None = None) -> Space:
    """Read the config's `params` and the command line's words, which take precedence; UserError if one is no space.

    (`loader` knows the options of a group, which glob(...) means.)
    """
    given = [f"{key}={value if isinstance(value, str) else quote(value)}" for key, value in params.items()]
    parameters: dict[str, Parameter] = {}
    fixed: dict[str, str] = {}
    for override in OverridesParser.create(loader).parse_overrides([*given, *arguments]):
        key = override.get_key_element()
        name = key.lstrip("+~")
        parameters.pop(name, None)
        fixed.pop(name, None)
        if override.is_sweep_override():
            parameters[name] = _parameter(key, override)
        else:
            fixed[name] = override.input_line or key
    return Space(parameters, list(fixed.values()))


def _parameter(key: str, override: Override) -> Parameter:
    """The parameter that an override describes; UserError for what cannot be drawn from."""
    try:
        if override.is_range_sweep() and "tag(" in str(override.input_line):
            raise ValueError(f"it has no meaning in a search space; write {FORMS}")
        if override.is_choice_sweep():
            swept = override.value()
            return _choice(key, swept.list if isinstance(swept, ChoiceSweep) else override.sweep_iterator())
        if override.is_range_sweep():
            return _range(key, override)
        return Parameter((key,), _interval(override))
    except (ValueError, TypeError, HydraException) as error:
        raise UserError(f"{override.input_line}: {error}") from error


def _choice(key: str, elements: Iterable[Any]) -> Parameter:
    """One of several values. In the study, lists and dicts are represented by their text."""
    words: dict[str, list[str]] = {}
    values: list[Any] = []
    given: list[Any] = []
    for element in elements:
        word = Override._get_value_element_as_str(element)
        value = element.text if isinstance(element, QuotedString) else element
        value = value if isinstance(value, str | int | float | bool | None) else word
        if repr(value) not in words:
            values.append(value)
        given.append(value)
        words[repr(value)] = [f"{key}={word}"]
    return Parameter((key,), CategoricalDistribution(values), words, tuple(given))


def _range(key: str, override: Override) -> Parameter:
    """The numbers of a range, whose end is excluded; those with a point as they would be written."""
    swept: Any = override.value()
    start, stop, step = (Decimal(str(number)) for number in (swept.start, swept.stop, swept.step))
    count = ceil((stop - start) / step)
    if count < 1:
        raise ValueError("the range is empty (its end is excluded, as in Python)")
    number = int if all(isinstance(each, int) for each in (swept.start, swept.stop, swept.step)) else float
    low, high = sorted([number(start), number(start + (count - 1) * step)])
    kind: Any = IntDistribution if number is int else FloatDistribution
    given = [number(start + i * step) for i in range(count if count <= MAX_POINTS else 0)]
    return Parameter((key,), kind(low, high, step=abs(number(step))), given=tuple(given))


def _interval(override: Override) -> BaseDistribution:
    """Any number between two."""
    swept: Any = override.value()
    if set(swept.tags) - {"log"}:
        raise ValueError(f"the tag {', '.join(swept.tags)} is unknown; the only tag is log")
    low, high, log = swept.start, swept.end, "log" in swept.tags
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=log)
    return FloatDistribution(float(low), float(high), log=log)


def quote(value: Any) -> str:
    """A value as the right-hand side of an override."""
    if isinstance(value, str):
        return QuotedString(text=value, quote=Quote.single).with_quotes()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(quote, value))}]"
    return repr(value) if isinstance(value, float) else Override._get_value_element_as_str(value)
