import pytest

from trainyard.config.sweep_words import hydra_words
from trainyard.errors import UserError


def test_a_zip_is_its_words_and_says_which_belong_together() -> None:
    words = ["-m", "zip(model=gru,lstm data.batch_size=32,64)", "seed=0,1", "zip(+a.b=[1,2],[3]  c='x y',z)"]
    assert hydra_words(words) == [
        "-m", "model=gru,lstm", "data.batch_size=32,64", "seed=0,1", "+a.b=[1,2],[3]", "c='x y',z",
        "hydra.sweeper.zip=[[model,data.batch_size],[a.b,c]]",
    ]  # fmt: skip


def test_a_dry_run_is_a_key() -> None:
    assert hydra_words(["-m", "--dry-run", "seed=0,1"]) == ["-m", "hydra.sweeper.dry_run=true", "seed=0,1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["zip(a=1,2 b=3,4)"], "is for many trainings: add -m"),
        (["-m", "zip(a=1,2)"], "write at least two keys"),
        (["-m", "zip(a b)"], "write at least two keys"),
        (["-m", "zip(a=1,2 b=3)"], "b=3 is one value; its keys have as many values each"),
        (["--dry-run", "a=1"], "lists the jobs of -m; check=true tries one training"),
    ],
)
def test_what_makes_no_jobs_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        hydra_words(words)
