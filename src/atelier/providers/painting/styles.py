"""The seventeen styles and the plain one: which passes make each of them."""

from collections.abc import Callable
from typing import Final

from atelier.providers.painting import blocks, facets, film, glow, ink, relief
from atelier.providers.painting.study import Study

Pass = Callable[[Study], None]

TREATMENTS: Final[dict[str | None, tuple[Pass, ...]]] = {
    None: (film.plain,),
    "photographic": (film.focus, film.develop, film.photo_finish),
    "digital-art": (glow.clean, glow.iridesce, glow.orbs),
    "anime": (ink.cumulus, ink.cel, ink.cel_finish),
    "3d-model": (relief.studio, relief.turntable, relief.showroom),
    "cinematic": (film.grade, film.flare, film.letterbox),
    "comic-book": (ink.poster, ink.halftone, ink.contours),
    "fantasy-art": (glow.brush, glow.aurora, glow.motes),
    "line-art": (ink.paper, ink.hatch, ink.pen),
    "neon-punk": (glow.blackout, glow.tubes, glow.scanlines),
    "origami": (facets.fold_far, facets.fold_near, facets.paper_sun, facets.paper_tooth),
    "pixel-art": (facets.pixelate, facets.outline_pixels),
    "tile-texture": (facets.lay_tiles, facets.glaze),
    "analog-film": (film.fade, film.leak, film.print_paper),
    "enhance": (film.clarify, film.sharpen),
    "isometric": (blocks.backdrop, blocks.build, blocks.daylight),
    "low-poly": (facets.triangulate,),
    "modeling-compound": (relief.knead, relief.press, relief.warm),
}
