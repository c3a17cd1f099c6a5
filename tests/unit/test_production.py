"""What production refuses, setting by setting; what each mode's limits are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from atelier import production, wiring
from atelier.app import create_app
from atelier.errors import StartRefused
from atelier.settings import Settings, check_backends, check_origins

SAFE: dict[str, Any] = {
    "environment": "production",
    "secret_key": "k1" * 16,
    "public_url": "https://atelier.example.org",
    "cors_origins": ("https://www.example.org",),
    "sandbox": "on",
}
UNSAFE: list[tuple[str, Any, str]] = [
    ("auth", "open", "ATELIER_AUTH must not be open"),
    ("secret_key", None, "ATELIER_SECRET_KEY must be 32 characters or longer"),
    ("secret_key", "k" * 31, "ATELIER_SECRET_KEY must be 32 characters or longer"),
    ("secret_key", "k" * 64, "ATELIER_SECRET_KEY must be 32 characters or longer, not one repeated"),
    ("secret_key", " k" + " " * 62, "ATELIER_SECRET_KEY must be 32 characters or longer"),
    ("public_url", None, "ATELIER_PUBLIC_URL must be the service's https address"),
    ("public_url", "http://atelier.example.org", "ATELIER_PUBLIC_URL must be the service's https address"),
    ("cors_origins", None, "ATELIER_CORS_ORIGINS must name the pages"),
    ("cors_origins", ("https://a.example", "http://b.example"), "must be https origins; 'http://b.example' is none"),
    ("cors_origins", ("http://localhost:3000",), "must be https origins"),
    ("cors_origins", ("*",), "ATELIER_CORS_ORIGINS: '*' is not an origin"),
    ("sandbox", None, "ATELIER_SANDBOX is off, as it is in production"),
    ("sandbox", "off", "ATELIER_SANDBOX is off"),
    ("fetch", {"allow_private": True}, "ATELIER_FETCH__ALLOW_PRIVATE must be off"),
]
CLOUD: dict[str, Any] = {
    "store": {"kind": "firestore", "project": "p"},
    "queue": {"kind": "cloud_tasks", "project": "p", "location": "l", "name": "n", "worker_url": "https://w.example"},
    "oidc": {"email": "carrier@p.iam.gserviceaccount.com"},
    "storage": {"kind": "cloudinary", "url": "cloudinary://key:secret@cloud"},
}
UNSAFE_CLOUD: list[tuple[dict[str, Any], str]] = [
    ({"firestore_emulator_host": "127.0.0.1:8080"}, "take FIRESTORE_EMULATOR_HOST away"),
    ({"queue": {"endpoint": "127.0.0.1:8123"}}, "ATELIER_QUEUE__ENDPOINT must be empty"),
    ({"queue": {"worker_url": "http://w.example"}}, "ATELIER_QUEUE__WORKER_URL must be an https address"),
    ({"oidc": {"certs_url": "http://c.example/certs"}}, "ATELIER_OIDC__CERTS_URL must be an https address"),
    ({"storage": {"upload_prefix": "http://u.example"}}, "ATELIER_STORAGE__UPLOAD_PREFIX must be an https address"),
]


def settings(data: Path, **changed: Any) -> Settings:
    return Settings(**{**SAFE, "data_dir": data, **changed})


@pytest.mark.parametrize(("name", "value", "sentence"), UNSAFE)
def test_production_refuses_what_is_unsafe_in_words(tmp_path: Path, name: str, value: Any, sentence: str) -> None:
    with pytest.raises(StartRefused) as refused:
        create_app(settings(tmp_path, **{name: value}))
    assert sentence in refused.value.message
    assert refused.value.exit_code == 78
    assert "\n" not in refused.value.message
    assert "k1k" not in refused.value.message


def in_the_cloud(**changed: Any) -> Settings:
    """Return production's settings on Google Cloud, some of them changed."""
    groups = {name: {**CLOUD[name], **changed.pop(name, {})} for name in CLOUD}
    return Settings(**{**SAFE, **groups, **changed})


@pytest.mark.parametrize(("changed", "sentence"), UNSAFE_CLOUD)
def test_production_refuses_tests_servers_and_readable_addresses(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StartRefused) as refused:
        production.check(in_the_cloud(**changed))
    assert sentence in refused.value.message
    assert "\n" not in refused.value.message
    production.check(in_the_cloud(**{"environment": "development", **changed}))


def test_production_in_the_cloud_starts_when_all_is_set() -> None:
    production.check(in_the_cloud())
    check_backends(in_the_cloud())


def test_instances_that_share_a_store_share_a_secret() -> None:
    """Each would make one of its own, and give the same request another id."""
    with pytest.raises(StartRefused, match="ATELIER_SECRET_KEY must be set for ATELIER_STORE__KIND=firestore"):
        check_backends(in_the_cloud(environment="development", secret_key=None))


def test_everything_unsafe_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(StartRefused) as refused:
        create_app(Settings(environment="production", auth="open", data_dir=tmp_path))
    for name in ("AUTH", "SECRET_KEY", "PUBLIC_URL", "CORS_ORIGINS"):
        assert f"ATELIER_{name} must" in refused.value.message


@pytest.mark.parametrize("auth", [None, "keys", "anonymous"])
def test_production_starts_when_all_is_set(tmp_path: Path, auth: Any) -> None:
    config = settings(tmp_path, auth=auth)
    assert create_app(config).state.surroundings.access.mode == (auth or "keys")


def test_development_refuses_none_of_it(tmp_path: Path) -> None:
    config = Settings(data_dir=tmp_path)
    create_app(config)
    assert (config.access, config.sandbox_on) == ("open", True)
    with pytest.raises(StartRefused):
        check_origins(Settings(cors_origins=("*",)))


def test_the_sandbox_can_be_switched_off_everywhere(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="SANDBOX is off"):
        wiring.build_adapters(Settings(data_dir=tmp_path, sandbox="off"))


def test_open_mode_admits_a_load_test_and_the_others_have_limits() -> None:
    limits = [(mode.rate_per_minute, mode.streams_per_owner) for mode in map(of_mode, ("open", "keys", "anonymous"))]
    assert limits == [(None, None), (600, 100), (600, 100)]
    given = Settings(auth="open", limits={"rate_per_minute": 5, "streams_per_owner": 7})
    assert (given.rate_per_minute, given.streams_per_owner) == (5, 7)
    none = Settings(auth="keys", limits={"rate_per_minute": 0, "streams_per_owner": 0})
    assert (none.rate_per_minute, none.streams_per_owner) == (None, None)


def of_mode(mode: Any) -> Settings:
    return Settings(auth=mode)
