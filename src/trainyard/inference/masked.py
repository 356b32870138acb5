"""What a masked language model expects in place of each [MASK] of a text (Devlin et al., 2018)."""

from collections.abc import Iterator
from itertools import count

import torch
from lightning import LightningDataModule
from torch import Tensor

from trainyard.data.loading.tokens import MASK, SPECIAL
from trainyard.data.text import Text
from trainyard.inference.batches import batches
from trainyard.inference.inputs import Input, Inputs, short_name
from trainyard.inference.predict import Prediction, Predictor
from trainyard.inference.preprocessing import count_words
from trainyard.tasks.base import Task
from trainyard.tasks.masked_lm import MaskedLM


def masked_text(task: Task, data: LightningDataModule) -> Text | None:
    """The data if the task predicts masked tokens and the data has a tokenizer to name them; else None."""
    return data if isinstance(task, MaskedLM) and isinstance(data, Text) else None


def vocabulary(data: Text) -> list[str]:
    """The tokens as they read in a text; of a network that has more than its tokenizer, the others by number."""
    tokenizer = data.saved_tokenizer()
    special = len(SPECIAL)
    words = [tokenizer.decode([token]).strip() for token in range(special, tokenizer.get_vocab_size())]
    known = SPECIAL + [word or str(tokenizer.id_to_token(token)) for token, word in zip(count(special), words)]
    return known + [f"[{token}]" for token in range(len(known), data.vocab_size)]


def predict_masks(
    task: Task, data: Text, inputs: Inputs, batch_size: int | None = None, device: str = "auto"
) -> Iterator[Prediction]:
    """The probability of each token of the vocabulary at each [MASK], one prediction after the other.

    `inputs.refuse` is told of a text without a [MASK] within the tokens that the network reads.
    """
    predictor = MaskPredictor(task, data, device)
    for chunk, tokens in batches(data, inputs, batch_size or data.eval_batch_size, inputs.refuse):
        rows = predictor(tokens)  # of all masks of the chunk, in order
        words = count_words(data, [each.value for each in chunk])
        found = (tokens == MASK).sum(dim=1).tolist()
        for each, number, own, known in zip(chunk, found, rows.split(found), words, strict=True):
            if not number:
                least = f"within the {data.max_length} tokens that the network reads" if known.is_truncated else "in it"
                inputs.refuse(f"{short_name(each)}: there is no [MASK] {least} to be predicted")
            elif not own.isfinite().all():
                inputs.refuse(f"{short_name(each)}: the network's outputs are not finite (nan or inf)")
            else:
                for place, row in enumerate(own, start=1):
                    name = each.name if number == 1 else f"mask {place} of {number}: {each.name}"
                    yield Prediction(Input(name, name), row, known)


class MaskPredictor(Predictor):
    """As `Predictor`, of the masked tokens alone: (B, T) -> (N, vocab_size), N masks in all."""

    @torch.inference_mode()
    def __call__(self, batch: Tensor) -> Tensor:
        """Tokens (B, T) -> probabilities (N, vocab_size), on the CPU."""
        tokens = batch.to(self.device)
        return self.task.postprocess(self.task.net(tokens, target_positions=tokens == MASK)).cpu()
