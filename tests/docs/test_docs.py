"""The documents tell the truth: their commands run, their lists are complete, their links lead somewhere."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.live import ROOT, Serve, needs

from atelier.errors import AtelierError
from docs import write_configuration

PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "CONTRIBUTING.md"])
WITH_COMMANDS = [page for page in PAGES if "```sh" in page.read_text()]


def commands(page: Path) -> str:
    return "\n".join(re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL))


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.name)
async def test_every_command_of_a_page_runs(serve: Serve, page: Path, tmp_path: Path) -> None:
    needs(shutil.which("curl"), "curl")
    async with serve(auth="keys" if page.name == "access.md" else "open") as live:
        script = commands(page).replace("http://localhost:8000", live.base)
        script = script.replace("curl ", "curl -sS --fail-with-body ").replace(
            ".venv/bin/python main.py", f"{sys.executable} {ROOT / 'main.py'}"
        )
        process = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path, env={**os.environ, "ATELIER_DATA_DIR": str(tmp_path / "data")},
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), 110)
    assert process.returncode == 0, output.decode()[-2000:]
    assert script.count("--fail-with-body") >= 1


def test_every_curl_stands_in_a_block_that_is_run() -> None:
    for page in PAGES:
        text = page.read_text()
        outside = re.sub(r"```sh\n.*?```", "", text, flags=re.DOTALL)
        assert not re.search(r"^\s*(\$ )?curl ", outside, re.MULTILINE), page


def test_the_readme_shows_every_stage() -> None:
    shown = re.findall(r'"stage":"(\w+)"', (ROOT / "README.md").read_text())
    assert shown == ["queued", "processing", "generating", "uploading", "completed"]


def test_configuration_and_example_are_those_of_the_settings() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == write_configuration.configuration()
    assert (ROOT / ".env.example").read_text() == write_configuration.example()


def test_every_error_code_that_can_be_raised_is_documented() -> None:
    def below(kind: type[AtelierError]) -> set[str]:
        return {str(kind.code)}.union(*(below(child) for child in kind.__subclasses__()))

    raised = below(AtelierError) | {"origin_refused", "body_too_large", "cancelled"}
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("images.md", "blog.md"))
    documented = set(re.findall(r"`(\w+)`", pages))
    assert raised - documented - {"StartRefused"} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_make_help_lists_what_contributing_lists() -> None:
    printed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    targets = {line.split(":")[0] for line in printed.splitlines() if line}
    documented = set(re.findall(r"^    make ([\w-]+)", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    assert targets == documented
