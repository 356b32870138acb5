"""What someone else may have written, as plain values: a config file, a word for the terminal."""

from pathlib import Path
from typing import Any

import yaml

from trainyard.errors import UserError
from trainyard.reliability.files import read_small


class PlainLoader(yaml.SafeLoader):
    """YAML without tags, and without nodes that stand for others, with which a few lines grow to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("it holds an alias (*name)")
        if getattr(event, "tag", None) is not None:
            raise yaml.YAMLError(f"it holds a tag ({event.tag})")
        return super().compose_node(parent, index)


def read_config(file: Path, content: bytes | None = None) -> dict[str, Any]:
    """A config file (or its content, already read) as plain values; UserError for anything else, whatever it is."""
    try:
        config = yaml.load((read_small(file) if content is None else content).decode("utf-8"), PlainLoader)
        if not isinstance(config, dict):
            raise ValueError("it holds no mapping")
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{file} is not a run's config: {shown(' '.join(str(error).split()), 300)}") from error
    return config


def shown(value: Any, most: int = 80) -> str:
    """A value of someone else's, fit for a terminal."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value)[: most + 1])
    return text if len(text) <= most else f"{text[:most]} ..."
