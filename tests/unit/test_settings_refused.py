"""Settings that cannot be meant: each is refused in a sentence that names it, and holds no secret of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from atelier import settings
from atelier.app import create_app
from atelier.errors import StartRefused
from atelier.settings import Settings, check_backends, check_files, check_origins
from atelier.wiring.secret import secret_of

PASSWORD = "the-password-of-this-test"


def check(config: Settings) -> None:
    check_origins(config)
    check_backends(config)
    check_files(config)


def refusal(**given: Any) -> str:
    with pytest.raises(StartRefused) as refused:
        check(Settings(**given))
    assert refused.value.exit_code == 78
    assert PASSWORD not in refused.value.message
    return refused.value.message


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StartRefused) as refused:
        settings.read()
    return refused.value.message


@pytest.mark.parametrize("url", [f"https://ann:{PASSWORD}@a.example", "https://ann@a.example/x", "https://a.example/?q=1",
                                 "https://a.example/#x", "https://a.example?", "https://a.example#"])  # fmt: skip
def test_a_public_address_is_one_for_every_caller_to_see(url: str) -> None:
    assert refusal(public_url=url).startswith("ATELIER_PUBLIC_URL: ")


@pytest.mark.parametrize(
    ("origin", "sentence"),
    [
        (f"https://ann:{PASSWORD}@a.example", "number 2 of the list must not have a user or a password"),
        (f"https://ann:{PASSWORD}@[::1", "must not have a user or a password"),
        ("https://*.a.example", "'https://*.a.example' must be scheme, host and port only, and no pattern"),
        ("https://a.example?x=1", "must be scheme, host and port only"),
        ("https://a.example#x", "must be scheme, host and port only"),
        ("https://A.example", "no browser sends 'https://A.example'; write https://a.example."),
        ("HTTPS://a.example", "write https://a.example."),
        ("https://a.example:443", "write https://a.example."),
        ("http://a.example:080", "write http://a.example."),
        ("https://münchen.example", "write https://xn--mnchen-3ya.example."),
    ],
)
def test_origins_that_can_never_match_are_refused(origin: str, sentence: str) -> None:
    told = refusal(cors_origins=("https://b.example", origin))
    assert told.startswith("ATELIER_CORS_ORIGINS: ")
    assert sentence in told


def test_origins_as_browsers_send_them_and_addresses_with_a_path_are_taken() -> None:
    check_origins(
        Settings(
            public_url="https://a.example:8443/below",
            cors_origins=("https://a.example", "http://localhost:3000", "http://127.0.0.1", "http://[::1]:8000"),
        )
    )


def test_paths_at_which_something_else_lies_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert "ATELIER_DATA_DIR: /dev/null is no folder" in refusal(data_dir=Path("/dev/null"))
    root, none = {"root": tmp_path / "file"}, {"style_reference": tmp_path / "none.png"}
    assert f"ATELIER_STORYBOARDS__ROOT: {tmp_path}/file is no folder" in refusal(storyboards=root)
    assert f"ATELIER_STORYBOARDS__STYLE_REFERENCE: there is no file {tmp_path}/none.png" in refusal(storyboards=none)
    with pytest.raises(StartRefused, match="STYLE_REFERENCE"):
        create_app(Settings(data_dir=tmp_path, storyboards=none))
    with pytest.raises(StartRefused, match="Set ATELIER_DATA_DIR to"):
        secret_of(Settings(data_dir=tmp_path / "file" / "below"))
    check_files(Settings(data_dir=tmp_path / "new", storyboards={"style_reference": tmp_path / "file"}))
    assert "that can be read" in refusal(storyboards={"style_reference": tmp_path / ("x" * 300)})


@pytest.mark.parametrize("project", ["..", "a/b", " ", "-x", "é"])
def test_projects_that_are_none(project: str) -> None:
    assert "ATELIER_STORE__PROJECT (or GOOGLE_CLOUD_PROJECT" in refusal(store={"kind": "firestore", "project": project})


@pytest.mark.parametrize("name", ["ATELIER_SECRET_KEY", "ATELIER_STORE__PROJECT", "FIRESTORE_EMULATOR_HOST", "PORT"])
def test_bytes_that_are_no_text(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    value = os.fsdecode(PASSWORD.encode() + b"\xff")
    assert read(monkeypatch, **{name: value}) == f"{name}: is not UTF-8 text; write it anew."


@pytest.mark.parametrize("pools", ['{"default": 1}', '{"default": "x"}', "[]", '{"default": [{}]}'])
def test_pools_that_are_no_objects(monkeypatch: pytest.MonkeyPatch, pools: str) -> None:
    told = read(monkeypatch, ATELIER_POOLS=pools)
    assert told.startswith("ATELIER_POOLS")
    assert "must be a JSON object with a provider and keys" in told
    assert "__." not in told


def test_pools_without_a_bottom(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(monkeypatch, ATELIER_POOLS='{"a":' * 3000).startswith("ATELIER_POOLS: must be JSON like")
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    monkeypatch.delenv("ATELIER_POOLS")
    with pytest.raises(ValueError, match="must be JSON like"):
        Settings(pools=deep)


def test_a_key_that_is_wrong_makes_no_list_too_short(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = {"provider": "gemini", "keys": [{"alias": "a b", "key": "k"}]}
    told = read(monkeypatch, ATELIER_POOLS=json.dumps({"default": pool}))
    assert "ATELIER_POOLS__DEFAULT__KEYS__0__ALIAS" in told
    assert "at least one" not in told
