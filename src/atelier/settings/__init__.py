"""Every setting: read once from the environment and `.env`, checked, frozen."""

from atelier.settings.checks import check_backends, check_files, check_origins
from atelier.settings.reading import FOREIGN, catalogue, read, unknown_names
from atelier.settings.tree import PREFIX, Settings

__all__ = [
    "FOREIGN",
    "PREFIX",
    "Settings",
    "catalogue",
    "check_backends",
    "check_files",
    "check_origins",
    "read",
    "unknown_names",
]
