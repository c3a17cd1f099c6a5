"""What Firestore's indexes must be, derived from the queries that really go out; the emulator enforces none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import grpc
from google.cloud.firestore_v1.types import StructuredQuery
from tests.live import ROOT

FILE = ROOT / "firestore.indexes.json"
NAME = "__name__"
ASCENDING, DESCENDING = "ASCENDING", "DESCENDING"


@dataclass(frozen=True, kw_only=True)
class Index:
    """A composite index: fields compared for equality, the one list that is searched, then the order."""

    collection: str
    equal: frozenset[str]
    contains: frozenset[str]
    order: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What one query needs: a composite index, or the automatic ones of single fields."""

    index: Index | None
    fields: frozenset[tuple[str, str]]


def needs(query: StructuredQuery, sums: Sequence[str] = ()) -> Needs:
    """Return what a query needs, by the rules of Firestore's documentation.

    An index has the fields compared for equality, the list that is searched, then what the result is ordered by; a range
    orders by its field. What is added up stands behind all. Equality alone is answered from the fields' own indexes.
    """
    collection = query.from_[0].collection_id
    equal, contains, ranges = set[str](), set[str](), list[str]()
    for name, operator in _filters(query.where):
        if operator in {"EQUAL", "IN", "IS_NULL"}:
            equal.add(name)
        elif operator == "ARRAY_CONTAINS":
            contains.add(name)
        else:
            ranges.append(name)
    order = [(one.field.field_path, one.direction.name) for one in query.order_by]
    order += [(name, ASCENDING) for name in dict.fromkeys(ranges) if name not in dict(order)]
    order += [(name, ASCENDING) for name in sums if name not in equal | dict(order).keys()]
    shown = tuple((name, direction) for name, direction in order if name != NAME)
    single = frozenset((collection, name) for name in equal | contains | dict(shown).keys())
    if not shown or len(single) == 1:
        return Needs(index=None, fields=single)
    index = Index(collection=collection, equal=frozenset(equal), contains=frozenset(contains), order=shown)
    return Needs(index=index, fields=frozenset())


def _filters(where: StructuredQuery.Filter) -> Iterator[tuple[str, str]]:
    for one in where.composite_filter.filters:
        yield from _filters(one)
    if where.composite_filter.filters:
        assert where.composite_filter.op.name == "AND"
    elif where.field_filter.field.field_path:
        yield where.field_filter.field.field_path, where.field_filter.op.name
    elif where.unary_filter.field.field_path:
        yield where.unary_filter.field.field_path, where.unary_filter.op.name


@cache
def declared() -> dict[str, Any]:
    """Return the file."""
    content: dict[str, Any] = json.loads(FILE.read_text())
    return content


def serves(entry: dict[str, Any], index: Index) -> bool:
    """Whether an index of the file is the one that is needed: equal fields in any order, then the order."""
    fields = [(one["fieldPath"], one.get("order", "CONTAINS")) for one in entry["fields"]]
    head, tail = fields[: len(fields) - len(index.order)], tuple(fields[len(fields) - len(index.order) :])
    equal = frozenset(name for name, kind in head if kind != "CONTAINS")
    contains = frozenset(name for name, kind in head if kind == "CONTAINS")
    same = (equal, contains, tail) == (index.equal, index.contains, index.order)
    return same and entry["collectionGroup"] == index.collection and entry["queryScope"] == "COLLECTION"


def exempt() -> set[tuple[str, str]]:
    """Return the fields without automatic indexes."""
    return {(one["collectionGroup"], one["fieldPath"]) for one in declared()["fieldOverrides"] if not one["indexes"]}


@dataclass(kw_only=True)
class Spent:
    """What Firestore counts: documents read (a query or look that finds none is one), written and deleted."""

    reads: int = 0
    writes: int = 0
    deletes: int = 0

    def since(self, before: Spent) -> Spent:
        """Return what was spent behind another count."""
        return Spent(
            reads=self.reads - before.reads, writes=self.writes - before.writes, deletes=self.deletes - before.deletes
        )


class Watchman:
    """Sees every call of a store: counts what it costs, and refuses queries that the file has no index for."""

    def __init__(self) -> None:
        self.needed: set[Index] = set()
        self.asked: set[tuple[str, str]] = set()
        self.written: set[tuple[str, str]] = set()
        self.spent = Spent()
        self.interceptors = [_Queries(self), _Commits(self)]

    def query(self, query: StructuredQuery, sums: Sequence[str] = ()) -> None:
        """Refuse a query as Firestore does."""
        found = needs(query, sums)
        self.asked |= found.fields
        if found.index is not None:
            self.needed.add(found.index)
        missing = found.index is not None and not any(serves(entry, found.index) for entry in declared()["indexes"])
        if missing or found.fields & exempt():
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.FAILED_PRECONDITION,
                grpc.aio.Metadata(),
                grpc.aio.Metadata(),
                f"The query requires an index: {found}",
            )

    def commit(self, request: Any) -> None:
        """Note which fields are written."""
        for write in request.writes:
            self.spent.deletes += bool(write.delete)
            self.spent.writes += not write.delete
            collection = write.update.name.split("/")[-2] if write.update.name else ""
            names = [*write.update.fields, *(one.field_path for one in write.update_transforms)]
            self.written |= {(collection, name) for name in names}


class _Queries(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    def __init__(self, watchman: Watchman) -> None:
        self._watchman = watchman

    async def intercept_unary_stream(self, go_on: Any, details: Any, request: Any) -> Any:
        method = details.method.decode() if isinstance(details.method, bytes) else details.method
        if method.endswith("/RunQuery"):
            self._watchman.query(request.structured_query)
        elif method.endswith("/RunAggregationQuery"):
            asked = request.structured_aggregation_query
            sums = [one.sum.field.field_path for one in asked.aggregations if "sum" in one]
            self._watchman.query(asked.structured_query, sums)
        return self._counted(await go_on(details, request))

    async def _counted(self, call: Any) -> AsyncIterator[Any]:
        found = 0
        async for response in call:
            named = {field.name for field, _ in type(response).pb(response).ListFields()}
            found += (here := bool(named & {"document", "found", "missing"}))
            self._watchman.spent.reads += here
            yield response
        self._watchman.spent.reads += not found


class _Commits(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    def __init__(self, watchman: Watchman) -> None:
        self._watchman = watchman

    async def intercept_unary_unary(self, go_on: Any, details: Any, request: Any) -> Any:
        self._watchman.commit(request)
        return await go_on(details, request)
