"""Answers that are JSON of a shape: the shape as vendors take it strictly, in words for those who do not, and what came."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from atelier.jobs.models import Json

KEPT: Final = ("type", "enum", "$ref", "description")
"""What strict shapes may say beside their structure. Bounds and patterns are told in the description instead."""

NAMING: Final = {
    "title",
    "default",
    "const",
    "examples",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
}
NOTHING: Final = {"type": "null"}
TRIES = 16
"""So many places of a text are tried as the beginning of its JSON."""

_FENCED = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)
_THOUGHT = re.compile(r"\s*<think>.*?(</think>|\Z)", re.DOTALL)


def strict(shape: Json) -> Json | None:
    """Return a shape as strict vendors take it: every property required, none beside them, optional ones may be null.

    None where it cannot be said so: it is no object, or has properties of any name somewhere.
    """
    try:
        rewritten = _strict(shape)
    except _Open:
        return None
    return rewritten if rewritten.get("type") == "object" else None


def in_words(shape: Json) -> str:
    """Return a shape as an instruction."""
    told = json.dumps(shape, ensure_ascii=False, separators=(",", ":"))
    return f"Answer with one JSON value and nothing else: no words around it, no code fence. Its JSON schema is: {told}"


def without_thoughts(text: str) -> str:
    """Return a text without what its model thought aloud before it."""
    return _THOUGHT.sub("", text, count=1) if text.lstrip().startswith("<think>") else text


def value_of(text: str, shape: Json) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON in a text, whatever stands around it, without the nulls of properties that may be absent.

    None where there is none. Whether it has the shape is not looked at.
    """
    for candidate in _candidates(text, "[" if shape.get("type") == "array" else "{"):
        found = _parsed(candidate)
        if found is not None:
            return _without_nulls(found, shape, shape.get("$defs", {}))
    return None


class _Open(Exception):
    """The shape has properties of any name."""


def _strict(shape: Json) -> Json:
    if "$ref" in shape:
        return {"$ref": shape["$ref"]}
    if len(shape.get("allOf", ())) == 1:
        return _strict(shape["allOf"][0])
    kept: Json = {name: shape[name] for name in KEPT if name in shape}
    if "const" in shape:
        kept["enum"] = [shape["const"]]
    if choices := shape.get("anyOf") or shape.get("oneOf"):
        kept["anyOf"] = [_strict(each) for each in choices]
    if "items" in shape:
        kept["items"] = _strict(shape["items"])
    if shape.get("type") == "object":
        kept |= _strict_object(shape)
    if "$defs" in shape:
        kept["$defs"] = {name: _strict(each) for name, each in shape["$defs"].items()}
    return kept | _bounds(shape)


def _strict_object(shape: Json) -> Json:
    if shape.get("additionalProperties") or not shape.get("properties"):
        raise _Open
    required = shape.get("required", ())
    properties = {
        name: _strict(each) if name in required else _or_nothing(_strict(each))
        for name, each in shape["properties"].items()
    }
    return {"properties": properties, "required": list(properties), "additionalProperties": False}


def _or_nothing(shape: Json) -> Json:
    choices = shape["anyOf"] if set(shape) == {"anyOf"} else [shape]
    return {"anyOf": choices if NOTHING in choices else [*choices, NOTHING]}


def _bounds(shape: Json) -> Json:
    """Return the description with the bounds that a strict shape must not say: a model reads them all the same."""
    structure = {*KEPT, *NAMING, "$defs", "allOf", "oneOf"}
    bounds = {name: bound for name, bound in shape.items() if name not in structure}
    if not bounds:
        return {}
    said = json.dumps(bounds, ensure_ascii=False)
    return {"description": f"{shape.get('description', '')} {said}".strip()}


def _candidates(text: str, opening: str) -> Iterator[str]:
    """Yield what may be the JSON: all of it, what is fenced, and what follows each opening bracket, from the first on."""
    yield text
    yield from _FENCED.findall(text)
    place = text.find(opening)
    for _ in range(TRIES):
        if place < 0:
            return
        yield text[place:]
        place = text.find(opening, place + 1)


def _parsed(text: str) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON object or list that a text begins with; None where it begins with none."""
    try:
        found, _ = _DECODER.raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return None
    return _encodable(found) if isinstance(found, dict | list) else None


def _encodable(found: Any) -> Any:  # noqa: ANN401 - JSON
    """Return JSON whose texts can be stored: halves of surrogates become question marks."""
    written = json.dumps(found, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:
        return json.loads(written.encode(errors="replace"))
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _without_nulls(value: Any, shape: Json, shapes: Mapping[str, Json]) -> Any:  # noqa: ANN401 - JSON
    """Drop nulls where the shape has an optional property that may not be null; a strict vendor has to write them."""
    shape = shapes.get(str(shape.get("$ref", "")).rpartition("/")[2], shape)
    if isinstance(value, list):
        items = shape.get("items", {})
        return [_without_nulls(each, items, shapes) for each in value] if isinstance(items, dict) else value
    properties = shape.get("properties")
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    required = shape.get("required", ())
    return {
        name: _without_nulls(each, properties.get(name, {}), shapes)
        for name, each in value.items()
        if each is not None or name in required or _may_be_null(properties.get(name, {}))
    }


def _may_be_null(shape: Json) -> bool:
    kinds = shape.get("type")
    says_nothing = not {"type", "anyOf", "$ref", "enum"} & shape.keys()
    return (
        says_nothing
        or NOTHING in shape.get("anyOf", ())
        or "null" in ([kinds] if isinstance(kinds, str) else kinds or ())
    )
