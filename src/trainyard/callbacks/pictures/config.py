"""The config of the run, as a text."""

from trainyard.callbacks.pictures.scene import Drawn, Scene
from trainyard.files import read_small

FILES = ("overrides.yaml", "config.resolved.yaml")


def config_of(scene: Scene) -> Drawn:
    """What was overridden, and the whole resolved config."""
    parts = []
    for name in FILES:
        file = scene.folder.parent / name
        if file.is_file():
            lines = read_small(file).decode(errors="replace").splitlines()
            parts.append("\n".join([f"**{name}**", "", *(f"    {line}" for line in lines)]))
    return "\n\n".join(parts) or None
