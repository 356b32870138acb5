"""The classes that can be explained, by name."""

from typing import Any

from trainyard.errors import did_you_mean
from trainyard.tasks.classification import Classification, class_names
from trainyard.tasks.language import LanguageModel

SHOWN = 30  # classes that an error lists


def explained_classes(task: Classification | LanguageModel, data: Any) -> list[str]:
    """The names of the classes; a language model's are the entries of its vocabulary."""
    if isinstance(task, LanguageModel):
        tokenizer = data.saved_tokenizer()
        return [tokenizer.decode([token], skip_special_tokens=False).strip() or tokenizer.id_to_token(token) or "?"
                for token in range(data.vocab_size)]  # fmt: skip
    return class_names(task, data)


def class_index(name: str, classes: list[str]) -> int:
    """The class of that name, or of that number if none is called so; ValueError for neither."""
    if name in classes:
        return classes.index(name)
    if name.isdecimal() and int(name) < len(classes):
        return int(name)
    known = f"; choose one of {', '.join(classes)}" if len(classes) <= SHOWN else ""
    raise ValueError(f"target={name} is not one of the {len(classes):,} classes.{did_you_mean(name, classes)}{known}")
