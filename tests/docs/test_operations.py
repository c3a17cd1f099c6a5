"""docs/operations.md tells the truth: every metric, every log action, and a backup that can be restored."""

from __future__ import annotations

import ast
import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.images import NOOP, ended, reached, submit
from tests.live import ROOT, Live, Serve

from atelier import metrics
from atelier.errors import StartRefused
from atelier.jobs.models import Status
from atelier.stores.sqlite.schema import EX_TEMPFAIL

PAGE = (ROOT / "docs" / "operations.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table that has this heading."""
    table = PAGE.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()[2:]]


def instruments() -> dict[str, tuple[str, list[str]]]:
    """Return the type and the labels of every metric of ours, by the name under which it is told."""
    found = {}
    for collector in metrics.REGISTRY._collector_to_names:
        family = next(iter(collector.collect()))
        labels = getattr(family, "_labelnames", getattr(collector, "_labelnames", ()))
        if family.name.startswith("atelier_"):
            told = f"{family.name}_total" if family.type == "counter" else family.name
            found[told] = (family.type, list(labels))
    return found


def test_the_table_lists_every_metric_with_its_type_and_labels() -> None:
    table = {
        name.strip("`"): (kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels, *_ in rows("metric | type")
    }
    assert table == instruments()


def test_every_metric_says_its_unit() -> None:
    for name, _, _, unit, meaning in rows("metric | type"):
        assert unit, name
        assert meaning, name
        told = {
            "seconds": "_seconds",
            "Unix seconds": "_timestamp_seconds",
            "bytes": "_bytes",
            "US dollars": "_dollars",
        }
        assert told.get(unit, "") in name, name


def test_every_label_is_explained() -> None:
    explained = {name for first, *_ in rows("label") for name in re.findall(r"`(\w+)`", first)}
    assert explained == {label for _, labels in instruments().values() for label in labels}


def test_the_page_speaks_of_no_metric_that_is_not_there() -> None:
    known = instruments()
    buckets = {f"{name}_bucket" for name, (kind, _) in known.items() if kind == "histogram"}
    assert set(re.findall(r"\batelier_[a-z_]+[a-z]", PAGE)) <= known.keys() | buckets


def test_alarms_ask_for_labels_that_are_there_and_lead_to_a_section() -> None:
    known = instruments()
    alarms = rows("alarm | for")
    assert len(alarms) >= 10
    sections = {
        re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    }
    for alarm, lasting, meaning, read in alarms:
        for name, asked in re.findall(r"(atelier_\w+)\{(\w+)", alarm):
            assert asked in known[name][1], alarm
        assert re.fullmatch(r"\d+m", lasting)
        assert meaning
        assert set(re.findall(r"#([\w-]+)\)", read)) <= sections, read
        assert "](#" in read


def actions() -> Iterator[str]:
    """Yield the action of every log call in the source, those handed on by background chores too."""
    for path in [ROOT / "main.py", *(ROOT / "src").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield from actions_of(node, path)


def actions_of(call: ast.Call, path: Path) -> Iterator[str]:
    name = ast.unparse(call.func)
    if name in {"logs.info", "logs.warning", "logs.error", "going_on"}:
        action = call.args[0]
    elif name == "every":
        action = call.args[2]
    else:
        return
    if isinstance(action, ast.Constant):
        yield str(action.value)
    elif ast.unparse(action) == "f'job_{job.status}'":
        yield from (f"job_{status}" for status in Status if status is not Status.PROCESSING)
    else:
        assert path.name == "background.py", f"{path.name}:{call.lineno}: an action must be a word in the source"


def test_the_log_table_lists_every_action_of_the_source() -> None:
    documented = [action.strip("`") for action, *_ in rows("action | level")]
    assert sorted(documented) == sorted(set(actions()))


def test_actions_are_single_words_with_underscores() -> None:
    for action in actions():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", action), action


def test_the_exit_codes_are_those_of_a_refused_start() -> None:
    assert {int(code) for code, *_ in rows("exit code")} == {StartRefused("").exit_code, EX_TEMPFAIL}


async def test_a_backup_of_the_running_service_can_be_restored(serve: Serve, tmp_path: Path) -> None:
    commands = "".join(re.findall(r"```sh\n(mkdir -p backup.*?)```", PAGE, re.DOTALL))
    fast = {"lease_seconds": 0.5, "sweep_seconds": 0.2}
    async with serve(**fast) as live:
        done = await ended(live, (await dunes(live))["job_id"])
        running = await submit(live, {"prompt": "x", "sandbox": {"scenario": "stall"}})
        await reached(live, running, "generating")
        assert (await said(commands)).endswith("ok\n")
        late = await submit(live, NOOP)
        await ended(live, late)
    await asyncio.to_thread(shutil.rmtree, tmp_path / "data")
    await asyncio.to_thread((tmp_path / "backup").rename, tmp_path / "data")
    async with serve(**fast) as live:
        assert await same(live, done)
        assert (await dunes(live))["job_id"] == done["job_id"]
        assert (await live.client.get(f"/api/v1/images/jobs/{late}")).status_code == 404
        await taken_up(live, running)


async def dunes(live: Live) -> dict[str, str]:
    """Ask with a key: that the answer is the same job needs the secret."""
    body = {"prompt": "Dunes", "quality": "draft"}
    answer = await live.client.post("/api/v1/images/generate", json=body, headers={"Idempotency-Key": "dunes"})
    found: dict[str, str] = answer.json()
    return found


async def said(commands: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", commands, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def same(live: Live, job: dict[str, object]) -> bool:
    """Whether the restored service has the job as it was, and its picture."""
    found = (await live.client.get(f"/api/v1/images/jobs/{job['job_id']}")).json()
    picture = await live.client.get(path_of(found["result"]["images"][0]["image_url"]))
    return bool(found["seq"] == job["seq"] and found["status"] == "completed" and picture.status_code == 200)


def path_of(address: str) -> str:
    return "/" + address.split("/", 3)[3]


async def taken_up(live: Live, job_id: str) -> None:
    async with asyncio.timeout(60):
        while (await live.client.get(f"/api/v1/images/jobs/{job_id}")).json()["attempt"] < 2:
            await asyncio.sleep(0.05)
    await live.client.post(f"/api/v1/images/jobs/{job_id}/cancel")
