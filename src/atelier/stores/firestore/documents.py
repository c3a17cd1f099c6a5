"""Documents that are no jobs: written over the revision that was read, found out like a job's writes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from google.cloud.firestore_v1 import AsyncClient, AsyncWriteBatch

from atelier.frozen import frozen
from atelier.jobs.ports import Document
from atelier.stores import serialisation as codec
from atelier.stores.firestore.calls import LOST, MOVED, ONCE, Calls, in_time, pauses
from atelier.stores.firestore.headers import TOKENS, new_token
from atelier.stores.firestore.layout import Found, Layout
from atelier.stores.firestore.parts import check_sizes

KNOWN = 500
"""Most documents whose versions are remembered: most are written soon after they were read."""


@frozen
class Sight:
    """A document as it was seen, with the tokens of its latest writes and Firestore's time of the last one."""

    document: Document
    tokens: tuple[str, ...]
    version: datetime


class DocumentWriter:
    """Reads and writes single documents."""

    def __init__(self, client: AsyncClient, calls: Calls) -> None:
        self._client, self._calls, self._layout = client, calls, Layout(client)
        self._known: OrderedDict[tuple[str, str], Sight] = OrderedDict()

    async def read(self, kind: str, name: str) -> Document | None:
        """Return a document as it is now."""
        sight = await self._look(kind, name)
        return sight.document if sight is not None else None

    async def put(self, document: Document) -> Document | None:
        """Write over the revision before the document's own; None where another is there."""
        token, key = new_token(), (document.kind, document.name)
        async with in_time():
            sight = self._known.get(key)
            if sight is None or sight.document.rev != document.rev - 1:
                sight = await self._look(*key)
            for pause in pauses():
                if (sight.document.rev if sight is not None else 0) != document.rev - 1:
                    return None
                sight = await self._send(document, token, sight)
                if sight is not None and token in sight.tokens:
                    return document
                await asyncio.sleep(pause)
        raise AssertionError  # the pauses have no end, the time has

    async def _send(self, document: Document, token: str, over: Sight | None) -> Sight | None:
        """Write the document over a sight of it; what is there then."""
        tokens = (token, *(over.tokens if over is not None else ()))[:TOKENS]
        batch = self._batch(document, tokens, over)
        try:
            results = await self._calls.once(lambda: batch.commit(**ONCE))
        except (*MOVED, *LOST):
            return await self._look(document.kind, document.name)
        return self._remember(Sight(document=document, tokens=tokens, version=results[0].update_time))

    async def drop(self, kind: str, name: str) -> None:
        """Remove a document as it is now: one that is put behind that is not removed by a call that was lost on the way."""
        async with in_time():
            await self._remove(await self._look(kind, name))

    async def drop_unchanged(self, document: Document) -> None:
        """Remove a document where it is this one: the revision alone begins again where one was removed meanwhile."""
        async with in_time():
            sight = await self._look(document.kind, document.name)
            if sight is not None and sight.document == document:
                await self._remove(sight)

    async def _remove(self, first: Sight | None) -> None:
        """Remove what was seen, and nothing that was put behind it."""
        sight = first
        for pause in pauses():
            if first is None or sight is None or sight.version != first.version:
                return
            kind, name = first.document.kind, first.document.name
            batch = self._client.batch()
            option = self._client.write_option(last_update_time=sight.version)
            batch.delete(self._layout.document(kind, name), option=option)
            try:
                await self._calls.once(partial(batch.commit, **ONCE))
            except (*MOVED, *LOST):
                await asyncio.sleep(pause)
                sight = await self._look(kind, name)
            else:
                self._known.pop((kind, name), None)
                return

    async def _look(self, kind: str, name: str) -> Sight | None:
        place = self._layout.document(kind, name)
        found: Found = await self._calls.read(lambda: place.get(**ONCE))
        self._known.pop((kind, name), None)
        return self._remember(_load(found)) if found.exists else None

    def _remember(self, sight: Sight) -> Sight:
        self._known[sight.document.kind, sight.document.name] = sight
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return sight

    def _batch(self, document: Document, tokens: Sequence[str], over: Sight | None) -> AsyncWriteBatch:
        fields = {
            "kind": document.kind,
            "name": document.name,
            "rev": document.rev,
            "body": codec.dump_part(document.body),
            "tokens": list(tokens),
        }
        check_sizes([fields])
        batch, place = self._client.batch(), self._layout.document(document.kind, document.name)
        if over is None:
            batch.create(place, fields)
        else:
            batch.update(place, fields, option=self._client.write_option(last_update_time=over.version))
        return batch


def load(found: Found) -> Document:
    """Return the document."""
    return _load(found).document


def _load(found: Found) -> Sight:
    fields = found.to_dict() or {}
    document = Document(
        kind=fields["kind"], name=fields["name"], rev=fields["rev"], body=codec.load_part(fields["body"])
    )
    return Sight(document=document, tokens=tuple(fields["tokens"]), version=found.update_time)
