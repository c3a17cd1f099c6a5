"""The label in the corner: it says "sandbox" and the prompt, so nobody takes the picture for a model's."""

import unicodedata
from functools import cache

from PIL import Image, ImageDraw, ImageFont

NAME = "sandbox"
SHARE = 0.026
SMALLEST = 13
LONGEST = 400
ELLIPSIS = "…"
LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "—": "-", "\N{EN DASH}": "-"}
)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def _missing() -> bytes:
    """What the font draws for a character it does not know."""
    return _shape("\uffff")


def _shape(character: str) -> bytes:
    font = ImageFont.load_default(size=24)
    return bytes(font.getmask(character))


@cache
def _drawable(character: str) -> bool:
    if character == " ":
        return True
    return character.isprintable() and _shape(character) != _missing()


def legible(prompt: str) -> str:
    """The prompt as the font can write it: unknown characters become an ellipsis, controls a space."""
    written: list[str] = []
    for character in prompt[:LONGEST]:
        category = unicodedata.category(character)
        if category in {"Mn", "Me", "Cf"}:
            continue
        if category in {"Cc", "Zs", "Zl", "Zp"}:
            written.append(" ")
            continue
        plain = unicodedata.normalize("NFKD", character.translate(LETTERS)) if category != "Cs" else ""
        known = "".join(part for part in plain if unicodedata.category(part) != "Mn")
        good = bool(known) and all(_drawable(part) for part in known)
        if good:
            written.append(known)
        elif not written or written[-1] != ELLIPSIS:
            written.append(ELLIPSIS)
    text = " ".join("".join(written).split())
    return text if text.strip(f"{ELLIPSIS} ") else ""


def _width(font: Font, text: str) -> float:
    return font.getlength(text)


def _shortened(font: Font, text: str, room: float) -> str:
    """As much of the text as fits, with an ellipsis when something is left out."""
    if _width(font, text) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = _width(font, text[:middle].rstrip() + ELLIPSIS) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low].rstrip(" ,.;:" + ELLIPSIS) + ELLIPSIS


def _lines(font: Font, text: str, first: float, room: float) -> list[str]:
    """The text on one line beside the name, or wrapped onto a second one."""
    if not text or _width(font, text) <= first:
        return [text]
    words = text.split(" ")
    count = 1
    while count < len(words) and _width(font, " ".join(words[: count + 1])) <= first:
        count += 1
    head, tail = " ".join(words[:count]), " ".join(words[count:])
    if _width(font, head) > first:
        return [_shortened(font, text, first)]
    return [head, _shortened(font, tail, room)] if tail else [head]


def label(picture: Image.Image, prompt: str) -> Image.Image:
    """The picture with its label on a dark translucent plate in the lower left corner."""
    size = max(SMALLEST, round(min(picture.size) * SHARE))
    font = ImageFont.load_default(size=size)
    pad, gap, margin = round(size * 0.6), round(size * 0.55), round(size * 0.8)
    # Beyond this width a label would be a banner.
    room = min(picture.width - 2 * (margin + pad), size * 34)
    name = _width(font, NAME)
    lines = _lines(font, legible(prompt), room - name - 2 * gap, room)
    widths = [name + (2 * gap + _width(font, lines[0]) if lines[0] else 0), *(_width(font, line) for line in lines[1:])]
    leading = round(size * 1.35)
    wide, tall = round(max(widths)) + 2 * pad, leading * len(lines) + round(pad * 0.9)
    left, top = margin, picture.height - margin - tall
    plate = _plate(picture.crop((left, top, left + wide, top + tall)), round(size * 0.45))
    pen = ImageDraw.Draw(plate)
    line_top = round(pad * 0.45) + leading // 2
    pen.text((pad, line_top), NAME, fill=(255, 206, 120), font=font, anchor="lm")
    if lines[0]:
        rule = pad + name + gap
        pen.line(
            [(rule, line_top - size * 0.42), (rule, line_top + size * 0.42)],
            fill=(150, 152, 165),
            width=max(1, size // 14),
        )
    for index, line in enumerate(lines):
        start = pad + name + 2 * gap if index == 0 else pad
        pen.text((start, line_top + index * leading), line, fill=(244, 243, 240), font=font, anchor="lm")
    finished = picture.copy()
    finished.paste(plate, (left, top))
    return finished


def _plate(under: Image.Image, radius: int) -> Image.Image:
    """The picture under the label, darkened inside rounded corners."""
    finer = 4
    mask = Image.new("L", (under.width * finer, under.height * finer), 0)
    box = (0, 0, mask.width - 1, mask.height - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius * finer, fill=212)
    return Image.composite(Image.new("RGB", under.size, (14, 15, 22)), under, mask.reduce(finer))
