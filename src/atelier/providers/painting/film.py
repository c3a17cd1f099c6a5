# ruff: noqa: PLR2004
"""The camera's treatments: plain, photographic, cinematic, analog film, enhance. The bare numbers are taste."""

import numpy as np

from atelier.providers.painting.colour import curve, luma, paint, saturate, smooth, split_tone
from atelier.providers.painting.noise import fractal
from atelier.providers.painting.study import Study, blurred, grain, softened, vignette


def bloom(study: Study, radius: float, strength: float, threshold: float = 0.6) -> None:
    """Let bright places glow over their surroundings."""
    bright = study.rgb - np.float32(threshold)
    bright *= np.float32(1.0 / (1.0 - threshold))
    glow = blurred(bright, radius * study.frame.unit)
    del bright
    glow *= np.float32(strength)
    study.rgb = np.clip(study.rgb, 0.0, 1.0)
    glow *= 1.0 - study.rgb
    study.rgb += glow


def plain(study: Study) -> None:
    """A touch of contrast and a breath of vignette."""
    study.rgb = saturate(curve(study.rgb, 0.25), 1.06)
    vignette(study, 0.16)


def focus(study: Study) -> None:
    """A shallow depth of field: what is very near falls out of focus."""
    unit = study.frame.unit
    soft, softer = blurred(study.rgb, 0.004 * unit), blurred(study.rgb, 0.016 * unit)
    near = smooth(0.34, 0.02, study.depth)[..., None]
    far = smooth(0.75, 1.0, study.depth)[..., None] * np.float32(0.6)
    study.rgb = study.rgb + (soft - study.rgb) * np.maximum(far, np.minimum(near * 2, 1.0))
    study.rgb += (softer - study.rgb) * np.maximum(near * 2 - 1, 0.0)


def develop(study: Study) -> None:
    """Soft natural colours, lifted shadows, sunlit haze."""
    # A camera's white balance: a part of the whole scene's cast is taken out.
    cast = study.rgb[::4, ::4].mean(axis=(0, 1))
    balance = np.power(cast.mean() / np.maximum(cast, 0.05), 0.3)
    study.rgb = saturate(curve(study.rgb * np.asarray(balance, np.float32), 0.5), 0.92)
    study.rgb = split_tone(study.rgb, "74808c", "8d8676", 0.16) * np.float32(0.98) + np.float32(0.02)
    frame = study.frame
    rough = fractal(study.stream("texture"), frame.size, frame.extent, cells=(26, 34), octaves=4, gain=0.8) - 0.5
    study.rgb *= (1.0 + rough * np.float32(0.3) * (1.0 - study.depth))[..., None]
    veil = np.exp(-frame.distance(study.light) * 2.2) * np.float32(0.30) * (0.4 + 0.6 * study.depth)
    study.cover(veil, study.motif.palette.light)


def photo_finish(study: Study) -> None:
    """Fine grain and a lens's falling-off."""
    bloom(study, 0.05, 0.35, 0.62)
    study.rgb += grain(study, "photo", 0.0011)[..., None] * np.float32(0.075)
    vignette(study, 0.36)


def grade(study: Study) -> None:
    """Teal shadows, orange lights and deep contrast."""
    study.rgb = saturate(curve(study.rgb, 0.8), 0.72)
    study.rgb = split_tone(study.rgb, "14505f", "cf8a4a", 0.62)
    study.rgb = np.clip(study.rgb * np.float32(0.93) - np.float32(0.01), 0.0, 1.0)


def flare(study: Study) -> None:
    """An anamorphic streak through the light and its ghosts."""
    frame, (x, y) = study.frame, study.light
    bloom(study, 0.06, 0.55, 0.55)
    across = np.abs(frame.x[None] - np.float32(x))
    streak = np.exp(-np.square((frame.y - np.float32(y)) / 0.006)) * np.exp(-across * 1.7)
    halo = np.exp(-np.square((frame.y - np.float32(y)) / 0.035)) * np.exp(-across * 2.4)
    light = np.minimum(streak * 0.75 + halo * 0.28, 1.0)[..., None]
    study.rgb += (1.0 - np.clip(study.rgb, 0, 1)) * light * paint("9fd0ff")
    for place, size, tone in ((0.55, 0.035, "ffb070"), (1.25, 0.06, "70d0ff"), (1.6, 0.022, "ffd0a0")):
        centre = (x * (1 - 2 * place * 0.62), y + (frame.extent[1] / 2 - y) * place * 1.24)
        ghost = smooth(size, size * 0.85, frame.distance(centre)) * np.float32(0.10)
        study.rgb += ghost[..., None] * paint(tone)


def letterbox(study: Study) -> None:
    """Grain, vignette and the black bars of a wide screen."""
    frame = study.frame
    study.rgb += grain(study, "cinema", 0.0016)[..., None] * np.float32(0.06)
    vignette(study, 0.4)
    bar = max(0.085 * frame.extent[1], (frame.extent[1] - frame.extent[0] / 2.39) / 2 * 0.55)
    edge = np.minimum(frame.y, np.float32(frame.extent[1]) - frame.y) - np.float32(min(bar, 0.125 * frame.extent[1]))
    study.rgb *= np.clip(edge * frame.unit + 0.5, 0.0, 1.0)[..., None]


def fade(study: Study) -> None:
    """Faded dyes: lifted blacks, yellowed lights, magenta shadows."""
    study.rgb = saturate(np.clip(blurred(study.rgb, 0.0014 * study.frame.unit), 0.0, 1.0), 0.72)
    study.rgb = split_tone(study.rgb, "6f6488", "a8a06e", 0.26)
    study.rgb = np.float32(0.13) + np.clip(study.rgb, 0.0, 1.0) * np.array((0.83, 0.80, 0.73), np.float32)


def leak(study: Study) -> None:
    """Light leaking in from one side of the camera."""
    frame = study.frame
    wave = fractal(study.stream("leak"), frame.size, frame.extent, cells=(0.8, 1.4), octaves=3) - 0.5
    side = 1.0 if study.stream("leak side").random() < 0.5 else -1.0
    inward = np.float32(frame.extent[0] / 2) - frame.x[None] * np.float32(side) + 0.35 * wave
    for width, strength, tone in ((0.20, 0.6, "ff5a2a"), (0.08, 0.6, "ffc25a")):
        light = np.exp(-np.square(np.maximum(inward, 0.0) / np.float32(width))) * np.float32(strength)
        study.shine(light, paint(tone))


def print_paper(study: Study) -> None:
    """Coarse grain, a few scratches and dust, and the paper's warm border."""
    frame = study.frame
    study.rgb += grain(study, "analog", 0.0024)[..., None] * np.float32(0.13)
    rng = study.stream("dust")
    for x in rng.uniform(-0.5, 0.5, 3) * frame.extent[0]:
        line = np.exp(-np.square((frame.x - np.float32(x)) * np.float32(frame.unit / 0.8))) * np.float32(0.16)
        study.rgb += line[None, :, None]
    across = np.abs(frame.x[None]) - np.float32(frame.extent[0] / 2 - 0.042)
    down = np.abs(frame.y - np.float32(frame.extent[1] / 2)) - np.float32(frame.extent[1] / 2 - 0.042)
    round_ = np.hypot(np.maximum(across + 0.03, 0.0), np.maximum(down + 0.03, 0.0)) - 0.03
    burn = smooth(-0.16, 0.0, np.asarray(round_, np.float32))[..., None]
    study.rgb *= 1.0 - burn * np.array((0.06, 0.15, 0.24), np.float32)
    paper = np.clip(np.asarray(round_, np.float32) * np.float32(frame.unit * 0.5) + 0.5, 0.0, 1.0)[..., None]
    study.rgb += (paint("f3e9d2") - study.rgb) * paper


def clarify(study: Study) -> None:
    """Local contrast at two widths: every texture stands out."""
    unit = study.frame.unit
    light = luma(study.rgb)
    wide, narrow = softened(light, 0.06 * unit), softened(light, 0.008 * unit)
    detail = np.clip((light - wide) * 0.95 + (light - narrow) * 1.5, -0.3, 0.3)
    study.rgb = study.rgb + detail[..., None]
    study.rgb += (np.float32(0.5) - wide)[..., None] * np.float32(0.22)


def sharpen(study: Study) -> None:
    """Vivid, crisp and bright to the edges."""
    study.rgb = saturate(curve(study.rgb, 0.35), 1.5)
    fine = blurred(np.clip(study.rgb, 0.0, 1.0), 0.0022 * study.frame.unit)
    study.rgb = study.rgb + (study.rgb - fine) * np.float32(1.1)
