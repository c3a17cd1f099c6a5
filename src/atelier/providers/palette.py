"""What may be asked of the painter, readable without loading it."""

from typing import Final

STYLES: Final = (
    "photographic",
    "digital-art",
    "anime",
    "3d-model",
    "cinematic",
    "comic-book",
    "fantasy-art",
    "line-art",
    "neon-punk",
    "origami",
    "pixel-art",
    "tile-texture",
    "analog-film",
    "enhance",
    "isometric",
    "low-poly",
    "modeling-compound",
)
ASPECT_RATIOS: Final = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")

STEPS: Final = {"draft": 8, "standard": 20, "high": 30, "ultra": 40}
"""Steps by quality."""
