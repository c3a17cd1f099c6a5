"""Luminous treatments: neon punk, fantasy art, digital art. The bare numbers are taste."""

import numpy as np

from atelier.providers.painting.canvas import Stencil
from atelier.providers.painting.colour import Field, curve, gradient, luma, mix, paint, saturate, smooth
from atelier.providers.painting.film import bloom
from atelier.providers.painting.noise import fractal
from atelier.providers.painting.study import Study, blurred, softened, steps, vignette

MAGENTA, CYAN, VIOLET = paint("ff2bd6"), paint("19e6ff"), paint("7a2bff")


def blackout(study: Study) -> None:
    """Turn the lights out: the scene survives as deep violet glass."""
    light = np.clip(luma(blurred(study.scene, 0.002 * study.frame.unit)), 0.0, 1.0)
    low, high = np.percentile(light[::4, ::4], (2, 98))
    level = np.clip((light - low) / max(float(high - low), 0.25), 0.0, 1.0)
    study.rgb = gradient([paint(code) for code in ("04020e", "0e0730", "2a0f5e", "5a1a8c", "b0329c")], level * 0.92)


def tubes(study: Study) -> None:
    """Every contour becomes a glowing tube, magenta on one side and cyan on the other."""
    frame = study.frame
    line = smooth(0.14, 0.5, study.outlines)
    # A thousand lit windows must not drown the picture.
    line *= np.float32(min(1.0, 0.09 / max(float(line.mean()), 1e-3)) ** 0.7)
    drift = fractal(study.stream("tubes"), frame.size, frame.extent, cells=(1.2, 1.2), octaves=2)
    side = smooth(0.38, 0.62, drift + 0.25 * frame.x[None] / np.float32(frame.extent[0]))[..., None]
    lamp = MAGENTA + (CYAN - MAGENTA) * side
    lamp *= line[..., None]
    for radius, strength in ((0.007, 1.5), (0.04, 2.2)):
        glow = blurred(lamp, radius * frame.unit)
        glow *= np.float32(strength)
        study.rgb += glow
    # The glass itself is nearly white.
    study.cover(line * line * np.float32(0.9), lamp * np.float32(0.55) + np.float32(0.45))


def scanlines(study: Study) -> None:
    """A split of red and blue, scanlines and a humming vignette."""
    frame = study.frame
    step = max(round(0.0022 * frame.unit), 1)
    study.rgb = np.clip(study.rgb, 0.0, 1.0)
    study.rgb[:, step:, 0] = study.rgb[:, :-step, 0].copy()
    study.rgb[:, :-step, 2] = study.rgb[:, step:, 2].copy()
    pitch = max(0.0062, 3.0 / frame.unit)
    wave = 0.5 + 0.5 * np.cos(frame.y * np.float32(2 * np.pi / pitch))
    study.rgb *= (1.0 - 0.30 * wave)[..., None]
    bloom(study, 0.02, 0.4, 0.5)
    vignette(study, 0.45)


def brush(study: Study) -> None:
    """Painterly dabs: colour is dragged along the scene's own contours."""
    frame = study.frame
    rgb = saturate(curve(blurred(study.scene, 0.002 * frame.unit), 0.45), 1.22)
    along = _flow(study, luma(rgb))
    study.rgb = _dragged(rgb, along, 0.010 * frame.unit)
    shape = (max(frame.height // 2, 2), max(frame.width // 2, 2))
    bristles = study.stream("bristle").random(shape, np.float32)
    tooth = (_strokes(study, bristles, along) - 0.5) * np.float32(0.24)
    study.rgb += study.rgb * (np.float32(0.65) * tooth)[..., None]
    study.rgb += (np.float32(0.35) * tooth)[..., None]


def _flow(study: Study, light: Field) -> tuple[Field, Field]:
    """Which way a brush would go: along the contours of the light, swirling where it is even."""
    frame = study.frame
    swirl = fractal(study.stream("swirl"), frame.size, frame.extent, cells=(2.5, 2.5), octaves=3) - 0.5
    field = softened(light, 0.02 * frame.unit) + 0.30 * swirl
    across, down = np.gradient(field, axis=1), np.gradient(field, axis=0)
    length = np.maximum(np.hypot(across, down), 1e-6)
    return -down / length, across / length


def _dragged(rgb: Field, along: tuple[Field, Field], reach: float) -> Field:
    """The picture averaged along a direction: what a loaded brush leaves."""
    height, width = rgb.shape[:2]
    rows, columns = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    total = rgb.copy()
    for share in (-1.0, -0.45, 0.45, 1.0):
        row = np.clip(rows + along[1] * np.float32(share * reach), 0, height - 1).astype(np.int32)
        column = np.clip(columns + along[0] * np.float32(share * reach), 0, width - 1).astype(np.int32)
        total += rgb[row, column]
    total /= np.float32(5)
    return total


def _strokes(study: Study, bristles: Field, along: tuple[Field, Field]) -> Field:
    """Noise smeared along the strokes, at half size, stretched to its full swing."""
    half = [part[::2, ::2][: bristles.shape[0], : bristles.shape[1]] for part in along]
    height, width = bristles.shape
    rows, columns = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    fine = softened(bristles, max(0.0022 * study.frame.unit, 1.0))
    total = np.zeros_like(fine)
    for step in range(-4, 5):
        reach = np.float32(step * 0.0022 * study.frame.unit)
        row = np.clip(rows + half[1] * reach, 0, height - 1).astype(np.int32)
        total += fine[row, np.clip(columns + half[0] * reach, 0, width - 1).astype(np.int32)]
    total = (total - total.mean()) / (total.std() * 5 + np.float32(1e-6)) + np.float32(0.5)
    whole = np.repeat(np.repeat(total, 2, axis=0), 2, axis=1)
    frame = study.frame
    padded = np.pad(
        whole, ((0, max(frame.height - whole.shape[0], 0)), (0, max(frame.width - whole.shape[1], 0))), "edge"
    )
    return np.asarray(np.clip(padded[: frame.height, : frame.width], 0.0, 1.0), np.float32)


def aurora(study: Study) -> None:
    """Curtains of light hanging in the sky."""
    frame = study.frame
    rng = study.stream("aurora")
    sky = smooth(0.93, 1.0, study.depth)
    for tone, other in (("3dffb5", "9a5cff"), ("ff6ad5", "5cc8ff")):
        line = fractal(rng, (frame.width, 2), (frame.extent[0], 0.01), cells=(1.5, 1.0), octaves=3)[0] - 0.5
        base = frame.extent[1] * rng.uniform(0.22, 0.40) + 0.35 * line
        folds = fractal(rng, (frame.width, 2), (frame.extent[0], 0.01), cells=(13.0, 1.0), octaves=3)[0]
        above = (base[None] - frame.y) / np.float32(0.26 * frame.extent[1])
        curtain = np.exp(-np.maximum(above, 0.0) * 2.4) * smooth(-0.10, 0.03, above) * smooth(0.15, 0.8, folds)[None]
        colour = gradient((paint(tone), paint(other)), above)
        study.shine(curtain * sky * np.float32(0.62), colour)


def motes(study: Study) -> None:
    """Glowing motes adrift, a violet dusk in the shadows and gold in the lights."""
    frame = study.frame
    sparks, halos = Stencil(frame), Stencil(frame, finer=1)
    rng = study.stream("motes")
    for x, y, size, level in rng.random((int(70 * frame.extent[0] * frame.extent[1]), 4)):
        at = ((x - 0.5) * frame.extent[0], frame.extent[1] * (1 - y**1.5))
        radius = 0.0016 + 0.005 * size**4
        sparks.disc(at, radius, int(120 + 135 * level))
        halos.disc(at, radius * 2.6, int(90 + 165 * level))
    glow = softened(halos.mask, 0.012 * frame.unit)
    light = np.clip(sparks.mask + glow * 0.8, 0.0, 1.0)[..., None]
    shadow = (1.0 - np.clip(luma(study.rgb), 0, 1))[..., None]
    study.rgb = study.rgb + (shadow**2) * np.array((0.045, 0.0, 0.085), np.float32)
    study.rgb += (1.0 - np.clip(study.rgb, 0, 1)) * light * paint("ffdf8e")
    bloom(study, 0.05, 0.5, 0.55)
    vignette(study, 0.4)


def clean(study: Study) -> None:
    """Clean vivid gradients with crisp borders: noise goes, colour sings."""
    unit = study.frame.unit
    soft = blurred(study.scene, 0.006 * unit)
    keep = smooth(0.08, 0.4, softened(study.outlines, 0.003 * unit) * 2.0)[..., None]
    detail = study.scene - soft
    detail *= keep
    soft += detail
    del detail
    study.rgb = saturate(curve(soft, 0.5), 1.55)


def iridesce(study: Study) -> None:
    """A sweep of magenta to cyan laid over the tones."""
    frame = study.frame
    level = np.clip(luma(study.rgb), 0.0, 1.0)
    sweep = (
        0.5 + 0.5 * frame.x[None] / np.float32(frame.extent[0]) + 0.35 * (frame.y / np.float32(frame.extent[1]) - 0.5)
    )
    tint = gradient((VIOLET, MAGENTA, paint("ff9a5c"), CYAN), sweep)
    study.cover(level * (1.0 - level) * np.float32(1.15), tint)


def orbs(study: Study) -> None:
    """Great translucent rings of light around the sun, and a glow."""
    frame = study.frame
    far = frame.distance(study.light)
    rng = study.stream("orbs")
    total: Field = np.zeros_like(far)
    for radius in np.sort(rng.uniform(0.14, 0.75, 4)):
        ring = np.abs(far - np.float32(radius))
        total += np.exp(-ring * np.float32(240.0)) * np.float32(0.30) + smooth(
            0.0, -0.2, far - np.float32(radius)
        ) * np.float32(0.035)
    sky = 0.3 + 0.7 * smooth(0.9, 1.0, study.depth)
    study.rgb += (
        (1.0 - np.clip(study.rgb, 0, 1)) * (total * sky)[..., None] * mix(study.motif.palette.light, CYAN, 0.25)
    )
    rim = np.clip(steps(study.depth) * np.float32(0.001 * frame.unit), 0.0, 0.4)
    study.shine(rim, study.motif.palette.light)
    bloom(study, 0.07, 0.45, 0.5)
