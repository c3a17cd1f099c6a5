"""`main.py doctor` as people run it: a line for each part, and an exit code for scripts."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.live import ROOT, needs
from tests.process.servers import MAIN, running
from tests.process.small_disk_server import IMPOSSIBLE
from tests.process.test_main import run, run_fresh


async def test_it_says_what_is_wrong_and_ends_with_one(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as server:
        code, output, said = await run_fresh(tmp_path, "doctor", "--url", str(server.client.base_url))
        assert (code, said) == (0, ""), output
        assert {line[0] for line in output.splitlines()} == {"✓"}
    code, output, _ = await run(tmp_path, "doctor", ATELIER_SLOTS__IMAGE="many")
    assert (code, output.startswith("✗ settings: ATELIER_SLOTS__IMAGE")) == (1, True)
    code, _, said = await run(tmp_path, "doctor", "--url", "atelier.example.org")
    assert (code, "must be an address like" in said) == (2, True)


FULL = """
import runpy, sys
from pathlib import Path
from tests.process.small_disk_server import own_disk
data = Path(sys.argv[2])
data.mkdir()
own_disk(data, 4)
sys.argv = ["main.py", "doctor"]
runpy.run_path(%r, run_name="__main__")
"""


async def test_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    data = tmp_path / "small"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FULL % str(MAIN), "doctor", str(data), cwd=tmp_path,
        env={"ATELIER_DATA_DIR": str(data), "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "PATH": "/usr/bin"},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 100)
    needs(process.returncode != IMPOSSIBLE, "a namespace of its own")
    assert process.returncode == 1
    assert "✗ data directory: only 4 MB are left" in output.decode()
