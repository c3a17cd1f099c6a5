"""The search for leaked secrets finds them: planted in settings, sent, logged, written."""

from __future__ import annotations

import logging
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, Field, SecretStr
from starlette.types import Send
from tests import canaries
from tests.canaries import Watch, WatchedLog, canary, settings_with_secrets, watched, with_planted

from atelier.settings import Settings

CANARY = canary(("secret_key",))


class Vendor(BaseModel):
    api_key: SecretStr | None = None
    model: str = "m"


class Vendors(BaseModel):
    gemini: Vendor = Vendor()


class Tree(BaseModel):
    secret_key: SecretStr | None = None
    old_keys: tuple[SecretStr, ...] = ()
    providers: Vendors = Vendors()
    pools: dict[str, Vendor] = Field(default_factory=dict)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """A watch of this test's own: what it sees does not fail the run."""
    own = Watch()
    monkeypatch.setattr(canaries, "WATCH", own)
    return own


def test_every_setting_that_can_hold_a_secret_is_found() -> None:
    assert list(settings_with_secrets(Tree)) == [("secret_key",), ("old_keys",), ("providers", "gemini", "api_key")]
    assert ("secret_key",) in list(settings_with_secrets(Settings))


def test_a_test_has_the_last_word_about_its_settings() -> None:
    assert with_planted({"slots": {"image": 1}}) == {**canaries.planted(), "slots": {"image": 1}}
    assert with_planted({"secret_key": "mine"})["secret_key"] == "mine"
    merged = canaries._merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}, "d": 4})
    assert merged == {"a": {"b": 1, "c": 3}, "d": 4}


def test_secrets_of_a_tests_own_settings_are_searched_for(watch: Watch) -> None:
    tree = Tree(pools={"p": Vendor(api_key=SecretStr("a-key-long-enough-to-look-for"))}, old_keys=(SecretStr("x"),))
    for secret in canaries.secrets_in(tree):
        watch.know(secret)
    watch.search(b"... a-key-long-enough-to-look-for ...", "a body")
    assert len(watch.seen) == 1


async def test_what_an_app_sends_is_searched(watch: Watch) -> None:
    async def app(_scope: object, _receive: object, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-key", CANARY.encode())]})
        await send({"type": "http.response.body", "body": b"a" + CANARY[:20].encode(), "more_body": True})
        await send({"type": "http.response.body", "body": CANARY[20:].encode()})
        await send({"type": "websocket.send", "text": CANARY})

    async def nothing(_: object = None) -> dict[str, object]:
        return {}

    seen = []
    for path in ("/one", "/two"):
        await watched(app)({"type": "http", "path": path}, nothing, nothing)  # type: ignore[arg-type]
        seen.append(len(watch.seen))
    assert seen == [1, 2], "each address once"


async def test_a_secret_cut_in_two_is_found(watch: Watch) -> None:
    async def app(_scope: object, _receive: object, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"a" + CANARY[:20].encode(), "more_body": True})
        await send({"type": "http.response.body", "body": CANARY[20:].encode()})

    async def nothing(_: object = None) -> dict[str, object]:
        return {}

    await watched(app)({"type": "http", "path": "/"}, nothing, nothing)  # type: ignore[arg-type]
    assert len(watch.seen) == 1


def test_what_is_logged_is_searched(watch: Watch) -> None:
    record = logging.LogRecord("atelier", logging.INFO, "f", 1, "tried", None, None)
    record.fields = {"why": ["because", {"key": CANARY}]}
    WatchedLog().emit(record)
    assert len(watch.seen) == 1


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that the end of the run does not search: secrets do lie in it."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_files_their_names_and_databases_are_searched(watch: Watch, elsewhere: Path) -> None:
    (elsewhere / "data").mkdir()
    (elsewhere / "data" / "secret.key").write_text("made-in-this-data-directory")
    (elsewhere / ".env").write_text(f"ATELIER_SECRET_KEY={CANARY}")
    watch.search_files(elsewhere)
    assert not watch.seen, "a secret's own files may hold it"
    (elsewhere / f"{CANARY}.png").write_text("made-in-this-data-directory")
    store = sqlite3.connect(elsewhere / "a.db", isolation_level=None)
    store.execute("PRAGMA journal_mode=WAL")
    store.execute("CREATE TABLE t (v)")
    store.execute("INSERT INTO t VALUES (?)", (CANARY,))
    watch.search_files(elsewhere)
    store.close()
    assert len(watch.seen) == 3, watch.seen
    assert any("a.db-wal" in each for each in watch.seen)
