"""From rows of a table to what a network takes: scaled numbers, and ones and zeros for categories."""

import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trainyard.data.loading.columns import Column, width

MOST = 1 << 27  # categories times columns of them
LEARNED = ("median", "mean", "std", "has_gaps", "is_seen", "has_unknown")


class TableEncoder(nn.Module):
    """Rows (B, columns) -> (B, width): for each column of numbers one number, for each category a one or a zero.

    A row has numbers, or for a category its place in the column's list, -1 for another one; an empty cell is NaN.
    Numbers are scaled to mean 0 and deviation 1; an empty cell becomes the median, and where the table has empty cells
    a column of its own says so. A category that no training row has is taken for an empty cell; these are a category
    of their own, `unknown`, where the table has empty cells, and all zeros elsewhere. A column that is never 1 in
    training would have weights as they were initialized: it is always 0. `learn` sees the training split alone.
    """

    median: Tensor
    mean: Tensor
    std: Tensor
    has_gaps: Tensor  # of each indicator, whether a training row has that empty cell
    is_seen: Tensor  # of each category, whether a training row has it
    has_unknown: Tensor  # of each `unknown`, whether a training row has an empty cell
    number_at: Tensor
    gap_at: Tensor
    category_at: Tensor
    code: Tensor
    unknown_of: Tensor

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        self.columns = list(columns)
        places = {each.name: place for place, each in enumerate(columns)}
        numbers = [each for each in columns if each.categories is None]
        words = [each for each in columns if each.categories is not None]
        codes = [(places[each.name], code) for each in words for code in range(len(each.categories or ()))]
        gaps = [places[each.name] for each in numbers if each.has_missing]
        unknown = [[float(places[each.name] == at) for each in words if each.has_missing] for at, _ in codes]
        integers = {
            "number_at": [places[each.name] for each in numbers], "gap_at": gaps,
            "category_at": [at for at, _ in codes], "code": [code for _, code in codes],
        }  # fmt: skip
        if len(codes) * sum(each.has_missing for each in words) > MOST:
            raise ValueError(f"the table has {len(codes):,} categories in {len(words):,} columns, which are too many")
        for name, values in integers.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.long))
        size = (len(codes), sum(each.has_missing for each in words))
        self.register_buffer("unknown_of", torch.tensor(unknown).view(size))  # which `unknown` a category is not
        sizes = (len(numbers),) * 3 + (len(gaps), *size)
        for name, size in zip(LEARNED, sizes, strict=True):
            self.register_buffer(name, torch.ones(size) if name == "std" else torch.zeros(size))

    def learn(self, rows: Tensor) -> None:  # (N, columns)
        """Take medians, means, deviations and categories from the rows to train on."""
        numbers = rows[:, self.number_at].double()
        known = numbers.isfinite()
        count = known.sum(dim=0).clamp(min=1)
        mean = numbers.nan_to_num(0.0).sum(dim=0) / count
        std = ((numbers - mean).nan_to_num(0.0) ** 2).sum(dim=0).div(count).sqrt()
        median = numbers.nanmedian(dim=0).values if len(numbers.T) else mean
        self.median, self.mean = median.nan_to_num(0.0).float(), mean.float()
        self.std = torch.where(std > 0, std, 1.0).float()
        self.has_gaps = rows[:, self.gap_at].isnan().any(dim=0).float()
        here = rows[:, self.category_at] == self.code
        self.is_seen = here.any(dim=0).float()
        self.has_unknown = (1 - here.float() @ self.unknown_of).bool().any(dim=0).float()

    def forward(self, rows: Tensor) -> Tensor:  # (B, columns) -> (B, width)
        numbers = rows[:, self.number_at]
        scaled = (torch.where(numbers.isnan(), self.median, numbers) - self.mean) / self.std
        gaps = rows[:, self.gap_at].isnan().float() * self.has_gaps
        ones = (rows[:, self.category_at] == self.code).float() * self.is_seen
        unknown = (1 - ones @ self.unknown_of) * self.has_unknown
        return torch.cat((scaled, gaps, ones, unknown), dim=1)

    def features(self) -> list[str]:
        """The names of the numbers that the network gets: age, age is empty, color=red, color is unknown."""
        numbers = [each for each in self.columns if each.categories is None]
        words = [each for each in self.columns if each.categories is not None]
        return [
            *(each.name for each in numbers),
            *(f"{each.name} is empty" for each in numbers if each.has_missing),
            *(f"{each.name}={category}" for each in words for category in each.categories or ()),
            *(f"{each.name} is unknown" for each in words if each.has_missing),
        ]

    def unseen(self, rows: Tensor) -> Tensor:  # (N, columns) -> (N, columns) bool
        """Which cells are categories that no training row has."""
        found = torch.zeros_like(rows, dtype=torch.bool)
        for place, each in enumerate(self.columns):
            if each.categories is not None:
                seen = self.code[(self.category_at == place) & self.is_seen.bool()]
                found[:, place] = ~torch.isin(rows[:, place], seen.to(rows)) & ~rows[:, place].isnan()
        return found

    def to_json(self) -> str:
        """The columns and what was learned of them."""
        columns = [[each.name, each.categories, each.has_missing] for each in self.columns]
        return json.dumps({"columns": columns, **{name: getattr(self, name).tolist() for name in LEARNED}})

    @classmethod
    def from_json(cls, text: str | bytes, size: int) -> "TableEncoder":
        """The encoder that was written; ValueError for what is none, or returns other than `size` numbers for a row."""
        content: Any = json.loads(text)
        try:
            columns = [
                Column(str(name), names and tuple(map(str, names)), bool(gaps))
                for name, names, gaps in content["columns"]
            ]
            learned = {name: torch.tensor(content[name], dtype=torch.float32) for name in LEARNED}
        except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise ValueError(f"it does not describe the columns of a table ({error})") from error
        if width(columns) != size:
            raise ValueError(f"its rows have {width(columns)} numbers, and the network takes {size}")
        encoder = cls(columns)
        for name, value in learned.items():
            if value.shape != getattr(encoder, name).shape or not value.isfinite().all():
                raise ValueError(f"its {name} has other than {len(getattr(encoder, name))} finite numbers")
            setattr(encoder, name, value)
        return encoder


def same_in_fp32(values: Tensor) -> bool:  # (N), float64
    """Whether fp32 tells the values apart as far as their deviation needs it: not seconds since 1970, say."""
    known = values[values.isfinite()]
    return not len(known) or bool(
        (known - known.float().double()).abs().max() <= 1e-3 * known.std(correction=0) + 1e-30
    )
