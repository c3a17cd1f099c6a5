"""Print the gcloud commands that give a Firestore the indexes and expiries of firestore.indexes.json."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

INDEXES = Path(__file__).parent.parent / "firestore.indexes.json"


def commands(wanted: dict[str, Any]) -> Iterator[str]:
    """Yield a command for each index, each exemption and each expiry; all of them may be given again."""
    for index in wanted["indexes"]:
        fields = [f"--field-config={_field(field)}" for field in index["fields"]]
        group = f"--collection-group={index['collectionGroup']}"
        yield shlex.join(
            ["gcloud", "firestore", "indexes", "composite", "create", "--async", "--quiet", group, *fields]
        )
    for field in wanted["fieldOverrides"]:
        path, group = field["fieldPath"], f"--collection-group={field['collectionGroup']}"
        if not field["indexes"]:
            exempt = ["gcloud", "firestore", "indexes", "fields", "update", path, "--async", "--quiet"]
            yield shlex.join([*exempt, group, "--disable-indexes"])
        if field.get("ttl"):
            expire = ["gcloud", "firestore", "fields", "ttls", "update", path, "--async", "--quiet"]
            yield shlex.join([*expire, group, "--enable-ttl"])


def _field(field: dict[str, str]) -> str:
    if "arrayConfig" in field:
        return f"field-path={field['fieldPath']},array-config={field['arrayConfig'].lower()}"
    return f"field-path={field['fieldPath']},order={field['order'].lower()}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(commands(json.loads(INDEXES.read_text()))) + "\n")
