"""A claim is supported by what a source says, and by nothing that is only near it."""

from __future__ import annotations

import pytest

from atelier.pipelines.blog import figures, support
from atelier.pipelines.blog.support import Library, passages

TREES = (
    "Street trees cool cities by 3.5 degrees in summer, a 2019 study by Oxford University found. "
    "They also raise house prices by 15 percent.\n\n"
    "Researchers counted 1,200 trees in Vienna. Watering does not help trees that are older than ten years."
)
RIVERS = "The Danube flows through ten countries. It is 2,850 kilometres long."
LIBRARY = Library((*passages("trees", TREES, title="Trees in Vienna"), *passages("rivers", RIVERS)))


@pytest.mark.parametrize(
    "claim",
    [
        "Street trees cool cities by 3.5 degrees in summer.",
        "In summer, street trees lower the temperature in cities by 3.5 degrees.",
        "A study by Oxford University found in 2019 that street trees cool cities.",
        "House prices rise by 15% where there are trees on the street.",
        "In Vienna, researchers counted 1200 trees.",
        "Watering does not help trees older than 10 years.",
        "The Danube is 2,850 kilometres long.",
        "According to researchers, street trees keep cities cool in summer.",
    ],
)
def test_what_a_source_says_is_supported(claim: str) -> None:
    found = LIBRARY.support(claim)
    assert found.supported, found.reason


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ("Street trees cool cities by 4 degrees in summer.", "number 4"),
        ("Street trees cool cities by 3.5 percent in summer.", "number 3.5%"),
        ("A 2020 study by Oxford University found that street trees cool cities.", "number 2020"),
        ("A study by Cambridge University found that street trees cool cities.", "name cambridge"),
        ("Berlin cools its cities in summer with street trees.", "name berlin"),
        ("In Graz, street trees cool cities in summer.", "name graz"),
        ("In Graz, researchers counted 1,200 trees.", "No source says this"),
        ("Street trees do not cool cities in summer.", "denies"),
        ("Watering helps trees that are older than ten years.", "denies"),
        ("House prices fall by 15 percent because of street trees.", "the other way"),
        ("Street trees attract birds and insects to gardens.", "No source says this"),
        ("Street trees in cities attract insects.", "No source says this"),
        ("Street trees cool cities in summer and attract insects.", "No source says this"),
        ("Street trees in cities need deep watering in summer.", "No source says this"),
        ("Trees in cities improve the air that people breathe.", "No source says this"),
        ("Bees visit 40 flowers on each of their flights.", "No source says this"),
        ("It works well.", "too little"),
    ],
)
def test_what_no_source_says_is_not(claim: str, why: str) -> None:
    found = LIBRARY.support(claim)
    assert not found.supported
    assert why in found.reason


def test_without_its_source_the_same_claim_is_unsupported() -> None:
    claim = "Street trees cool cities by 3.5 degrees in summer."
    assert not Library(passages("rivers", RIVERS)).support(claim).supported
    assert not Library(()).support(claim).supported
    assert Library(()).support(claim).reason == "No source says this."
    near = LIBRARY.support("Street trees in cities attract insects.")
    assert near.reason == "No source says this; the nearest passage has 60% of its words."
    assert LIBRARY.support(claim).passage.source == "trees"  # type: ignore[union-attr]


def test_a_source_that_says_something_else_is_not_the_passage() -> None:
    """The same numbers and a shared word are no support."""
    other = Library(passages("other", "In 2019 the city sold 3.5 million tickets in summer."))
    assert not other.support("Street trees cool cities by 3.5 degrees in summer.").supported


def test_a_claim_may_stand_in_two_sentences_of_a_paragraph_and_not_of_two() -> None:
    claim = "Summer in the cities is cooler, and house prices rise by 15 percent, with street trees."
    assert LIBRARY.support(claim).supported
    apart = Library(passages("apart", TREES.replace("found. They", "found.\n\nThey")))
    assert not apart.support(claim).supported


def test_the_first_word_is_a_name_unless_a_source_has_it_in_small_letters() -> None:
    library = Library(passages("cars", "Ford sold 1.8 million cars in 2023. Many buyers paid in cash."))
    assert "tesla" in library.support("Tesla sold 1.8 million cars in 2023.").reason
    assert library.support("Buyers paid many in cash.").supported


def test_claims_are_sentences_that_can_be_looked_up() -> None:
    text = (
        "Trees are nice. Street trees cool the city by 3 degrees. Why do 7 of 10 people plant trees? It has 5."
        " We visited the gardens of Vienna. Experts recommend watering young trees."
    )
    assert support.claims(text) == (
        "Street trees cool the city by 3 degrees.",
        "We visited the gardens of Vienna.",
        "Experts recommend watering young trees.",
    )


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1,000 and 1 thousand and 1k", {"1000"}),
        ("5 per cent, 5 percent and 5%", {"5%"}),
        ("$5 million, 3,5 and 1.2.3", {"5000000", "3.5", "1.2.3"}),
        ("six of ten, one of them twice", {"6", "10"}),
        ("in 2019, 1,234,567.5 and v2", {"2019", "1234567.5"}),
        ("no number", set()),
    ],
)
def test_numbers_have_one_form(text: str, numbers: set[str]) -> None:
    assert figures.numbers(text) == numbers


def test_names_by_their_capitals() -> None:
    assert figures.names("The Oxford study by NASA was not I.") == {"oxford", "nasa"}
    assert figures.names("NASA found water.") == {"nasa"}
    assert figures.names("Trees grow. ") == frozenset()


def test_negation_and_direction() -> None:
    assert figures.negated("It doesn't work")
    assert not figures.negated("Nobody can say that it does not")
    assert [figures.direction(text) for text in ("Prices rose", "Prices were reduced", "More for less", "Flat")] == [
        1,
        -1,
        0,
        0,
    ]
