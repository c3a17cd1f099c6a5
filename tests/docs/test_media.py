"""docs/media.md: its client in Python runs as it stands, and its list of codes is complete."""

from __future__ import annotations

import asyncio
import re
import sys

from tests.live import ROOT, Live
from tests.sockets import generate

from atelier.api.sockets import Close

PAGE = (ROOT / "docs" / "media.md").read_text()


async def test_the_client_in_python_shows_a_picture_s_steps(live: Live) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    script = script.replace("ws://localhost:8000", live.base.replace("http", "ws"))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    answer = await generate(live.client, "task-1", quality="draft")
    assert answer.json()["success"]
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    assert output.decode().splitlines()[-1] == "100.0 %  Image generated successfully"


def test_every_code_a_socket_is_closed_with_is_documented() -> None:
    documented = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE) for code in row.split(",")}
    assert documented == {*Close, 1002, 1007, 1009, 1011}
