"""Networks of Hugging Face transformers, as texts come here: padding is token 0, on either side."""

import json
import logging
from pathlib import Path

import pytest
import torch

import trainyard
from trainyard.errors import UserError
from trainyard.models.hugging_face import HuggingFaceText
from trainyard.tasks.head import head_parts

transformers = pytest.importorskip("transformers", reason="the extra huggingface")
SIZES = {
    "bert": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
    "roberta": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2},
}
REVIEWS = ["data=reviews", "data.size=200", "data.test_size=50", "logger=none", "callbacks.pictures=null"]
TOKENS = torch.tensor([[5, 6, 7, 8], [9, 5, 0, 0]])


def network(kind: str, num_classes: int | None = 3, causal: bool = False, **config) -> HuggingFaceText:
    torch.manual_seed(0)
    return HuggingFaceText({"model_type": kind, **SIZES[kind], **config}, 20, 8, num_classes, causal).eval()


@pytest.mark.parametrize("kind", SIZES)
def test_padding_changes_nothing_on_either_side(kind: str) -> None:
    net = network(kind)
    logits = net(TOKENS)
    assert logits.shape == (2, 3)
    left = torch.tensor([[0, 5, 6, 7, 8], [0, 0, 0, 9, 5]])
    assert torch.allclose(net(left), logits, atol=1e-5)
    assert torch.allclose(net(TOKENS[1:, :2]), logits[1:], atol=1e-5)
    assert torch.isfinite(net(torch.zeros(1, 4, dtype=torch.long))).all()


@pytest.mark.parametrize(("kind", "causal"), [("bert", False), ("gpt2", True)])
def test_a_language_model_decodes_at_the_positions_that_are_asked_for(kind: str, causal: bool) -> None:
    net = network(kind, None, causal)
    positions = torch.tensor([[False, True, False, True], [True, False, False, False]])
    everywhere = net(TOKENS)
    assert net.causal is causal and everywhere.shape == (2, 4, 20)
    assert torch.equal(net(TOKENS, target_positions=positions), everywhere[positions])
    changed = TOKENS.clone()
    changed[0, 3] = 11
    assert torch.allclose(net(changed)[0, 1], everywhere[0, 1], atol=1e-6) is causal  # sees no later token


def test_a_folders_config_is_data_without_code_or_precision() -> None:
    stored = {
        "auto_map": {"AutoModel": "evil.Model"},
        "torch_dtype": "float16",
        "architectures": ["BertForPreTraining"],
    }
    net = network("bert", **stored, id2label={"0": "a"}, vocab_size=20)
    assert {weight.dtype for weight in net.parameters()} == {torch.float32}
    assert type(net.model) is transformers.BertForSequenceClassification and net.model.config.num_labels == 3


def test_what_contradicts_the_data_is_refused() -> None:
    for config, message in (
        ({"vocab_size": 30522}, "config.vocab_size=30522 and data.vocab_size=20: the same token would mean another"),
        ({"max_position_embeddings": 4}, "config.max_position_embeddings=4 is less than data.max_length=8"),
        ({"model_type": "brt"}, "config.model_type=brt is no network of transformers"),
        ({"model_type": "vit"}, "config.model_type=vit has no SequenceClassification in transformers"),
    ):
        with pytest.raises(ValueError, match=message):
            network("bert", **config)


def test_a_local_folders_weights_are_fine_tuned_and_reopened_without_it(
    tmp_path: Path, short: list[str], caplog
) -> None:
    """As a laboratory would: pretrained by transformers itself, saved, and used here with new classes."""
    caplog.set_level(logging.INFO, logger="trainyard")
    torch.manual_seed(1)
    folder = tmp_path / "saved"
    config = transformers.BertConfig(**SIZES["bert"], vocab_size=100, max_position_embeddings=32)
    saved = transformers.BertModel(config)
    saved.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["architectures"] == ["BertModel"]
    words = [*short, *REVIEWS, "model=hf_text", f"model.config=${{json:{folder}/config.json}}"]
    still = ["optimizer=sgd", "optimizer.lr=0", "scheduler=constant"]
    with pytest.raises(UserError, match="config.vocab_size=100 and data.vocab_size=90"):
        trainyard.train([*words, "data.vocab_size=90"])
    run = trainyard.train([*words, *still, f"pretrained={folder}/model.safetensors"])
    folder.rename(tmp_path / "gone")
    ours = run.task().net.model.bert.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in saved.state_dict().items() if name in ours)
    assert "not in it: model.classifier.weight, model.classifier.bias" in caplog.text
    assert run.predict(["a fine film"]).shape == (1, 2)


def test_its_head_has_a_rate_of_its_own(short: list[str]) -> None:
    words = [f"model.config.{key}={value}" for key, value in SIZES["bert"].items()]
    run = trainyard.train([*short, *REVIEWS, "model=hf_text", *words, "task.backbone_lr_scale=0.1"])
    assert head_parts(run.task()) == ("model.classifier",) and run.evaluate() == pytest.approx(run.summary["test"])
