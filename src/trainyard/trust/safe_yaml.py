"""Read config files that someone else may have written, as plain values."""

from pathlib import Path
from typing import Any

import yaml

from trainyard.config_keys import upgrade
from trainyard.errors import UserError, printable
from trainyard.files import read_small


class PlainLoader(yaml.SafeLoader):
    """YAML without tags, and without aliases, which can expand a few lines to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("it contains an alias (*name)")
        if getattr(event, "tag", None) is not None:
            raise yaml.YAMLError(f"it contains a tag ({event.tag})")
        return super().compose_node(parent, index)


def read_yaml(file: Path, content: bytes | None = None) -> Any:
    """A YAML file (or its `content`) as plain values; UserError for tags, aliases, or what is no YAML."""
    try:
        return yaml.load((read_small(file) if content is None else content).decode("utf-8"), PlainLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{file} is not a run's config: {printable(' '.join(str(error).split()), 300)}") from error


def read_config(file: Path, content: bytes | None = None) -> dict[str, Any]:
    """A config file (or its `content`) as plain values, under today's names; UserError for anything else."""
    config = read_yaml(file, content)
    if not isinstance(config, dict):
        raise UserError(f"{file} is not a run's config: it contains no mapping")
    return upgrade(config)
