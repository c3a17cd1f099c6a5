"""Shapes as strict vendors take them, and the JSON that is found in texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import BaseModel, Field

from atelier.providers import shapes
from atelier.providers.replies import prose


class Point(BaseModel):
    """A point."""

    text: str = Field(min_length=1)
    weight: float = Field(0.5, ge=0, le=1)


class Outline(BaseModel):
    title: str = Field(description="Short.", max_length=60)
    kind: str | None = None
    first: Point
    last: Point | None = None
    points: list[Point] = Field(default=[], max_length=8)


def everywhere(schema: Any) -> list[dict[str, Any]]:
    """Return every schema within a schema."""
    if not isinstance(schema, dict):
        return []
    inner = [schema.get("items"), *schema.get("anyOf", ()), *schema.get("properties", {}).values()]
    return [schema, *(found for each in (*inner, *schema.get("$defs", {}).values()) for found in everywhere(each))]


def test_a_strict_shape_says_all_that_strictness_asks_and_nothing_else() -> None:
    schema = shapes.strict(Outline.model_json_schema())
    assert schema is not None
    for each in everywhere(schema):
        assert set(each) <= {"type", "enum", "$ref", "description", "anyOf", "items", "properties", "required", "additionalProperties", "$defs"}  # fmt: skip
        assert "$ref" not in each or set(each) == {"$ref"}
        if each.get("type") == "object":
            assert (each["additionalProperties"], each["required"]) == (False, list(each["properties"]))
    assert schema["properties"]["title"]["description"] == 'Short. {"maxLength": 60}'
    assert schema["properties"]["kind"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert schema["properties"]["first"] == {"$ref": "#/$defs/Point"}
    assert {"type": "null"} in schema["properties"]["points"]["anyOf"]


def test_what_a_strict_vendor_writes_is_a_value_of_the_model() -> None:
    answer = {"title": "T", "kind": None, "first": {"text": "a", "weight": None}, "last": None, "points": None}
    found = shapes.value_of(json.dumps(answer), Outline.model_json_schema())
    assert found == {"title": "T", "kind": None, "first": {"text": "a"}, "last": None}
    assert Outline.model_validate(found).points == []


@pytest.mark.parametrize(
    "shape",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": {"type": "object"}}, "required": ["a"]},
        {},
    ],
)
def test_what_cannot_be_strict_is_none(shape: dict[str, Any]) -> None:
    assert shapes.strict(shape) is None


OBJECT = {"type": "object"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('\n```json\n{"a": 1}\n```\n', {"a": 1}),
        ('```\n{"a": "```"}\n```', {"a": "```"}),
        ('Like {}:\n```json\n{"a": 1}\n```', {"a": 1}),
        ('Sure {as asked}: {"a": 1}. Done {}.', {"a": 1}),
        ("<b>{</b>", None),
        ("[1]", [1]),
        ("", None),
        ("3", None),
        ('{"a": Infinity}', None),
        ("{" * 100_000, None),
        ('{"a":' * 100_000, None),
    ],
)
def test_json_is_found_in_what_stands_around_it(text: str, value: Any) -> None:
    assert shapes.value_of(text, OBJECT) == value


@given(before=some.text(max_size=40), after=some.text(max_size=40), value=some.dictionaries(some.text(max_size=5), some.none() | some.integers(-9, 9) | some.text(max_size=9), min_size=1))  # fmt: skip
def test_no_text_around_it_hides_json_that_is_the_first(before: str, after: str, value: dict[str, Any]) -> None:
    plain = before.replace("{", "").replace("`", "").replace("[", "")
    found = shapes.value_of(prose(f"{plain} {json.dumps(value)} {after}"), OBJECT)
    assert found == value


@given(text=some.text(alphabet=some.sampled_from('{}[]",:\\`a1 \n') | some.characters()))
def test_no_text_breaks_it(text: str) -> None:
    json.dumps(shapes.value_of(text, OBJECT), ensure_ascii=False).encode()
    prose(text).encode()


def test_thoughts_before_a_text_are_not_of_it() -> None:
    assert shapes.without_thoughts("<think>a</think>b") == "b"
    assert shapes.without_thoughts("b <think>a</think>") == "b <think>a</think>"
    assert shapes.without_thoughts(" <think>never ends") == ""
