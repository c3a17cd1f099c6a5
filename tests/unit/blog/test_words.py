"""Texts taken apart: what is a paragraph, a sentence, a word, a syllable."""

from __future__ import annotations

import pytest

from atelier.pipelines.blog import words

APOSTROPHE = "\u2019"


def test_paragraphs_are_apart_by_empty_lines() -> None:
    assert words.paragraphs("one\ntwo\n \nthree\n\n\n\n") == ("one\ntwo", "three")


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It cost 3.5 million. Really.", ["It cost 3.5 million.", "Really."]),
        ("Dr. Smith met J. R. Tolkien at approx. 5 pm, i.e. late.", ["Dr. Smith met J. R. Tolkien at approx. 5 pm, i.e. late."]),
        ("See No. 5 today. He said no. Fine.", ["See No. 5 today.", "He said no.", "Fine."]),
        ("Apples, pears, etc. Then more. It was I. So be it.", ["Apples, pears, etc.", "Then more.", "It was I.", "So be it."]),
        ('"Really?" she asked. "Yes." He left… and came back.', ['"Really?" she asked.', '"Yes."', "He left… and came back."]),
        ("Visit example.com now.\nStill the\nsame one", ["Visit example.com now.", "Still the same one"]),
        ("A heading\n\nA text. ", ["A heading", "A text."]),
        ("今日は晴れです。明日は雨！", ["今日は晴れです。", "明日は雨！"]),  # noqa: RUF001 - Japanese stops
        ("... ", ["..."]),
        ("", []),
    ],
)  # fmt: skip
def test_sentences(text: str, sentences: list[str]) -> None:
    assert list(words.sentences(text)) == sentences


def test_a_row_of_stops_is_no_trap() -> None:
    """It took time by the square of its length, which is hours."""
    assert words.sentences("." * 300_000) == ("." * 300_000,)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"state-of-the-art don{APOSTROPHE}t don't", ["state-of-the-art", f"don{APOSTROPHE}t", "don't"]),
        ("1,000.5 3D COVID-19 10:30 50% v2", ["1,000.5", "3D", "COVID-19", "10:30", "50", "v2"]),
        ("今日は2024年", ["今", "日", "は", "2024", "年"]),
        ("हिन्दी العَرَبِيَّة naïve", ["हिन्दी", "العَرَبِيَّة", "naïve"]),
        ("— … 🙂 _ \u200b", []),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert list(words.words(text)) == found


def test_words_are_compared_in_small_letters_without_possessives() -> None:
    assert words.folded(f"Oxford{APOSTROPHE}s STUDY isn{APOSTROPHE}t") == ("oxford", "study", "isn't")
    assert words.content("The study of trees isn't a b 7 x") == ("study", "trees", "7")


@pytest.mark.parametrize(
    ("many", "one"),
    [("trees", "tree"), ("cities", "city"), ("boxes", "box"), ("matches", "match"), ("houses", "house"), ("shoes", "shoe"),
     ("potatoes", "potato"), ("movies", "movie"), ("class", "class"), ("status", "status"), ("analysis", "analysis"),
     ("series", "series"), ("gas", "gas"), ("is", "is"), ("", "")],
)  # fmt: skip
def test_singular(many: str, one: str) -> None:
    assert words.singular(many) == one


def test_a_stem_is_what_forms_share() -> None:
    assert {words.stem(word) for word in ("reduce", "reduced", "reduces", "reducing")} == {"reduc"}
    assert words.stem("trees") == words.stem("tree") != words.stem("treat")


@pytest.mark.parametrize(
    ("word", "count"),
    [("cat", 1), ("tree", 1), ("table", 2), ("wanted", 2), ("played", 1), ("changes", 2), ("boxes", 2), ("names", 1), ("any", 2), ("every", 2),
     ("business", 2), ("idea", 3), ("area", 3), ("social", 2), ("material", 4), ("quality", 3), ("language", 2), ("previous", 3),
     ("delicious", 3), ("science", 2), ("client", 2), ("patient", 2), ("created", 3), ("reality", 4), ("people", 2), ("quiet", 2), ("being", 2),
     ("employee", 3), ("rhythm", 2), ("tourism", 3), ("completely", 3), ("something", 2), ("automatically", 5), ("documentation", 5),
     ("universities", 5), ("state-of-the-art", 4), ("children's", 2), ("XYZ", 1), ("42", 1), ("été", 1), ("今", 1)],
)  # fmt: skip
def test_syllables(word: str, count: int) -> None:
    assert words.syllables(word) == count
