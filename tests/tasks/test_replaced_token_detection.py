"""Replaced-token detection: its loss, what the generator draws, and who can begin with the weights."""

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

import trainyard
from trainyard.data.imdb_rtd import IMDBRTD
from trainyard.data.loading.hashing import sample_keys
from trainyard.errors import UserError
from trainyard.models.bert import BERT
from trainyard.models.electra import ELECTRA
from trainyard.tasks.language import IGNORE
from trainyard.tasks.replaced_token_detection import SPECIAL, ReplacedTokenDetection, sample

SIZES = {"vocab_size": 30, "max_length": 12, "dim": 16, "depth": 2, "heads": 2, "ff_dim": 32, "dropout": 0.0}
PARTS: dict = {"optimizer": None, "scheduler": None}


@pytest.fixture
def task() -> ReplacedTokenDetection:
    torch.manual_seed(0)
    net = ELECTRA(**SIZES)
    with torch.no_grad():  # far from uniform predictions and small logits
        for weight in net.parameters():
            weight.mul_(8)
    return ReplacedTokenDetection(net=net.eval(), discriminator_weight=7.0, **PARTS)


def batch_of(rows: int = 6, length: int = 12) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens with a padded last row, of which a third is masked."""
    generator = torch.Generator().manual_seed(1)
    original = torch.randint(SPECIAL, 30, (rows, length), generator=generator)
    original[-1, 7:] = 0
    masked = (torch.rand(rows, length, generator=generator) < 0.3) & (original > 0)
    targets = torch.where(masked, original, IGNORE)
    return original.masked_fill(masked, 4), targets, torch.rand(rows, length, generator=generator)


def test_the_loss_is_that_of_both_networks(task: ReplacedTokenDetection) -> None:
    """Against a reference, token by token: fails if a token is replaced elsewhere, or padding or masks are counted."""
    tokens, targets, draws = batch_of()
    logits = task.net.fill(tokens, targets != IGNORE)
    text, of_generator = torch.where(targets != IGNORE, targets, tokens), []
    for number, (row, place) in enumerate((targets != IGNORE).nonzero().tolist()):
        of_generator.append(-logits[number].log_softmax(0)[targets[row, place]].item())
        chances = logits[number].exp().tolist()
        chances[:SPECIAL] = [0.0] * SPECIAL
        sums = [sum(chances[: token + 1]) for token in range(30)]
        text[row, place] = next(token for token in range(30) if sums[token] > draws[row, place].item() * sums[-1])
    found, losses, answers = task.net(text).detach(), [], []
    for row, place in (tokens != 0).nonzero().tolist():
        answers.append(bool(targets[row, place] not in (IGNORE, text[row, place])))
        chance = 1 / (1 + math.exp(-found[row, place]))
        losses.append(-math.log(chance if answers[-1] else 1 - chance))
    scored = task.score((tokens, targets, draws))
    expected = sum(of_generator) / len(of_generator) + 7 * sum(losses) / len(losses)
    assert scored.loss.item() == pytest.approx(expected, rel=1e-4)
    assert scored.targets.tolist() == answers and 0 < sum(answers) < len(of_generator) + 1
    assert scored.weight == len(losses) == 67
    torch.testing.assert_close(scored.more["generator_loss"], torch.tensor(of_generator), rtol=1e-4, atol=1e-4)


def test_the_detection_teaches_the_generator_nothing_but_the_embeddings(task: ReplacedTokenDetection) -> None:
    tokens, targets, draws = batch_of()
    task.discriminator_weight = 0.0
    first = torch.autograd.grad(task.score((tokens, targets, draws)).loss, list(task.net.generator.parameters()))
    task.discriminator_weight = 50.0
    task.score((tokens, targets, draws)).loss.backward()
    for one, weight in zip(first, task.net.generator.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, one)
    assert all(weight.grad is not None and weight.grad.abs().max() > 0 for weight in task.net.parameters())


def test_draws_are_spread_as_the_probabilities_are() -> None:
    logits = torch.randn(1, 40, generator=torch.Generator().manual_seed(0)).mul(2).repeat(2000, 1)
    found = sample(logits, (torch.arange(2000) + 0.5) / 2000)
    expected = logits[0, SPECIAL:].softmax(0)
    torch.testing.assert_close(torch.bincount(found, minlength=40)[SPECIAL:] / 2000, expected, atol=2e-3, rtol=0)
    assert found.min() >= SPECIAL and (found[1:] >= found[:-1]).all()
    edges = torch.tensor([0.0, 1 - 2**-24])
    assert sample(torch.zeros(2, 40), edges).tolist() == [SPECIAL, 39]
    one = torch.zeros(2, 40).index_fill(1, torch.tensor([11]), 200.0)  # the others have no chance, nor at the edges
    assert sample(one, edges).tolist() == [11, 11]


def test_the_draws_are_those_of_the_sample_and_the_epoch() -> None:
    """Alone, in another batch or after a resumption: fails if they depend on anything but (seed, epoch, sample)."""
    data = IMDBRTD(vocab_size=30, max_length=12, batch_size=4)
    tokens = torch.randint(SPECIAL, 30, (6, 12), generator=torch.Generator().manual_seed(0))

    def batch(epoch: int, *rows: int) -> tuple[Tensor, ...]:
        share = SimpleNamespace(keys=sample_keys(3, epoch, torch.tensor(rows)))
        return data.on_after_batch_transfer((tokens[list(rows)], None, share), 0)

    whole = batch(0, *range(6))
    for one, other in zip(batch(0, 4, 1), whole, strict=True):
        assert torch.equal(one, other[[4, 1]])
    draws = whole[2]
    assert ((draws >= 0) & (draws < 1)).all() and draws.unique().numel() == draws.numel()
    assert not torch.equal(batch(1, *range(6))[2], draws)


def test_a_classifier_begins_with_all_but_its_head(short: list[str], small_imdb: Path) -> None:
    """imdb_bert_finetune takes the encoder of imdb_electra_pretrain, whose head, as large as its own, is left new."""
    words = [*short, "model.dim=8", "model.heads=2", "model.ff_dim=8", "logger=none", "callbacks.pictures=null"]
    there = trainyard.train([*words, "experiment=imdb_electra_pretrain", "trainer.max_epochs=1"])
    assert {"test/auroc", "test/accuracy", "test/generator_loss"} <= set(there.summary["test"])
    still = ["optimizer=sgd", "optimizer.lr=0", "scheduler=constant", f"pretrained={there.path}"]
    here = trainyard.train([*words, "experiment=imdb_bert_finetune", *still, "trainer.max_epochs=1"])
    theirs, ours = (run.task().net.state_dict() for run in (there, here))
    same = {name for name in ours if name in theirs and torch.equal(ours[name], theirs[name])}
    assert {name.split(".")[0] for name in ours.keys() - same} == {"pooler", "head"}
    assert {name.split(".")[0] for name in same} >= {"embedding", "class_token", "norm", "blocks"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReplacedTokenDetection(net=BERT(**SIZES), **PARTS), "needs a generator .model=electra., not BERT"),
        (lambda: ReplacedTokenDetection(net=ELECTRA(**SIZES), discriminator_weight=0, **PARTS), "weight=0 must be pos"),
        (lambda: ELECTRA(**SIZES, num_classes=2), "has no classes; model=bert pretrained=RUN"),
        (lambda: ELECTRA(**SIZES, generator_size=0), "generator_size=0 must be in"),
    ],
)
def test_what_does_not_fit_is_refused(make: Callable, message: str) -> None:
    with pytest.raises((ValueError, UserError), match=message):
        make()
