"""A text network of Hugging Face transformers (Wolf et al., 2020), built from its config, without code of others."""

from importlib import import_module
from typing import Any

from torch import Tensor, nn

from trainyard.models.layers.padding import PADDING, alignment, restore

OURS = ("vocab_size", "num_labels", "pad_token_id", "bos_token_id", "eos_token_id")  # keys that the data decide
UNUSED = (  # keys of a config.json that say how its weights were stored, or whose code to run
    "model_type", "auto_map", "architectures", "transformers_version", "id2label", "label2id", "quantization_config",
    "dtype", "torch_dtype", "use_cache", "attn_implementation", "_attn_implementation", "experts_implementation",
)  # fmt: skip
LENGTHS = ("max_position_embeddings", "n_positions")  # what configs call the greatest length


class HuggingFaceText(nn.Module):
    """The network of transformers that `config` describes, as the other networks here take and return texts.

    `config` is what is in a config.json: its `model_type` (bert, gpt2, ...) and any of its keys. With `num_classes` it
    classifies; without, it is a language model, `causal` or masked. Weights are initialized; published ones
    (.safetensors) come by pretrained=FILE. Rows are aligned to the left and padding, token 0, is masked.
    """

    def __init__(
        self, config: dict[str, Any], vocab_size: int, max_length: int, num_classes: int | None, causal: bool
    ) -> None:
        super().__init__()
        made = _config(config, vocab_size, max_length, num_classes)
        self.max_length, self.is_classifier = max_length, num_classes is not None
        self.causal = None if self.is_classifier else causal
        language_model = "CausalLM" if causal else "MaskedLM"
        self.model = _build(made, "SequenceClassification" if self.is_classifier else language_model)

    @property
    def embedding(self) -> nn.Module:
        """The embeddings of the tokens."""
        return self.model.get_input_embeddings()  # pyright: ignore

    def forward(self, tokens: Tensor, target_positions: Tensor | None = None) -> Tensor:
        # (B, T) -> (B, num_classes); of a language model (B, T, vocab_size), or (N, vocab_size) at the positions
        order = alignment(tokens)
        aligned = tokens.gather(1, order)
        mask = aligned != PADDING
        mask[:, 0] = True  # a row without a token attends to one padding token
        logits = self.model(input_ids=aligned, attention_mask=mask.long()).logits
        return logits if self.is_classifier else restore(logits, order, target_positions)


def _config(config: dict[str, Any], vocab_size: int, max_length: int, num_classes: int | None) -> Any:
    """The config as transformers has it, with the facts of the data; ValueError for one that contradicts them."""
    mapping = _transformers().CONFIG_MAPPING
    kind = config.get("model_type")
    if kind not in mapping:
        raise ValueError(f"config.model_type={kind} is no network of transformers; bert, roberta, gpt2 are some")
    if config.get("vocab_size", vocab_size) != vocab_size:
        raise ValueError(
            f"config.vocab_size={config['vocab_size']} and data.vocab_size={vocab_size}: the same token would mean "
            "another word; leave the first out, or set the second"
        )
    given = {key: value for key, value in config.items() if key not in (*OURS, *UNUSED)}
    labels = {"num_labels": num_classes} if num_classes is not None else {}
    tokens = {"pad_token_id": PADDING, "bos_token_id": None, "eos_token_id": None}
    made = mapping[kind](**given, **labels, **tokens, vocab_size=vocab_size)
    made.use_cache = False
    for key in LENGTHS:
        room = getattr(made, key, None)
        if isinstance(room, int) and room < max_length:
            raise ValueError(f"config.{key}={room} is less than data.max_length={max_length}; lower the second")
    return made


def _build(config: Any, kind: str) -> nn.Module:
    """A network with initialized weights."""
    try:
        return getattr(_transformers(), f"AutoModelFor{kind}").from_config(config)
    except ValueError as error:  # its message lists every network that there is
        raise ValueError(f"config.model_type={config.model_type} has no {kind} in transformers") from error


def _transformers() -> Any:
    """The package, imported when it is needed: it takes seconds."""
    try:
        return import_module("transformers")
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        raise ImportError("transformers is not installed: pip install 'trainyard[huggingface]'") from error
