"""The door through which Hydra finds the user's own conf folder before Trainyard's; imported by every Hydra program."""

import sys

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class OwnConf(SearchPathPlugin):
    """Puts the user's folder first where Trainyard is composing; any other program is left as it is."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra each time it starts."""
        compose = sys.modules.get("trainyard.compose")
        main = next((item.path for item in search_path.get_path() if item.provider == "main"), None)
        if compose is None or main is None or main.removeprefix("file://") != str(compose.package_conf()):
            return
        if own := compose.own_conf():
            search_path.prepend("own conf", f"file://{own}", anchor="main")
