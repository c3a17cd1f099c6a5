"""Example stories of the sandbox: the same topic and level in give the same story out."""

from __future__ import annotations

from typing import Final

from atelier.jobs.models import Json
from atelier.providers.phrases import LABEL
from atelier.providers.prose import Theme, chance

NAMES: Final = ("Mira", "Tomas", "Ada", "Jun", "Nia", "Oskar")
ANIMALS: Final = ("a grey cat", "a small brown dog", "a young fox", "an old goose")
LOOKS: Final = (
    "a girl of eight with short black hair, a yellow raincoat and red boots",
    "a boy of nine with curly red hair, a green scarf and brown trousers",
    "an old woman with white hair in a bun, round glasses and a blue apron",
    "a tall man with a dark beard, a straw hat and a striped shirt",
)
STYLES: Final = (
    "Soft watercolour storybook illustration, warm morning light",
    "Gouache illustration with rough paper, muted greens and ochre",
    "Coloured pencil illustration, clear outlines, bright sky",
)
PLACES: Final = (
    "at home",
    "in the garden",
    "by the river",
    "at the market",
    "on the hill",
    "in the old mill",
    "at the harbour",
)
TURNS: Final = (
    "{one} hears of {topic} for the first time.",
    "{one} and {other} look for {topic}.",
    "{one} finds a sign of {topic}.",
    "It begins to rain, and {one} has to wait.",
    "{other} has an idea.",
    "{one} asks an old neighbour about {topic}.",
    "{one} tries it alone, and it goes wrong.",
    "{other} helps, and it goes better.",
)
LAST: Final = "{one} and {other} walk home, and they are glad about {topic}."
SHORT: Final = (
    "{one} looks up.",
    "It is quiet.",
    "{other} is near.",
    "They wait a little.",
    "Then they go on.",
    "{one} smiles.",
    "The air is cool.",
    "{other} comes too.",
)
LONG: Final = (
    "{one} looks at the clouds for a long while and thinks of everything that has happened since the morning.",
    "{other} stays close, as friends do who have seen a good deal of the world together.",
    "Somewhere a door falls shut, and its echo wanders over the roofs until nobody hears it any more.",
    "Nobody says a word, because what matters has been said already.",
)
WORDY: Final = 80
"""Words of a scene from which on sentences are long."""


def outline(about: Theme, subject: Json) -> Json:
    """Return characters and as many scenes as are asked for."""
    dice, count = chance("tale", about.topic, subject.get("level")), int(subject.get("scenes", 8))
    one, other = dice.choice(NAMES), dice.choice(ANIMALS).split()[-1].capitalize()
    turns = [*dice.sample(TURNS, len(TURNS)) * 3][: count - 1]
    return {
        "title": f"{one}: {about.topic}"[:80],
        "style": dice.choice(STYLES),
        "characters": [
            {"name": one, "look": dice.choice(LOOKS)},
            {"name": other, "look": dice.choice(ANIMALS) + " with a white spot on its chest"},
        ],
        "scenes": [_scene(turn, dice.choice(PLACES), one, other, about.topic) for turn in (*turns, LAST)],
    }


def text(about: Theme, subject: Json) -> Json:
    """Return the scenes told, each about as long as is asked for; the first says where it comes from."""
    words, dice = int(subject.get("words", 90)), chance("told", about.topic, subject.get("level"))
    one, other = [*subject.get("names", ()), "Mira", "Fox"][:2]
    told = []
    for happens in subject.get("happens", ()):
        sentences = [str(happens)]
        while sum(len(sentence.split()) for sentence in sentences) < words - 4:
            sentences.append(dice.choice(LONG if words > WORDY else SHORT).format(one=one, other=other))
        told.append(" ".join(sentences))
    return {"scenes": [f"*{LABEL}*\n\n{told[0]}", *told[1:]] if told else []}


def _scene(turn: str, place: str, one: str, other: str, topic: str) -> Json:
    happens = turn.format(one=one, other=other, topic=topic)
    return {
        "happens": happens,
        "characters": [name for name in (one, other) if name in happens],
        "shows": f"{happens.rstrip('.')}, {place}",
        "alt_text": f"{happens.rstrip('.')}, {place}.",
    }
