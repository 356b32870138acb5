"""The plugin by which Hydra finds the user's conf folder before Trainyard's; imported by every Hydra program."""

import sys

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class UserConfSearchPath(SearchPathPlugin):
    """Put the user's conf folder first where Trainyard is composing; leave any other program alone."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra each time it starts."""
        module = sys.modules.get("trainyard.config.user_conf")
        main = next((item.path for item in search_path.get_path() if item.provider == "main"), None)
        if module is None or main is None or main.removeprefix("file://") != str(module.package_conf()):
            return
        if own := module.user_conf():
            search_path.prepend("user conf", f"file://{own}", anchor="main")
