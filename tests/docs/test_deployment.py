"""What is deployed to Google Cloud: the image, the build and the page, held to gcloud's own list of flags and to the settings."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml  # type: ignore[import-untyped]
from cryptography.fernet import Fernet
from docs.firestore_commands import INDEXES, commands
from tests.live import ROOT, needs
from tests.process.servers import free_port

from atelier.api.streams import LONGEST_SECONDS
from atelier.settings import PREFIX, Settings, catalogue

PAGE = (ROOT / "docs" / "deploy-google-cloud.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
BUILD: dict[str, Any] = yaml.safe_load((ROOT / "cloudbuild.yaml").read_text())
STEPS: dict[str, dict[str, Any]] = {step["id"]: step for step in BUILD["steps"]}
FOREIGN = {"PORT", "GOOGLE_CLOUD_PROJECT", "CLOUDINARY_URL"}
SAMPLE = {
    "indexes": [
        {
            "collectionGroup": "jobs",
            "queryScope": "COLLECTION",
            "fields": [
                {"fieldPath": "owner", "order": "ASCENDING"},
                {"fieldPath": "found_by", "arrayConfig": "CONTAINS"},
                {"fieldPath": "created_at", "order": "DESCENDING"},
            ],
        }
    ],
    "fieldOverrides": [{"collectionGroup": "records", "fieldPath": "expires_at", "ttl": True, "indexes": []}],
}


def blocks(text: str) -> str:
    return "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))


def gcloud_lines(script: str) -> Iterator[list[str]]:
    """Yield the words of every call of gcloud in a shell script."""
    for line in script.replace("\\\n", " ").splitlines():
        line = re.sub(r"\$\((gcloud [^()]*(?:\([^()]*\)[^()]*)*)\)", r"; \1 ;", line)  # noqa: PLW2901 - opened up
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&<>()")
        lexer.whitespace_split = True
        call: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set(";|&<>()"):
                if call[:1] == ["gcloud"]:
                    yield call
                call = []
            elif word == "gcloud" or call:
                call.append(word)


def step_words(step: dict[str, Any]) -> list[str]:
    return ["gcloud", *step["args"]]


PAGE_CALLS = [*gcloud_lines(blocks(PAGE)), *gcloud_lines(blocks(OPERATIONS))]
CALLS = [
    *PAGE_CALLS,
    *(step_words(step) for step in STEPS.values() if step.get("entrypoint") == "gcloud"),
    *(shlex.split(line) for line in commands(SAMPLE)),
]


@pytest.fixture(scope="session")
def gcloud() -> dict[str, Any]:
    """Return gcloud's own tree of commands and flags, which it ships for completion."""
    found = shutil.which("gcloud")
    tree = Path(os.path.realpath(found or "/")).parent.parent / "data" / "cli" / "gcloud_completions.py"
    needs(found and tree.is_file(), "gcloud")
    spec = importlib.util.spec_from_file_location("gcloud_completions", tree)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found_tree: dict[str, Any] = module.STATIC_COMPLETION_CLI_TREE
    return found_tree


def complaint(tree: dict[str, Any], words: list[str]) -> str | None:
    """Say what is wrong with a call: a command or flag that is not there, a value where none goes, or none where one goes."""
    node, flags, rest = tree, dict(tree["flags"]), list(words[1:])
    while rest and rest[0] in node.get("commands", {}):
        node = node["commands"][rest.pop(0)]
        flags |= node["flags"]
    if node.get("commands"):
        return f"there is no command {rest[:1]}"
    for word in rest:
        name, given, value = word.partition("=")
        if not name.startswith("--"):
            continue
        plain = name if name in flags else name.replace("--no-", "--", 1)
        if plain not in flags:
            return f"there is no flag {name}"
        if (flags[plain] == "bool") == bool(given):
            return f"{name} takes {'no' if given else 'a'} value"
        if isinstance(flags[plain], list) and flags[plain] and value not in flags[plain] and "$" not in value:
            return f"{name} is one of {flags[plain]}"
    return None


def test_every_gcloud_command_and_flag_exists(gcloud: dict[str, Any]) -> None:
    assert len(PAGE_CALLS) >= 20
    wrong = {" ".join(words[:6]): said for words in CALLS if (said := complaint(gcloud, words))}
    assert wrong == {}


@pytest.mark.parametrize(
    "call",
    [
        "gcloud run deploy x --concurency=5",
        "gcloud run deploy x --timeout",
        "gcloud run deploy x --cpu-throttling=yes",
        "gcloud run deploy x --ingress=inside",
        "gcloud run deploi x",
    ],
)
def test_a_wrong_call_is_noticed(gcloud: dict[str, Any], call: str) -> None:
    assert complaint(gcloud, call.split())


@pytest.mark.soak
def test_gcloud_itself_understands_every_command(gcloud: dict[str, Any], tmp_path: Path) -> None:
    """Each is parsed by gcloud, which then finds nobody logged in."""
    assert gcloud
    names = {"$(date +%Y%m%d-%H%M%S)": "now", "REVISION": "r", "$NAME": "web", "$ROLE": "roles/r", "$SECRET": "s"}
    names |= {"$WORKER_URL": "https://worker.example.org", "$PUBLIC_URL": "https://web.example.org"}
    names |= {"$ACCOUNTS": "project.iam.gserviceaccount.com", "$REGION": "europe-west1"}
    quiet = {"CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true", "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    environment = {**os.environ, **quiet, "CLOUDSDK_CONFIG": str(tmp_path), "CLOUDSDK_CORE_PROJECT": "project"}
    for words in CALLS:
        if words[1:3] in (["config", "set"], ["auth", "application-default"]):
            continue
        said = [_filled(word, names) for word in words]
        run = subprocess.run(
            said, env=environment, cwd=ROOT, input="", capture_output=True, text=True, timeout=60, check=False
        )
        assert "active account" in run.stderr, f"{' '.join(said)}\n{run.stderr[:500]}"


def _filled(word: str, names: dict[str, str]) -> str:
    word = substituted(word)
    for name, value in names.items():
        word = word.replace(name, value)
    return re.sub(r"\$\{?\w+\}?", "x1", word)


def names_in(text: str) -> set[str]:
    return set(re.findall(rf"\b{PREFIX}[A-Z0-9_]+\b", text))


def test_every_setting_that_is_named_exists() -> None:
    known = {name for name, _, _ in catalogue()} | FOREIGN
    text = PAGE + OPERATIONS + DOCKERFILE + (ROOT / "cloudbuild.yaml").read_text()
    groups = {name for name in names_in(text) if name.endswith("__")}
    assert names_in(text) - known - groups == set()


def substituted(word: str) -> str:
    """Return an argument of the build as Cloud Build hands it on."""
    told = {
        "PROJECT_ID": "project", "_PUBLIC_URL": "https://web.example.org", "_WORKER_URL": "https://worker.example.org",
        "_CORS_ORIGINS": "https://web.example.org,https://www.example.org",
    }  # fmt: skip
    values = {**BUILD["substitutions"], **told}
    for _ in range(2):  # a substitution may name others, but those no more
        word = re.sub(r"\$\{(\w+)\}", lambda found: str(values[found[1]]), word)
    assert "${" not in word
    return word


def flags_of(step: str) -> dict[str, str]:
    return dict(substituted(one).removeprefix("--").split("=", 1) for one in STEPS[step]["args"] if "=" in one)


def environment_of(step: str) -> dict[str, str]:
    """Return what a service of the build is given; its secrets are empty."""
    flags = flags_of(step)
    plain, secret = flags["set-env-vars"], flags["set-secrets"]
    assert plain.startswith("^|^")
    settings = dict(one.split("=", 1) for one in plain.removeprefix("^|^").split("|"))
    kept = dict(one.split("=", 1) for one in secret.split(","))
    assert not settings.keys() & kept.keys()
    return {**settings, **dict.fromkeys(kept, "")}


@pytest.mark.parametrize(("step", "role"), [("web", "web"), ("worker", "worker"), ("doctor", "worker")])
def test_what_the_build_sets_is_what_production_starts_with(
    step: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from atelier import production, settings  # noqa: PLC0415 - beside Settings, which is imported above

    given = environment_of(step)
    secrets = {
        "ATELIER_SECRET_KEY": "s3" * 32,
        "ATELIER_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "ATELIER_STORAGE__URL": "cloudinary://key:secret@cloud",
    }
    assert {name for name, value in given.items() if not value} == secrets.keys()
    for name, value in {**given, **secrets}.items():
        monkeypatch.setenv(name, value)
    config = Settings()
    settings.check_origins(config)
    settings.check_backends(config)
    production.check(config)
    assert settings.unknown_names() == []
    assert (config.role, config.store.kind, config.queue.kind, config.storage.kind) == (
        role, "firestore", "cloud_tasks", "cloudinary",
    )  # fmt: skip
    assert config.grace_seconds + 3 < 10, "Cloud Run kills ten seconds after SIGTERM; the server adds three"


def test_the_services_suit_streams_and_runs() -> None:
    web, worker = flags_of("web"), flags_of("worker")
    assert LONGEST_SECONDS < int(web["timeout"]) == 3600
    assert int(worker["timeout"]) > 30 * 60
    slots = sum(int(environment_of("worker")[f"ATELIER_SLOTS__{kind}"]) for kind in ("IMAGE", "BLOG"))
    assert slots < int(worker["concurrency"]) <= 2 * slots
    dispatches = re.search(r"--max-concurrent-dispatches=(\d+)", PAGE)
    assert dispatches is not None
    assert int(dispatches[1]) == slots * int(worker["max-instances"])
    assert worker["add-volume"].endswith("uid=10001;gid=10001")
    assert "10001:10001" in DOCKERFILE


def test_every_variable_of_the_page_is_set_before_it_is_used() -> None:
    script, known = blocks(PAGE), set[str]()
    for line in script.splitlines():
        for used in re.findall(r"\$\{?([A-Z]\w*)", re.sub(r"'[^']*'", "", line)):
            assert used in known or re.search(rf"\bfor {used} in|\bread -rsp .* {used}\b", line), f"{used}: {line}"
        known |= set(re.findall(r"(?:^|for |\s)([A-Z_]+)(?==| in )", line)) | set(
            re.findall(r"read -rsp '[^']*' (\w+)", line)
        )


def test_every_account_and_secret_of_the_build_is_made_on_the_page() -> None:
    text = (ROOT / "cloudbuild.yaml").read_text()
    made = set(re.search(r"for NAME in ([\w ]+); do gcloud iam", PAGE)[1].split())  # type: ignore[index]
    assert set(re.findall(r"atelier-(\w+)@", text)) <= made
    for secret in re.findall(r"=([\w-]+):latest", text):
        assert f"gcloud secrets create {secret}" in PAGE


def test_indexes_and_expiries_become_commands() -> None:
    composite, exempt, expire = commands(SAMPLE)
    assert composite.endswith(
        "--collection-group=jobs --field-config=field-path=owner,order=ascending"
        " --field-config=field-path=found_by,array-config=contains --field-config=field-path=created_at,order=descending"
    )
    assert "update expires_at" in exempt
    assert exempt.endswith("--disable-indexes")
    assert expire.endswith("--collection-group=records --enable-ttl")
    if INDEXES.exists():
        wanted = json.loads(INDEXES.read_text())
        assert len(list(commands(wanted))) >= len(wanted["indexes"])


def stages() -> list[list[str]]:
    """Return the instructions of each stage of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    found: list[list[str]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("FROM "):
            found.append([])
        found[-1].append(line)
    return found


def last(instruction: str) -> str:
    return (
        next(line for line in reversed(stages()[-1]) if line.startswith(instruction)).removeprefix(instruction).strip()
    )


def test_the_image_is_small_and_runs_as_nobody() -> None:
    build, final = stages()
    assert "--require-hashes" in " ".join(build)
    assert not re.search(r"apt|gcc|pip install", " ".join(final)), "nothing to build with"
    assert last("USER") == "10001:10001"
    assert json.loads(last("CMD")) == ["python", "main.py"], "exec form: SIGTERM reaches Python"
    ignored = (ROOT / ".dockerignore").read_text().split("*\n", 1)
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
    wanted = {line.removeprefix("!") for line in ignored[1].splitlines() if line.startswith("!")}
    copied = {source for line in build if line.startswith("COPY ") for source in line.split()[1:-1]}
    assert copied == wanted


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    needs(hadolint, "hadolint")
    run = subprocess.run([str(hadolint), ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stdout) == (0, "")


async def test_what_the_image_has_serves_is_found_healthy_and_stops(tmp_path: Path) -> None:
    """The image's own files, environment, command and health check, without the image."""
    app = tmp_path / "app"
    for line in stages()[-1]:
        if line.startswith("COPY") and "/app/" in line:
            source = line.split()[2].removeprefix("/app/")
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            app.mkdir(exist_ok=True)
            await asyncio.to_thread(copy, ROOT / source, app / source)
    told = dict(one.split("=", 1) for line in stages()[-1] if line.startswith("ENV") for one in line.split()[1:])
    port = str(free_port())
    environment = {
        **told, "PATH": f"{Path(sys.executable).parent}:/usr/bin", "PYTHONPATH": str(app / "src"),
        "ATELIER_DATA_DIR": str(tmp_path / "data"), "PORT": port,
    }  # fmt: skip
    where = [
        sys.executable,
        "-c",
        "import atelier.app as a, sys; sys.exit(not a.__file__.startswith(sys.argv[1]))",
        app,
    ]
    imported = await asyncio.create_subprocess_exec(*map(str, where), cwd=app, env=environment)
    assert await asyncio.wait_for(imported.wait(), 60) == 0, "the package is the image's own"
    process = await asyncio.create_subprocess_exec(*json.loads(last("CMD")), cwd=app, env=environment)
    try:
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while not await _answers(client, f"http://127.0.0.1:{port}/health"):
                assert process.returncode is None
                await asyncio.sleep(0.1)
        check = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
        healthy = await asyncio.create_subprocess_exec(*check, cwd=app, env=environment)
        assert await asyncio.wait_for(healthy.wait(), 60) == 0
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) in {0, -15}
        ill = await asyncio.create_subprocess_exec(*check, cwd=app, env=environment, stderr=asyncio.subprocess.DEVNULL)
        assert await asyncio.wait_for(ill.wait(), 60) != 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 200
    except httpx.TransportError:
        return False
