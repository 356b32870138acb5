import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from trainyard.errors import UserError
from trainyard.sweep.sampler import all_points
from trainyard.sweep.space import quote, read_space


@pytest.mark.parametrize(
    ("word", "distribution"),
    [
        ("a=interval(0.1,0.5)", FloatDistribution(0.1, 0.5)),
        ("a=tag(log,interval(1e-5,1e-1))", FloatDistribution(1e-5, 1e-1, log=True)),
        ("a=tag(log, interval(1e-3, 1))", FloatDistribution(1e-3, 1.0, log=True)),
        ("a=interval(1,8)", FloatDistribution(1, 8)),
        ("a=int(interval(1,8))", IntDistribution(1, 8)),
        ("a=range(16,129,16)", IntDistribution(16, 128, step=16)),
        ("a=range(0.1,0.5,0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("a=choice(relu,tanh)", CategoricalDistribution(["relu", "tanh"])),
        ("a=1,2", CategoricalDistribution([1, 2])),
        ("a=choice(true,0.5,1)", CategoricalDistribution([True, 0.5, 1])),
    ],
)
def test_hydras_words_are_distributions(word: str, distribution) -> None:
    found = read_space({}, [word]).distributions["a"]
    if isinstance(distribution, FloatDistribution) and distribution.step:
        assert (found.low, found.high, found.step) == pytest.approx((0.1, 0.4, 0.1))  # pyright: ignore
    else:
        assert found == distribution


@pytest.mark.parametrize("value", [1e-3, 1e-12, 7, True, None, [1, "x y"], [0.5, [2]]])
def test_a_value_becomes_the_word_that_hydra_reads_as_that_value(value: object) -> None:
    override = OverridesParser.create().parse_override(f"a.b={quote(value)}")
    assert override.value() == value


@pytest.mark.parametrize("text", ["a,b", "x=y", "it's", "[1, 2]", "", "null", "1e-3", "/a b/c", "${x}"])
def test_any_text_comes_back_through_hydras_parser(text: str) -> None:
    assert OverridesParser.create().parse_override(f"a={quote(text)}").value() == text


def test_lists_are_choices_known_by_their_text() -> None:
    space = read_space({"model.widths": "choice([2],[4,8])"}, [])
    assert space.distributions["model.widths"] == CategoricalDistribution(["[2]", "[4,8]"])
    assert space.overrides({"model.widths": "[4,8]"}) == ["model.widths=[4,8]"]


def test_the_command_line_wins_and_a_single_value_ends_the_search_of_its_key() -> None:
    params = {"optimizer.lr": "interval(0.1,0.2)", "model.dropout": "interval(0.1,0.5)"}
    space = read_space(params, ["optimizer.lr=interval(1.0,2.0)", "model.dropout=0.3", "sweep=xor"])
    assert space.distributions == {"optimizer.lr": FloatDistribution(1.0, 2.0)}
    assert space.fixed == ["model.dropout=0.3", "sweep=xor"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a=range(3,3)"], "the range is empty"),
        (["a=tag(square,interval(0,1))"], "the tag square is unknown"),
        (["a=tag(log,interval(0.0,1.0))"], "a=tag\\(log,interval\\(0.0,1.0\\)\\): "),
    ],
)
def test_what_cannot_be_searched_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_space({}, words)


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("a=range(3,0,-1)", [3, 2, 1]),
        ("a=range(0.1,0.35,0.1)", [0.1, 0.2, 0.3]),
        ("a=range(0.1,0.4,0.1)", [0.1, 0.2, 0.3]),
        ("a=choice(2,1,2)", [2, 1]),
    ],
)
def test_values_are_those_that_are_written_in_their_order(word: str, values: list[float]) -> None:
    space = read_space({}, [word])
    assert [point["a"] for point in all_points(space)] == values
    assert [space.overrides({"a": value}) for value in values] == [[f"a={value}"] for value in values]
    assert space.contains({"a": 0.1 + 2 * 0.1}) == (0.3 in values)  # what a sampler computes


def test_a_grid_needs_values_that_can_be_counted() -> None:
    space = read_space({}, ["a=choice(x,y)", "b=range(1,3)", "c=range(0.0,1.0,0.5)"])
    assert all_points(space) == [{"a": a, "b": b, "c": c} for a in "xy" for b in (1, 2) for c in (0.0, 0.5)]
    endless = read_space({}, ["a=interval(0.0,1.0)"])
    assert endless.points() is None
    with pytest.raises(UserError, match="sampler=grid tries every value, and a is an interval"):
        all_points(endless)
    with pytest.raises(UserError, match="and there are more than 10,000"):
        all_points(read_space({}, ["a=range(0,101)", "b=range(0,100)"]))
