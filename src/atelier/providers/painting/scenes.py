"""The eight families of scenes, each a list of layers painted from far to near."""

from collections.abc import Callable
from functools import partial

import numpy as np

from atelier.providers.painting import buildings, cosmos, flora, land, sky, water
from atelier.providers.painting.canvas import Canvas, Point
from atelier.providers.painting.colour import Field, mix, paint
from atelier.providers.painting.land import Ridge
from atelier.providers.painting.motif import Motif

Layer = Callable[[Canvas], None]
Extent = tuple[float, float]


def _layer(paint: Callable[..., None], motif: Motif, *args: object, **options: object) -> Layer:
    def layer(canvas: Canvas) -> None:
        paint(canvas, motif, *args, **options)

    return layer


def _heavens(motif: Motif, light: Point, horizon: float) -> list[Layer]:
    layers = [_layer(sky.paint_sky, motif, horizon)]
    if motif.palette.dark or motif.has("stars"):
        layers.append(_layer(sky.paint_stars, motif, horizon, many=1.0 if motif.palette.dark else 0.35))
    layers.append(_layer(sky.paint_light, motif, light, disc=motif.hour != "storm"))
    if motif.hour == "storm" or motif.chance("clouds", 0.6 if motif.palette.dark else 0.85):
        layers.append(_layer(sky.paint_clouds, motif, light, horizon))
    return layers


def _mountains(motif: Motif, extent: Extent) -> tuple[list[Layer], Point]:
    tall = extent[1]
    lake = motif.has("lake") or motif.chance("lake", 0.4)
    horizon = tall * (motif.between("horizon", 0.60, 0.68) if lake else motif.between("horizon", 0.66, 0.78))
    light = sky.light_of(motif, extent, horizon)
    lift = motif.between("lift", 0.8, 1.15) * (1.0 if tall > extent[0] else 0.9)
    snow = 0.0 if motif.hour == "autumn" else motif.between("snow line", 0.12, 0.42)
    peaks = Ridge("peaks", horizon + 0.02, 0.44 * lift, 1.25, 0.66, 0.5, 1.0, snow, 0.75, peaked=True)
    back = Ridge("back", horizon - 0.05, 0.46 * lift, 1.9, 0.9, 0.48, 0.6, snow, 0.7, peaked=True)
    hills = Ridge("hills", horizon + 0.02, 0.2, 2.2, 0.5, 0.48, 0.35, 0.0, 0.65)
    front = Ridge("front", horizon + 0.035, 0.09, 3.0, 0.34, 0.45, 0.0, 0.0, 0.3)
    layers = _heavens(motif, light, horizon)
    for ridge in (back, peaks, hills):
        layers.append(_layer(land.paint_ridge, motif, ridge, light))
        layers.append(_layer(land.paint_mist, motif, ridge.name, y=ridge.base - 0.015, thick=0.035, strength=0.65))
    layers.append(_layer(flora.paint_pines, motif, front, tall=0.09, many=70, foot=0.35))
    layers.append(_layer(land.paint_ridge, motif, front, light))
    if lake:
        layers.append(_layer(water.paint_water, motif, horizon + 0.03, calm=0.85))
        layers.append(_layer(water.paint_glitter, motif, light, horizon + 0.03))
    near = Ridge("near", tall + 0.01, 0.10 if lake else 0.24, 1.1, 0.06, 0.5, 0.0, 0.0, 0.0)
    layers.append(_layer(flora.paint_pines, motif, near, tall=0.30, many=34 if not lake else 20))
    layers.append(_layer(land.paint_ridge, motif, near, light))
    return layers, light


def _sea(motif: Motif, extent: Extent) -> tuple[list[Layer], Point]:
    horizon = extent[1] * motif.between("horizon", 0.50, 0.64)
    light = sky.light_of(motif, extent, horizon)
    side = -1.0 if light[0] > 0 else 1.0
    layers = _heavens(motif, light, horizon)
    for index, depth in enumerate((0.9, 0.75)):
        isle = Ridge(f"isle{index}", horizon + 0.035, 0.16 - 0.04 * index, 1.4 + index, depth, 0.48, 0.25, 0.0, 0.6)
        layers.append(_layer(land.paint_ridge, motif, isle, light))
    lighthouse = motif.has("lighthouse") or motif.chance("lighthouse", 0.25)
    layers.append(_layer(water.paint_water, motif, horizon, calm=motif.between("calm", 0.2, 0.75)))
    layers.append(_layer(water.paint_glitter, motif, light, horizon))
    layers.append(_layer(water.paint_foam, motif, horizon))
    if motif.has("boat") or motif.chance("boat", 0.7):
        for index in range(1 + int(motif.chance("second boat", 0.4))):
            at = (motif.between(f"boat{index}", -0.3, 0.3) * extent[0], horizon + 0.05 + 0.09 * index)
            layers.append(_layer(water.paint_boat, motif, str(index), at, 0.10 + 0.07 * index))
    if lighthouse:
        layers.append(_layer(buildings.paint_lighthouse, motif, (side * 0.30 * extent[0], horizon + 0.05), 0.22))
    return layers, light


def _forest(motif: Motif, extent: Extent) -> tuple[list[Layer], Point]:
    tall = extent[1]
    horizon = tall * 0.85
    light = (motif.between("light across", -0.25, 0.25) * extent[0], tall * motif.between("light height", 0.22, 0.42))
    layers = [_layer(sky.paint_sky, motif, horizon), _layer(sky.paint_light, motif, light)]
    if motif.palette.dark:
        layers.insert(1, _layer(sky.paint_stars, motif, horizon))
    pines = motif.chance("pines", 0.5)
    for index, depth in enumerate((0.86, 0.68, 0.48, 0.28)):
        hill = Ridge(f"wood{index}", tall * (0.6 + 0.12 * index), 0.12, 1.6, depth, 0.45, 0.0, 0.0, 0.5)
        if pines:
            layers.append(
                _layer(flora.paint_pines, motif, hill, tall=0.2 + 0.11 * index, many=60 - 10 * index, foot=0.55)
            )
        else:
            layers.append(
                _layer(
                    flora.paint_trunks, motif, str(index), many=26 - 5 * index, thick=0.018 + 0.02 * index, depth=depth
                )
            )
        layers.append(_layer(land.paint_ridge, motif, hill, light))
        layers.append(
            _layer(land.paint_mist, motif, f"wood{index}", y=hill.base - 0.03, thick=0.07, strength=0.55 - 0.1 * index)
        )
    layers.append(_layer(flora.paint_rays, motif, light))
    near = Ridge("floor", tall + 0.02, 0.2, 1.3, 0.05, 0.5)
    if pines:
        layers.append(_layer(flora.paint_pines, motif, near, tall=0.62, many=11))
    else:
        layers.append(_layer(flora.paint_trunks, motif, "near", many=5, thick=0.11, depth=0.05))
        layers.append(_layer(flora.paint_foliage, motif, "near", depth=0.08, drop=0.42))
    layers.append(_layer(land.paint_ridge, motif, near, light))
    return layers, light


def _city(motif: Motif, extent: Extent) -> tuple[list[Layer], Point]:
    ground = extent[1] * motif.between("horizon", 0.70, 0.78)
    light = sky.light_of(motif, extent, ground)
    lit = 0.55 if motif.palette.dark else {"sunset": 0.35, "storm": 0.3}.get(motif.hour, 0.12)
    layers = _heavens(motif, light, ground)
    for index, depth in enumerate((0.85, 0.55, 0.2)):
        tall = (0.56, 0.5, 0.36)[index] * motif.between(f"towers{index}", 0.8, 1.15)
        layers.append(
            _layer(buildings.paint_skyline, motif, str(index), ground=ground, tall=tall, depth=depth, lit=lit)
        )
        layers.append(
            _layer(land.paint_mist, motif, f"city{index}", y=ground - 0.03, thick=0.05, strength=0.5 - 0.2 * index)
        )
    layers.append(_layer(water.paint_water, motif, ground, calm=0.6))
    layers.append(_layer(water.paint_glitter, motif, light, ground))
    return layers, light


def _desert(motif: Motif, extent: Extent) -> tuple[list[Layer], Point]:
    tall = extent[1]
    horizon = tall * motif.between("horizon", 0.52, 0.62)
    light = sky.light_of(motif, extent, horizon)
    layers = _heavens(motif, light, horizon)
    mesa = Ridge("mesa", horizon + 0.02, 0.13, 1.6, 0.9, 0.4, 0.3, 0.0, 0.6)
    layers.append(_layer(land.paint_ridge, motif, mesa, light))
    if motif.has("pyramid") or motif.chance("pyramids", 0.3):
        layers.append(_layer(buildings.paint_pyramids, motif, horizon + 0.02, light))
    for index, depth in enumerate((0.85, 0.62, 0.4, 0.1)):
        base = horizon + 0.05 + (tall - horizon) * (0.0, 0.2, 0.48, 0.95)[index]
        dune = Ridge(f"dune{index}", base, 0.07 + 0.075 * index, 1.3 - 0.12 * index, depth, 0.28)
        layers.append(_layer(land.paint_dune, motif, dune, light))
    if motif.has("cactus") or motif.chance("cactus", 0.35):
        for index in range(3):
            at = (motif.between(f"cactus{index}", -0.45, 0.45) * extent[0], tall * (0.80 + 0.06 * index))
            layers.append(_layer(flora.paint_cactus, motif, at, 0.10 + 0.05 * index))
    return layers, light


def _space(motif: Motif, extent: Extent) -> tuple[list[Layer], Point]:
    tall = extent[1]
    side = 1.0 if motif.chance("side", 0.5) else -1.0
    light = (-0.4 * extent[0], 0.1 * tall)
    large = (side * motif.between("planet x", 0.05, 0.2) * extent[0], tall * motif.between("planet y", 0.32, 0.48))
    small = (-side * 0.32 * extent[0], tall * motif.between("moon y", 0.16, 0.6))
    ring = motif.has("ring") or motif.chance("ring", 0.55)
    size = motif.between("planet size", 0.2, 0.3) * (0.8 if ring else 1.1)
    layers = [
        _layer(sky.paint_sky, motif, tall * 1.7),
        _layer(sky.paint_nebula, motif),
        _layer(sky.paint_stars, motif, tall, many=1.7),
        _layer(cosmos.paint_planet, motif, "large", at=large, radius=size, ring=ring),
        _layer(
            cosmos.paint_planet, motif, "small", at=small, radius=motif.between("moon size", 0.04, 0.09), ring=False
        ),
    ]
    if motif.chance("ground", 0.6):
        for index, depth in enumerate((0.6, 0.35, 0.06)):
            base = tall * (0.92 + 0.07 * index)
            ridge = Ridge(f"alien{index}", base, 0.16, 1.6, depth, 0.52, 0.5, 0.0, 0.5)
            layers.append(_layer(land.paint_ridge, motif, ridge, light))
            layers.append(_layer(land.paint_mist, motif, f"alien{index}", y=base, thick=0.03, strength=0.35))
    return layers, light


def _greens(motif: Motif, depth: float) -> tuple[Field, ...]:
    palette = motif.palette
    base = {"autumn": "b98a3a", "winter": "dfe9f2", "spring": "7fb558", "sunset": "8a9a4a"}.get(motif.hour, "6fae4c")
    lush = mix(paint(base), palette.near, 0.55 if palette.dark else 0.22)
    body = mix(mix(lush, palette.sky[-1], 0.16 if not palette.dark else 0.04), palette.far, 0.55 * depth)
    return mix(body, palette.light, 0.42 if not palette.dark else 0.12), body, mix(body, palette.near, 0.62)


def _meadow(motif: Motif, extent: Extent) -> tuple[list[Layer], Point]:
    tall = extent[1]
    horizon = tall * motif.between("horizon", 0.5, 0.6)
    light = sky.light_of(motif, extent, horizon)
    layers = _heavens(motif, light, horizon)
    range_ = Ridge("range", horizon - 0.02, 0.3, 1.5, 0.95, 0.46, 0.5, 0.2, 0.75, peaked=True)
    if motif.chance("range", 0.6):
        layers.append(_layer(land.paint_ridge, motif, range_, light))
    far = Ridge("far", horizon + 0.03, 0.16, 1.3, 0.86, 0.45, 0.25, 0.0, 0.6)
    layers.append(_layer(land.paint_ridge, motif, far, light))
    spots = [motif.between(f"spot{i}", -0.42, 0.42) * extent[0] for i in range(4)]
    for index, depth in enumerate((0.7, 0.5, 0.3, 0.1)):
        base = horizon + 0.06 + (tall - horizon) * (0.02, 0.2, 0.42, 0.8)[index]
        hill = Ridge(f"hill{index}", base, 0.08 + 0.05 * index, 1.4 - 0.15 * index, depth, 0.3)
        furrow = 70.0 if motif.chance(f"furrow{index}", 0.4) else 0.0
        layers.append(_layer(land.paint_hill, motif, hill, _greens(motif, depth), furrow))
        if index == 1:
            layers.append(partial(_homestead, motif=motif, hill=hill, spots=spots))
    if motif.has("flowers") or motif.hour == "spring" or motif.chance("flowers", 0.6):
        layers.append(_layer(flora.paint_flowers, motif, horizon + (tall - horizon) * 0.5))
    layers.append(_layer(flora.paint_grass, motif, _greens(motif, 0.1)[1]))
    return layers, light


def _homestead(canvas: Canvas, motif: Motif, hill: Ridge, spots: list[float]) -> None:
    """The trees and the house that stand on the second hill."""
    ground = land.crest(hill, motif, np.array(spots, np.float32))
    for index in range(3):
        flora.paint_tree(
            canvas,
            motif,
            str(index),
            (spots[index], float(ground[index]) + 0.012),
            motif.between(f"tree{index}", 0.10, 0.2),
        )
    if motif.has("house") or motif.chance("house", 0.6):
        buildings.paint_house(canvas, motif, (spots[3], float(ground[3]) + 0.012), 0.075)


def _shapes(motif: Motif, extent: Extent) -> tuple[list[Layer], Point]:
    paints = (cosmos.paint_ground, cosmos.paint_discs, cosmos.paint_bars, cosmos.paint_arcs, cosmos.paint_threads)
    return [_layer(paint, motif) for paint in paints], (0.2 * extent[0], 0.3 * extent[1])


FAMILIES: dict[str, Callable[[Motif, Extent], tuple[list[Layer], Point]]] = {
    "mountains": _mountains,
    "sea": _sea,
    "forest": _forest,
    "city": _city,
    "desert": _desert,
    "space": _space,
    "meadow": _meadow,
    "shapes": _shapes,
}


def compose(motif: Motif, extent: Extent) -> tuple[list[Layer], Point]:
    """The layers of a motif from far to near, and where its light stands."""
    layers, light = FAMILIES[motif.family](motif, extent)
    layers += _guests(motif, extent)
    return layers, light


def _guests(motif: Motif, extent: Extent) -> list[Layer]:
    """What the prompt brings into any scene."""
    layers: list[Layer] = []
    if motif.has("castle"):
        at = (motif.between("castle", -0.25, 0.25) * extent[0], extent[1] * 0.64)
        layers.append(_layer(buildings.paint_castle, motif, at, 0.26))
    sky_open = motif.family not in {"space", "shapes", "forest"}
    if motif.has("birds") or (sky_open and not motif.palette.dark and motif.chance("birds", 0.55)):
        layers.append(_layer(flora.paint_birds, motif, extent[1] * 0.55))
    for guest, veil in (("fog", water.paint_fog), ("rain", water.paint_rain), ("snow", water.paint_snowfall)):
        if motif.has(guest):
            layers.append(_layer(veil, motif))
    return layers
