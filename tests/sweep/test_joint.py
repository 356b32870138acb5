import pytest

from trainyard.errors import UserError
from trainyard.sweep.joint import add_recipes, zip_keys
from trainyard.sweep.space import read_space


def test_zipped_keys_advance_together_and_meet_every_other_value() -> None:
    space = zip_keys(read_space({}, ["seed=0,1", "+model.a=x,[1,2]", "b=range(3,5)", "c=7"]), [["model.a", "b"]])
    points = space.points() or []
    assert [space.overrides(point) for point in points] == [
        ["seed=0", "+model.a=x", "b=3"], ["seed=0", "+model.a=[1,2]", "b=4"],
        ["seed=1", "+model.a=x", "b=3"], ["seed=1", "+model.a=[1,2]", "b=4"],
    ]  # fmt: skip
    assert space.fixed == ["c=7"] and space.keys == ["seed", "model.a", "b"]
    assert all(space.contains(point) for point in points)


def test_values_are_paired_as_they_are_listed() -> None:
    words = ["a=x,x,y", "b=range(3,0,-1)", "c=range(0.1,0.4,0.1)"]
    space = zip_keys(read_space({}, words), [["a", "b", "c"]])
    assert [space.overrides(point) for point in space.points() or []] == [
        ["a=x", "b=3", "c=0.1"], ["a=x", "b=2", "c=0.2"], ["a=y", "b=1", "c=0.3"],
    ]  # fmt: skip


def test_a_key_that_the_command_line_sets_leaves_its_zip() -> None:
    space = zip_keys(read_space({"a": "1,2", "b": "3,4", "c": "5,6"}, ["b=9"]), [["a", "b", "c"]])
    assert [space.overrides(point) for point in space.points() or []] == [["a=1", "c=5"], ["a=2", "c=6"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a=1,2", "b=1,2,3"], r"zip\(a b\): a has 2 values, and b 3"),
        (["a=1,2"], r"zip\(a b\): b has no list of values; write b=a,b,..."),
        (["a=1,2", "b=interval(0,1)"], r"zip\(a b\): b is an interval; write its values"),
    ],
)
def test_what_has_no_pairs_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        zip_keys(read_space({}, words), [["a", "b"]])


def test_the_command_line_holds_in_every_recipe() -> None:
    space = read_space({}, ["model.dropout=0.5", "seed=0,1"])
    found = add_recipes(space, [{"model": "gru", "model.dropout": 0.1}, {"model": "lstm", "+x": [1, 2]}])
    assert [found.overrides(point) for point in found.points() or []] == [
        ["model=gru", "seed=0"], ["model=gru", "seed=1"], ["model=lstm", "+x=[1,2]", "seed=0"],
        ["model=lstm", "+x=[1,2]", "seed=1"],
    ]  # fmt: skip
    assert found.keys == ["model", "x", "seed"]
    same = add_recipes(read_space({}, ["seed=3"]), [{"seed": 0}, {"seed": 1}])
    assert [same.overrides(point) for point in same.points() or []] == [[]]  # nothing is left that differs


@pytest.mark.parametrize(
    ("recipe", "said"),
    [("gru", "gru is no mapping of keys"), ({}, "is no mapping of keys"), ({"a": "1,2"}, "a=1,2 is several values")],
)
def test_what_is_no_recipe_is_refused(recipe: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        add_recipes(read_space({}, []), [recipe])  # pyright: ignore
