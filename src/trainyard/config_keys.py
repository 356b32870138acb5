"""What each key of the config does: it changes the numbers of a run, describes the machine, or is bookkeeping.

The only table of this: which keys may change when a run is resumed, which are hyperparameters, which distinguish the
rows of a report or the trials of two studies, what the best.yaml of a sweep and a new run like=RUN take over.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any


class Kind(Enum):
    """What follows from a change of a key."""

    NUMBERS = "other weights or scores: another experiment"
    MACHINE = "the same experiment on other resources, or with its data in another place"
    BOOKKEEPING = "the same experiment, named, logged, watched or protected in another way"


KINDS = {  # keys, or with a dot at the end all keys below one; every other key is of the kind NUMBERS
    Kind.MACHINE: (
        "hardware", "hardware.devices", "hardware.num_nodes", "hardware.timeout", "hardware.max_restarts",
        "hardware.threads", "hardware.num_workers", "hardware.checkpoint_blocks", "hardware.sharded_points",
        "trainer.devices", "trainer.num_nodes", "data.num_workers", "data.eval_batch_size", "data.root", "data.cache",
        "data.path", "data.download", "data.in_memory_bytes", "data.decode",
        "data.train.root", "data.val.root", "data.test.root", "data.held_out.root",
    ),
    Kind.BOOKKEEPING: (
        "resume", "trust", "debug", "check", "test", "run.", "hydra.", "logger", "logger.",
        "trainer.enable_progress_bar", "trainer.default_root_dir", "trainer.profiler", "trainer.profiler.", "profile",
        "profile.",
        "callbacks.resume.", "callbacks.finite.", "callbacks.pruning.", "callbacks.progress_bar.",
        "callbacks.epoch_lines.", "callbacks.throughput.", "callbacks.log_interval.", "callbacks.norms.",
        "callbacks.pictures.",
    ),
}  # fmt: skip
PLACES = (".dirpath", ".folder", ".save_dir")  # ends of keys that name the run directory: BOOKKEEPING as well
FIXED_ON_RESUME = {  # neither changes the experiment, and yet a resumed run keeps what it began with
    "hardware.threads": "sums over other parts differ in their last bits",
    "data.eval_batch_size": "sums over other parts differ in their last bits",
    "test": "a finished run is not opened again to test it",
}
OF_RUNS = ("pretrained", "data.pseudo_labels", "task.teacher")  # may name runs, as like and resume do
OWN = (  # a new run like=RUN does not take these over: which run it is, and where
    "resume", "trust", "debug", "check", "run.", "hydra.", "callbacks.pruning.", "trainer.default_root_dir",
    "trainer.enable_progress_bar",
)  # fmt: skip
RENAMED = {"task.base_lr": "task.backbone_lr_scale", "data.memory": "data.in_memory_bytes"}  # since 0.1
MOVED = {  # targets in the configs of runs made before the modules were grouped, and where they are now
    "trainyard.reliability.best.Best": "trainyard.durability.best.Best",
    "trainyard.reliability.resume.ResumePoints": "trainyard.durability.resume_points.ResumePoints",
    "trainyard.reliability.finite.Finite": "trainyard.durability.non_finite.NonFiniteGuard",
    "trainyard.callbacks.samples.Samples": "trainyard.callbacks.generated_text.GeneratedText",
}
REMOVED = ("trainyard.callbacks.curves.Curves",)  # targets of callbacks that are gone
_TRANSFORMERS = (
    "trainyard.models.bert.BERT", "trainyard.models.gpt.GPT", "trainyard.models.transformer.Transformer",
    "trainyard.models.vit.ViT",
)  # fmt: skip
_GPT = ("trainyard.models.gpt.GPT",)
HARDWARE_ADDED = {  # what holds for runs whose config lacks these keys of hardware
    "num_nodes": 1, "strategy": "ddp", "sync_batchnorm": True, "comm_hook": None, "find_unused_parameters": False,
    "timeout": 1800, "max_restarts": 0, "checkpoint_blocks": False,
}  # fmt: skip
_TASKS = (
    "trainyard.tasks.classification.Classification", "trainyard.tasks.perceptron.PerceptronRule",
    "trainyard.tasks.causal_lm.CausalLM", "trainyard.tasks.masked_lm.MaskedLM",
)  # fmt: skip
_CLASSIFIERS = (
    _TASKS[0], "trainyard.tasks.ordinal.Ordinal", "trainyard.tasks.distillation.Distillation",
)  # fmt: skip
_ALL_TASKS = (
    *_TASKS, *_CLASSIFIERS[1:], "trainyard.tasks.regression.Regression", "trainyard.tasks.multilabel.MultiLabel",
    "trainyard.tasks.autoencoding.Autoencoding",
)  # fmt: skip
_IMAGES = ("trainyard.data.cifar10.CIFAR10", "trainyard.data.shapes.Shapes", "trainyard.data.image_folder.ImageFolder")
_TEXTS = (
    "trainyard.data.imdb.IMDB", "trainyard.data.reviews.Reviews", "trainyard.data.text_folder.TextFolder",
    "trainyard.data.text_csv.TextCSV",
)  # fmt: skip
_OTHER_DATA = (
    "trainyard.data.tabular.Tabular", "trainyard.data.imdb_lm.IMDBLM",
    "trainyard.data.imdb_mlm.IMDBMLM",
)  # fmt: skip
ADDED = {  # of these targets, and what holds for runs without the key
    "model.attention_dropout": (_TRANSFORMERS, 0.0), "task.layer_decay": (_TASKS, 1.0),
    "data.sampling": ((*_IMAGES, *_TEXTS, *_OTHER_DATA), "shuffled"),
    "data.strip_html": ((*_TEXTS, *_OTHER_DATA[1:]), None),
    "data.unlabelled": ((_TEXTS[0], *_OTHER_DATA[1:]), False),
    "data.pseudo_labels": (_TEXTS[:1], None), "data.pseudo_confidence": (_TEXTS[:1], 0.75),
    "data.mix_alpha": (_IMAGES, 1.0), "data.word_dropout": (_TEXTS, 0.0), "data.token_noise": (_TEXTS, 0.0),
    "task.loss": (_TASKS[:1], "cross_entropy"), "task.metrics": (_TASKS[:1], []),
    "task.class_weights": (_TASKS[:1], None), "task.views": (_CLASSIFIERS, "none"),
    "task.norm_lr_scale": (_ALL_TASKS, 1.0), "task.whiten": (_ALL_TASKS, None),
    "model.qk_norm": (_GPT, False), "model.zero_init": (_GPT, False),
    "model.embed_norm": (_GPT, False), "model.fused_attention": (_GPT, True),
    "optimizer.precision": (("trainyard.optim.muon.Muon",), "32-true"),
    "callbacks.ema.warmup": (("trainyard.callbacks.ema.EMA",), False),
}  # fmt: skip


def _is_in(key: str, entries: Iterable[str]) -> bool:
    return any(key == entry or (entry.endswith(".") and key.startswith(entry)) for entry in entries)


def kind_of(key: str) -> Kind:
    """The kind of a dotted key (without + or ~)."""
    for kind, entries in KINDS.items():
        if _is_in(key, entries):
            return kind
    return Kind.BOOKKEEPING if key.endswith(PLACES) else Kind.NUMBERS


def key_of(word: str) -> str:
    """The key that an override sets or deletes, without + or ~."""
    return word.partition("=")[0].lstrip("+~")


def changes_numbers(key: str) -> bool:
    """Whether another value of the key makes another experiment."""
    return kind_of(key) is Kind.NUMBERS


def may_change_on_resume(key: str) -> bool:
    """Whether a resumed run may differ from its beginning in this key, and still end with the same bits."""
    return not changes_numbers(key) and key not in FIXED_ON_RESUME


def is_inherited(key: str) -> bool:
    """Whether a new run that begins with another one's config takes over the key."""
    return not _is_in(key, OWN) and not key.endswith(PLACES)


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one mapping with dotted keys."""
    if not isinstance(node, dict) or not node:
        return {prefix[:-1]: node}
    return {key: value for name, child in node.items() for key, value in flatten(child, f"{prefix}{name}.").items()}


def unflatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    node: dict[str, Any] = {}
    for key, value in values.items():
        *parents, name = key.split(".")
        inner = node
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[name] = value
    return node


def upgrade(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config of an earlier version under today's names: RENAMED and added keys, MOVED targets, none that are REMOVED.

    (A user's own class may well have an argument of a name that one of Trainyard's had.)
    """

    def renamed(node: Any, prefix: str = "") -> Any:
        if isinstance(node, Mapping):
            if node.get("_target_") in REMOVED:
                return None
            names = RENAMED if str(node.get("_target_")).startswith("trainyard.") else {}
            return {
                names.get(f"{prefix}{key}", key).removeprefix(prefix) if isinstance(key, str) else key: renamed(
                    child, f"{prefix}{key}."
                )
                for key, child in node.items()
            }
        if isinstance(node, list):
            return [renamed(child) for child in node]
        return MOVED.get(node, node) if isinstance(node, str) else node

    upgraded = renamed(config)
    for key, (targets, value) in ADDED.items():
        group, _, name = key.rpartition(".")
        node: Any = upgraded
        for part in group.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict) and node.get("_target_") in targets:
            node.setdefault(name, value)
    if isinstance(hardware := upgraded.get("hardware"), dict):
        upgraded["hardware"] = {**HARDWARE_ADDED, **hardware}
    return upgraded
