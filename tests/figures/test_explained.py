"""Pictures and pages of explanations: scales, order, and texts that are not obeyed."""

import re
from io import BytesIO

import pytest
import torch

from trainyard.figures.attention_heads import head_maps, head_matrices
from trainyard.figures.colors import limit, luminance, word_colors
from trainyard.figures.heat_map import heat_map, to_unit
from trainyard.figures.words import WIDTH, drawable, layout, words_figure, words_page

HOSTILE = ["<script>alert(1)</script>", '"quoted"', "$x^2$", "\x1b[31m", "\u202e", "a&b"]


def test_signed_values_have_a_scale_around_zero_and_others_one_from_zero() -> None:
    values = torch.linspace(-1, 3, 64).view(8, 8)
    for signed, low in ((True, -3.0), (False, 0.0)):
        figure = heat_map(torch.rand(3, 8, 8), values, "cat (90.0 %)", signed)
        shown = figure.axes[1].images[0]
        assert shown.get_clim() == (pytest.approx(low, rel=0.03), pytest.approx(3.0, rel=0.03))
        assert torch.equal(torch.as_tensor(shown.get_array()), values)
    assert figure.get_suptitle() == "cat (90.0 %)"


def test_a_few_extremes_do_not_take_the_whole_scale() -> None:
    values = torch.ones(1000)
    values[0] = 1e6
    assert limit(values, 0.99) == 1 and limit(values) == 1e6
    assert limit(torch.zeros(5), 0.99) == 1
    sparse = torch.zeros(1000)
    sparse[0] = 2
    assert limit(sparse, 0.99) == 2


def test_images_are_shown_as_they_are() -> None:
    assert to_unit(torch.tensor([[[0, 255]]], dtype=torch.uint8)).tolist() == [[[0, 1]]]
    assert to_unit(torch.tensor([[[-2.0, 2.0]]])).tolist() == [[[0, 1]]]


def test_words_are_colored_by_sign_and_can_be_read() -> None:
    against, nothing, much = word_colors(torch.tensor([-1.0, 0.0, 1.0]), signed=True)

    def rgb(color: str) -> list[float]:
        return [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]

    assert rgb(against[0])[2] > rgb(against[0])[0] and rgb(much[0])[0] > rgb(much[0])[2]
    assert min(rgb(nothing[0])) > 0.95
    for signed in (True, False):
        for back, front in word_colors(torch.linspace(-1, 1, 41), signed):
            light, dark = sorted((luminance(*rgb(back)), luminance(*rgb(front))), reverse=True)
            assert (light + 0.05) / (dark + 0.05) > 4.5  # WCAG's contrast for text


def test_a_page_escapes_what_it_shows() -> None:
    page = words_page(HOSTILE, torch.arange(6.0), "<b>title</b>", signed=True, note="<i>note</i>")
    assert "<script" not in page and "<b>" not in page and "<i>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "a&amp;b" in page
    assert re.findall(r'title="(.[\d.]+)"', page) == ["+0", "+1", "+2", "+3", "+4", "+5"]
    assert "color-scheme: light dark" in page


def test_a_picture_draws_any_text_as_it_is(recwarn: pytest.WarningsRecorder) -> None:
    figure = words_figure([*HOSTILE, "映画", "good"], torch.arange(8.0), "$title$", signed=True)
    figure.savefig(BytesIO())
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[0] == "$title$" and "$x^2$" in texts and texts[-1] == "good"
    assert not [warning for warning in recwarn if "missing from" in str(warning.message)]
    assert drawable("映a\x1b") == "\ufffda\ufffd" and len(drawable("x" * 500)) == 120


def test_words_are_set_in_lines_of_the_page() -> None:
    places, height = layout(["word"] * 60)
    assert max(x + width for x, _, width in places) <= WIDTH
    assert [y for _, y, _ in places] == sorted(y for _, y, _ in places) and len({y for _, y, _ in places}) > 3
    assert height > places[-1][1]


def test_every_head_has_its_panel() -> None:
    maps = torch.rand(2, 3, 4, 4)
    figure = head_maps(maps, torch.rand(3, 8, 8), "title")
    shown = [panel.images[0].get_array() for panel in figure.axes if panel.images]
    assert len(shown) == 1 + 6 and torch.equal(torch.as_tensor(shown[-1]), maps[1, 2])
    figure = head_matrices(maps, ["a", "b", "c", "d"], "title")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b", "c", "d"]
    assert torch.equal(torch.as_tensor(figure.axes[1].images[0].get_array()), maps[0, 1])
