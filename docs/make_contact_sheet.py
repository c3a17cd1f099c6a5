"""Render the sandbox's contact sheet: every style, every ratio and a strip of different prompts."""

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from atelier.providers.painting import ASPECT_RATIOS, STYLES, Commission, paint

SUBJECT = "mountain lake at sunset"
SEED = 33
PROMPTS = (
    ("a lighthouse by the sea", 9),
    ("city skyline at night", 8),
    ("autumn forest in the fog", 3),
    ("a ringed planet in deep space", 2),
    ("spring meadow with flowers", 3),
    ("desert dunes and pyramids", 5),
    ("castle in the mountains", 7),
    ("abstract geometry", 6),
    ("sailing boat, golden sunset", 11),
    ("snowy mountains in winter", 5),
    ("blue night over the city", 21),
    ("a quiet morning", 12),
)
WIDTH, MARGIN, GAP, CAPTION = 1940, 40, 16, 30
COLUMNS = 6
QUALITY = 84
GROUND, TEXT, FAINT = (22, 23, 28), (226, 224, 218), (140, 142, 152)

Tile = tuple[Image.Image, str]


def _finished(commission: Commission) -> Image.Image:
    *_, picture = paint(commission)
    return picture


def _rows(tiles: list[Tile], size: tuple[int, int]) -> Image.Image:
    """Tiles of one size in rows, captions underneath."""
    lines = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (WIDTH, lines * (size[1] + CAPTION + GAP)), GROUND)
    for index, (picture, caption) in enumerate(tiles):
        x = MARGIN + index % COLUMNS * (size[0] + GAP)
        _hang(
            sheet,
            (picture.resize(size, Image.Resampling.LANCZOS), caption),
            (x, index // COLUMNS * (size[1] + CAPTION + GAP)),
        )
    return sheet


def _strip(tiles: list[Tile], height: int) -> Image.Image:
    """Tiles of one height side by side, captions underneath."""
    sheet = Image.new("RGB", (WIDTH, height + CAPTION + GAP), GROUND)
    x = MARGIN
    for picture, caption in tiles:
        small = picture.resize((round(height * picture.width / picture.height), height), Image.Resampling.LANCZOS)
        _hang(sheet, (small, caption), (x, 0))
        x += small.width + GAP
    return sheet


def _hang(sheet: Image.Image, tile: Tile, place: tuple[int, int]) -> None:
    picture, caption = tile
    sheet.paste(picture, place)
    spot = (place[0] + 1, place[1] + picture.height + 8)
    ImageDraw.Draw(sheet).text(spot, caption, fill=FAINT, font=ImageFont.load_default(size=15))


def _heading(text: str, note: str) -> Image.Image:
    sheet = Image.new("RGB", (WIDTH, 62), GROUND)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=24)
    pen.text((MARGIN, 40), text, fill=TEXT, font=font, anchor="ls")
    left = MARGIN + font.getlength(text) + GAP
    pen.text((left, 40), note, fill=FAINT, font=ImageFont.load_default(size=15), anchor="ls")
    return sheet


def contact_sheet() -> Image.Image:
    """The whole sheet."""
    side = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS
    styles = [
        (_finished(Commission(prompt=SUBJECT, style=style, seed=SEED)), style or "no style")
        for style in (None, *STYLES)
    ]
    prompts = [
        (_finished(Commission(prompt=prompt, seed=seed, aspect_ratio="3:2")), f"{prompt} (seed {seed})")
        for prompt, seed in PROMPTS
    ]
    ratios = [
        (_finished(Commission(prompt="lighthouse, sea, sunset", seed=2, aspect_ratio=ratio)), ratio)
        for ratio in ASPECT_RATIOS
    ]
    parts = [
        _heading("The sandbox's hand", f"one prompt, seventeen styles: {SUBJECT} (seed {SEED})"),
        _rows(styles, (side, side)),
        _heading("What the words do", "no style, different prompts and seeds"),
        _rows(prompts, (side, round(side * 2 / 3))),
        _heading("Nine ratios", "one prompt and seed"),
        _strip(ratios, 166),
    ]
    sheet = Image.new("RGB", (WIDTH, sum(part.height for part in parts) + 2 * GAP), GROUND)
    y = GAP
    for part in parts:
        sheet.paste(part, (0, y))
        y += part.height
    return sheet


def main() -> None:
    """Read the output path and write the sheet there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", type=Path, default=Path(__file__).parent / "sandbox-contact-sheet.jpg")
    contact_sheet().save(parser.parse_args().output, quality=QUALITY, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
