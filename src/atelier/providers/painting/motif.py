"""Reading a commission: which scene, at which hour, in which colours, with which guests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from atelier.providers.painting.colour import Field, from_lab, paint, to_lab, turn
from atelier.providers.painting.commission import Commission

FAMILIES = ("mountains", "sea", "forest", "city", "desert", "space", "meadow", "shapes")

# Which words stand for which family or guest; a word may end in s.
WORDS = {
    "mountains": "mountain peak alp alps hill cliff canyon valley range glacier volcano fjord everest matterhorn",
    "sea": "sea ocean water beach coast wave island bay harbour harbor shore lagoon surf ship boat sailboat sail "
    "lighthouse yacht whale dolphin fish pirate",
    "forest": "forest tree wood woodland jungle pine redwood fir grove deer fox bear wolf owl mushroom fairy",
    "city": "city skyline town street skyscraper building tower urban downtown metropolis neon cyberpunk tokyo paris "
    "york london car robot bridge architecture",
    "desert": "desert dune sand sahara camel cactus mesa oasis pyramid egypt arizona",
    "space": "space planet galaxy nebula cosmos cosmic astronaut spaceship rocket star-field alien orbit asteroid universe mars saturn",
    "meadow": "meadow field flower spring garden farm village house cottage countryside grass tulip lavender cow horse "
    "sheep rabbit cat dog windmill park autumn fall blossom sunflower",
    "shapes": "abstract geometry geometric shape circle pattern logo still-life bauhaus fruit cup portrait poster minimal composition",
}
GUESTS = {
    "lake": "lake river pond reflection fjord",
    "boat": "boat ship sail sailboat yacht sailing pirate harbour harbor",
    "lighthouse": "lighthouse beacon",
    "castle": "castle fortress palace kingdom",
    "house": "house cottage cabin hut farm village home barn",
    "birds": "bird gull seagull crow swallow flock eagle goose geese",
    "rain": "rain storm rainy thunder thunderstorm lightning monsoon",
    "snow": "snow snowy winter blizzard christmas frost ice glacier",
    "fog": "fog mist misty foggy haze hazy",
    "stars": "star stars starry milky night midnight",
    "moon": "moon moonlight moonlit crescent",
    "sun": "sun sunny sunlight sunshine",
    "flowers": "flower tulip lavender blossom poppy rose sunflower spring bloom garden",
    "trees": "tree forest pine fir wood",
    "cactus": "cactus cacti arizona",
    "pyramid": "pyramid egypt",
    "ring": "saturn ring ringed",
}
HOURS = {
    "night": "night moon moonlight moonlit midnight star stars starry nocturnal dark aurora neon cyberpunk",
    "sunset": "sunset sunrise dusk evening golden-hour twilight dawn red orange golden",
    "winter": "snow snowy winter blizzard frost ice glacier christmas arctic",
    "storm": "storm rain rainy thunder thunderstorm lightning overcast grey gray monsoon",
    "autumn": "autumn fall october foliage",
    "spring": "spring blossom flower tulip cherry pastel",
    "day": "day noon sunny sunshine summer sun bright morning tropical",
}
TINTS = {
    "red": 25.0,
    "crimson": 20.0,
    "orange": 55.0,
    "gold": 85.0,
    "golden": 85.0,
    "yellow": 100.0,
    "green": 145.0,
    "emerald": 155.0,
    "teal": 195.0,
    "turquoise": 195.0,
    "blue": 255.0,
    "indigo": 275.0,
    "purple": 305.0,
    "violet": 305.0,
    "pink": 355.0,
    "rose": 5.0,
}


@dataclass(frozen=True)
class Palette:
    """The colours of one hour: the sky from the zenith down, the light, far and near land, an accent."""

    sky: tuple[Field, ...]
    light: Field
    far: Field
    near: Field
    accent: Field
    dark: bool


def _palette(codes: str) -> Palette:
    *sky, light, far, near, accent = (paint(code) for code in codes.split())
    return Palette(tuple(sky), light, far, near, accent, dark=float(sky[1].mean()) < DARK)


# A sky darker than this shows stars and lit windows.
DARK = 0.36

# Sky from the zenith to the horizon, then light, far, near, accent.
PALETTES = {
    "day": (
        "2a6fbd 5ea5df aed6f0 eaf4f0 fffbe8 94bdd6 1d4a44 f2a93b",
        "1a7aa5 57b5ca b5e2dc faf3d9 fffae0 86bfc4 11414c ff7a59",
        "3c82c4 86bce4 d4e6ea fdf0d8 fff6da a8bfd2 2c4a3a e8623d",
    ),
    "sunset": (
        "27245f 7d3a80 e35a6a ffb763 ffeebb b6597c 1f1436 ffd166",
        "3a2152 97344f ea6a3f ffc964 fff0c0 b8553f 26112a ffb238",
        "46689c a78fa8 f4bb7c ffe2a0 fff5cd dba27c 3d2733 ff7b3d",
        "2d3d70 7170ac dfa2b2 ffdab4 fff3d6 b491b1 2a2648 ff9e7a",
        "16204f 41407f a0619d f8a78d ffe7c8 70548f 140f2e ff9ec4",
        "0c2544 20536f 62a09a f8ce90 fff0c9 4d8b8b 08202f ffb45c",
    ),
    "night": (
        "060b22 0e1e4a 22437a 4f78ac f4f1df 2b4779 050a1c ffd98a",
        "0a0724 20134e 50307f a267ad f8ecf4 44306f 080418 7fe0ff",
        "03151d 06333d 11605f 44a68e effbe6 134e54 020c12 ffd88f",
    ),
    "storm": (
        "23303c 475a69 82939b ccccba f6efd8 70828c 161d24 e8c15a",
        "2a2b45 50587a 8f97ad d9cfc4 fbeede 7b83a0 191b2e f0a35e",
    ),
    "winter": (
        "5f86b4 a0bdd8 d7e3ec fbeee4 fffaf0 b1c5da 2a3d58 e2725b",
        "6c7cab b2b3d3 eccfd3 ffe9d2 fff6e6 b6b8d4 2e3556 e0565b",
    ),
    "autumn": (
        "5f80a8 aeb0b0 edcb98 fdebc0 fff6dc c8925f 4a2417 d9481c",
        "3e5c7e a08f8f eaa970 ffdb9c fff0cc bb7544 38190f e8871e",
    ),
    "spring": (
        "62abd8 a5d6e6 f1e0e4 fff2de fffbe8 a3ccb2 2c5c48 f06fa0",
        "8fb4e0 c6cdee f6d5e2 fff0e0 fff9ec b3c6c4 3d5f57 ec6a8c",
    ),
}


@dataclass(frozen=True)
class Motif:
    """What will be painted, before any size or style is known."""

    commission: Commission
    family: str
    hour: str
    guests: frozenset[str]
    palette: Palette

    def stream(self, *names: str) -> np.random.Generator:
        """A fresh generator for one part of the picture."""
        return self.commission.stream(*names)

    def chance(self, name: str, share: float) -> bool:
        """Whether something happens in this picture."""
        return bool(self.stream("chance", name).random() < share)

    def between(self, name: str, low: float, high: float) -> float:
        """A number of this picture's own."""
        return float(self.stream("number", name).uniform(low, high))

    def has(self, guest: str) -> bool:
        """Whether the prompt asked for something."""
        return guest in self.guests


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:-[a-z]+)?", text[:4000].lower())


def _found(words: Sequence[str], vocabulary: dict[str, str]) -> list[str]:
    """The vocabulary's entries the words name, most often named first."""
    counts = dict.fromkeys(vocabulary, 0)
    for entry, listed in vocabulary.items():
        known = set(listed.split())
        counts[entry] = sum(word in known or word.removesuffix("s") in known for word in words)
    return [entry for entry in sorted(counts, key=lambda entry: -counts[entry]) if counts[entry]]


def _hour(family: str, named: list[str], rng: np.random.Generator) -> str:
    if named:
        return named[0]
    if family == "space":
        return "night"
    share = {"city": (0.2, 0.4, 0.4), "meadow": (0.5, 0.4, 0.1)}.get(family, (0.25, 0.5, 0.25))
    return str(rng.choice(("day", "sunset", "night"), p=share))


def _tilted(colour: Field, lean: Field, amount: float, hue: float) -> Field:
    lab = to_lab(turn(colour, hue))
    lab[1:] += lean * amount
    return from_lab(lab)


def _tuned(palette: Palette, tint: float | None, hue: float) -> Palette:
    """The palette leaning towards a named hue, or turned a little by chance."""
    angle = np.radians(tint or 0.0)
    lean = np.array((np.cos(angle), np.sin(angle)), np.float32) * np.float32(0.0 if tint is None else 1.0)
    turned = hue if tint is None else 0.0
    return Palette(
        tuple(_tilted(stop, lean, 0.075, turned) for stop in palette.sky),
        _tilted(palette.light, lean, 0.02, 0.0),
        _tilted(palette.far, lean, 0.075, turned),
        _tilted(palette.near, lean, 0.04, turned),
        _tilted(palette.accent, lean, 0.03, 0.0),
        palette.dark,
    )


def read(commission: Commission) -> Motif:
    """Read a commission's words; what they leave open its hash decides."""
    refused = set(_words(commission.negative_prompt))
    words = [word for word in _words(commission.prompt) if word not in refused]
    rng = commission.stream("motif")
    families, hours = _found(words, WORDS), _found(words, HOURS)
    family = families[0] if families else str(rng.choice(FAMILIES, p=(0.2, 0.17, 0.13, 0.13, 0.11, 0.1, 0.1, 0.06)))
    hour = _hour(family, hours, rng)
    choices = PALETTES[hour]
    palette = _palette(choices[int(rng.integers(len(choices)))])
    tints = [TINTS[word] for word in words if word in TINTS]
    palette = _tuned(palette, tints[0] if tints else None, float(rng.uniform(-14.0, 14.0)))
    guests = [guest for guest in _found(words, GUESTS) if guest not in refused]
    return Motif(commission, family, hour, frozenset(guests), palette)
