"""What posts are measured by: numbers that can be worked out by hand."""

from __future__ import annotations

import pytest

from atelier.pipelines.blog import coverage, document, keywords, scores, structure
from atelier.pipelines.blog.keywords import Rival
from atelier.pipelines.blog.originality import originality
from atelier.pipelines.blog.readability import readability
from atelier.pipelines.blog.scores import Check


@pytest.mark.parametrize(
    ("text", "score", "grade", "counts"),
    [
        # 2 sentences, 12 words, 21 syllables: 206.835 - 1.015·6 - 84.6·1.75; 0.39·6 + 11.8·1.75 - 15.59
        ("Gardens improve the temperature of a city. Trees need water every summer.", 52.7, 7.4, (2, 12, 21)),
        # 6 words of a syllable: 116.1 is cut to 100, grade -1.45 to 0
        ("The cat sat on the mat.", 100.0, 0.0, (1, 6, 6)),
        # 8 words, 22 syllables: -29.9 is cut to 0
        ("Reading is a pleasure. Universities publish complicated documentation.", 0.0, 18.4, (2, 8, 22)),
        ("... !", 0.0, 0.0, (0, 0, 0)),
    ],
)
def test_readability(text: str, score: float, grade: float, counts: tuple[int, int, int]) -> None:
    found = readability(text)
    assert (found.score, found.grade) == (score, grade)
    assert (found.sentences, found.words, found.syllables) == counts


def test_readability_says_what_it_saw() -> None:
    assert readability("Gardens improve the temperature of a city. Trees need water every summer.").evidence == (
        "Flesch 52.7: fairly difficult, school grade 7.4; 6.0 words a sentence, 1.75 syllables a word."
    )
    assert "no text" in readability("").evidence


SOURCE = "Planting trees along the street lowers the heat by three degrees in summer."


@pytest.mark.parametrize(
    ("text", "score", "copied", "longest"),
    [
        # 10 words, 3 runs; the first 8 words are the source's: 1 run
        ("Planting trees along the street lowers the heat, say people.", 66.7, 1, 8),
        # 10 words, 3 runs; 9 words are the source's: 2 runs
        ("planting TREES along the street lowers the heat by much", 33.3, 2, 9),
        (SOURCE, 0.0, 6, 13),
        ("Planting trees along the street lowers", 100.0, 0, 0),
        ("Whoever plants trees beside a road cools it by a little in July.", 100.0, 0, 0),
        ("", 100.0, 0, 0),
    ],
)
def test_originality(text: str, score: float, copied: int, longest: int) -> None:
    found = originality(text, {"a": "Something else altogether, and long enough for a run of words.", "b": SOURCE})
    assert (found.score, found.copied, found.longest) == (score, copied, longest)
    assert found.source == ("b" if longest else "")
    assert len(found.passage.split()) == longest


def test_runs_of_two_sources_are_no_longer_stretch() -> None:
    first, second = (
        "one two three four five six seven eight",
        "nine ten eleven twelve thirteen fourteen fifteen sixteen",
    )
    found = originality(f"{first} {second}", {"a": first, "b": second})
    assert (found.copied, found.runs, found.longest, found.source) == (2, 9, 8, "a")


def test_what_stands_between_two_copies_ends_a_stretch() -> None:
    first, second = (
        "one two three four five six seven eight",
        "nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen",
    )
    found = originality(f"{first} something of its own {second}", {"a": f"{first}. And then: {second}"})
    assert (found.copied, found.longest, found.passage) == (3, 9, second)


def test_terms_are_counted_in_the_singular_and_plural() -> None:
    text = "Street trees cool streets. Street-tree care matters."  # 8 words, two of them twice the term's
    assert coverage.count(text, "street tree") == coverage.count(text, "Street Trees") == 2
    (found,) = coverage.coverage(text, ["street trees"]).terms
    assert (found.count, found.per_cent, found.overused) == (2, 50.0, False)
    assert coverage.count("a a a a", "a a") == 2
    assert coverage.count(text, "") == coverage.count("", "tree") == 0


def test_coverage_names_what_is_missing_and_what_is_too_much() -> None:
    text = "tree " * 5 + "word " * 95
    found = coverage.coverage(text, ["tree", "root", "leaf", "words"])
    assert (found.missing, found.overused, found.share) == (("root", "leaf"), ("tree", "words"), 0.5)
    assert coverage.coverage("tree " * 3 + "word " * 97, ["tree"]).overused == ()
    assert coverage.coverage(text, []).share == 1.0


def test_a_subtopic_is_covered_within_one_paragraph() -> None:
    text = "Watering young trees takes time.\n\nIn winter they rest.\n\nA tree has roots."
    covered, apart, absent, empty = coverage.subtopics(
        text, ["How to water a young tree", "Winter watering of roots", "Cost", "How to"]
    )
    assert (covered.share, covered.covered) == (1.0, True)
    assert (apart.share, apart.covered) == (0.333, False)
    assert (absent.covered, empty.share) == (False, 0.0)


def test_candidates() -> None:
    texts = ["Street trees cool cities. Street trees need water.", "Cool street trees"]
    best, second = keywords.candidates(texts)
    assert (best.term, best.score, best.count, best.documents) == ("street trees", 4.755, 3, 2)  # log2(3)·3·2/2
    assert (second.term, second.score) == ("cool", 2.0)  # log2(2)·2·2/2; street and tree stand in the longer one only
    assert keywords.candidates(["Nothing twice here"]) == keywords.candidates([]) == ()
    assert [each.term for each in keywords.candidates(["Oak", "oaks and 12 12"], least=1, most=1)] == ["oak"]


@pytest.mark.parametrize(
    ("term", "variants"),
    [
        ("coffee grinder", ("coffee grinders", "grinder for coffee")),
        ("shade for gardens", ("shade for garden", "gardens shade")),
        ("City", ("cities",)),
        ("best city parks", ("best city park",)),
        ("", ()),
    ],
)
def test_variants(term: str, variants: tuple[str, ...]) -> None:
    assert keywords.variants(term) == variants


def test_long_phrases_around_a_term() -> None:
    texts = [
        "How do street trees cool a city? Planting street trees in hot cities works.",
        "Planting street trees in hot cities is cheap.",
    ]
    found = keywords.long_tail("street tree", texts)
    assert found[0] == "planting street trees in hot cities", "in both texts"
    assert "how do street trees cool" in found
    assert "street trees in hot cities" not in found, "as often as what it is a part of"
    assert not any(phrase.endswith((" in", " a", " is")) or phrase.startswith(("in ", "do ")) for phrase in found)
    assert keywords.long_tail("bush", texts) == keywords.long_tail("", texts) == ()


def test_difficulty() -> None:
    rivals = [
        Rival(title="Street Trees: a guide", headings=("Why a street tree?",), words=1000),
        Rival(title="Trees of the street", words=3000),
        Rival(title="All street trees", words=2000),
        Rival(title="Something else"),
    ]
    found = keywords.difficulty("street trees", rivals)
    assert found.score == 60.0  # 50·2/4 + 20·1/4 + 30·min(1, 2000/2000)
    assert found.evidence == "2 of 4 results have it in their title, 1 in a heading; their median length is 2000 words."
    assert keywords.difficulty("street trees", []).score == 0


def test_a_score_is_the_weighted_mean_of_its_checks() -> None:
    made = scores.scored(
        [Check(name="a", weight=30, share=1, evidence="fine"), Check(name="b", weight=10, share=0.5, evidence="half")]
    )
    assert (made.value, made.evidence) == (87.5, ("half", "fine"))
    assert scores.scored([]).value == 0
    assert [scores.within(value, 30, 60) for value in (0, 15, 30, 60, 120)] == [0, 0.5, 1, 1, 0.5]


def test_structure() -> None:
    text = f"# Title\n\n{'word ' * 450}\n\n## One\n\n{'word ' * 150}\n\n#### Skipped\n\n{'word ' * 20}\n\n![](a.png) ![named](b.png)\n"
    found = structure.structure(document.read(text))
    assert (found.words, found.sections, found.items, found.images) == (620, 3, 0, 2)
    assert found.paragraphs == (450, 150, 20, 0)
    shares = {check.name: round(check.share, 3) for check in found.score.checks}
    # 2 headings for 620 words; 1 of 3 skips a level; 2 of 4 paragraphs are long; no list; 1 of 2 images has a name
    assert shares == {"headings": 0.968, "levels": 0.667, "paragraphs": 0.5, "lists": 0.0, "images": 0.5}
    assert found.score.value == pytest.approx(
        (30 * 0.96774 + 20 * 2 / 3 + 30 * 0.5 + 0 + 10 * 0.5) / 100 * 100, abs=0.05
    )


def test_headings_are_a_tree() -> None:
    made = structure.structure(document.read("### Lone\n# A\n## B\n### C\n## D\n# E\n")).tree
    assert [(node.title, [child.title for child in node.children]) for node in made] == [
        ("Lone", []),
        ("A", ["B", "D"]),
        ("E", []),
    ]
    assert [child.title for child in made[1].children[0].children] == ["C"]


def test_an_empty_text_has_no_structure() -> None:
    found = structure.structure(document.read(""))
    assert (found.words, found.tree, found.score.value) == (0, (), 25.0)
