"""Whether callers have already what they ask for (RFC 9110, 13.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate

_TAG = re.compile(r'"([^"]*)"')


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Whether `If-None-Match` names this entity tag: alone, in a list, weak or strong, or as `*`, which is any."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or set(_TAG.findall(tag)) <= set(_TAG.findall(if_none_match))


def is_unmodified(file: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """Whether a request's headers name the file's `ETag`; where they name none, whether its `Last-Modified` is not later."""
    if "if-none-match" in asked:
        return is_known(file["etag"], asked["if-none-match"])
    since, modified = parsedate(asked.get("if-modified-since", "")), parsedate(file["last-modified"])
    return since is not None and modified is not None and since >= modified
