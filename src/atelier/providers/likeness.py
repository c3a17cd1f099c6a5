"""What is asked in atelier's words, in the words of models that have none of their own for it: styles, sizes, ratios."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from math import log
from typing import Final

STYLES: Final = {
    "photographic": "photograph, photorealistic, natural light",
    "digital-art": "digital art, detailed digital painting",
    "anime": "anime, cel shading",
    "3d-model": "3d model, rendered, studio lighting",
    "cinematic": "cinematic film still, dramatic light",
    "comic-book": "comic book art, bold ink outlines",
    "fantasy-art": "fantasy art, epic illustration",
    "line-art": "line art, clean black lines on white",
    "neon-punk": "neon punk, glowing neon colours, night",
    "origami": "origami, folded paper",
    "pixel-art": "pixel art, low resolution sprites",
    "tile-texture": "seamless tile texture, repeating pattern",
    "analog-film": "analog film photograph, film grain, faded colours",
    "enhance": "highly detailed, sharp, vivid",
    "isometric": "isometric view, isometric illustration",
    "low-poly": "low poly, flat shaded polygons",
    "modeling-compound": "modelling clay, claymation",
}
"""Each style as words behind the prompt, for models that have no presets."""

MEGAPIXEL: Final = {
    "1:1": (1024, 1024),
    "16:9": (1344, 768),
    "9:16": (768, 1344),
    "21:9": (1536, 640),
    "9:21": (640, 1536),
    "2:3": (832, 1216),
    "3:2": (1216, 832),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
}
"""Width and height of about a megapixel, in multiples of 64, as models of the SDXL family are made for."""

SMALL: Final = {
    "1:1": (512, 512),
    "16:9": (704, 384),
    "9:16": (384, 704),
    "21:9": (768, 320),
    "9:21": (320, 768),
    "2:3": (384, 576),
    "3:2": (576, 384),
    "4:5": (512, 640),
    "5:4": (640, 512),
}
"""A quarter of that, as models of the older family are made for: none has more pixels than 576 by 576."""

ROOMY: Final = re.compile(r"XL|Flux|Cascade|Pony|Illustrious|Qwen|Z-Image", re.IGNORECASE)
"""Models that draw a megapixel, by their names."""

RATIOS: Final = tuple(MEGAPIXEL)


def worded(prompt: str, style: str | None) -> str:
    """Return the prompt with the style's words behind it."""
    return prompt if style is None else f"{prompt}, {STYLES.get(style, style)}"


def parted(prompt: str, negative_prompt: str) -> str:
    """Return prompt and negative prompt in one, parted by `###`, which does not part them anywhere else."""
    both = (prompt, negative_prompt) if negative_prompt else (prompt,)
    return "###".join(re.sub("#{3,}", "##", text) for text in both)


def size_for(model: str, ratio: str) -> tuple[int, int]:
    """Return the width and height that a model of this name is made for."""
    return (MEGAPIXEL if ROOMY.search(model) else SMALL)[ratio]


def nearest(wanted: str, offered: Sequence[str], vendor: str) -> tuple[str, tuple[str, ...]]:
    """Return the ratio offered that is nearest in shape, and a warning where it is another."""
    if wanted in offered:
        return wanted, ()
    found = min(offered, key=lambda ratio: abs(log(_shape(ratio) / _shape(wanted))))
    return found, (f"{vendor} has no aspect ratio {wanted}; the picture is {found}.",)


def _shape(ratio: str) -> Fraction:
    width, height = ratio.split(":")
    return Fraction(int(width), int(height))
