"""`make bench`: atelier beside the bare app, interleaved in the same minutes; ratios, not times, are the result."""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import measure
import uvloop

HERE = Path(__file__).parent
SERVERS = ("bare", "stagewise", "atelier")
GOALS = {
    "accepted per second": "≥ 0.36",
    "completed per second": "≥ 0.4",
    "CPU ms per job": "≤ 2.5",
    "one job, request to end, p50": "≤ 3",
    "reads per second": "≥ 0.22",
    "1000 streams on one job: first event p99": "≤ 3",
    "1000 streams on one job: stage lag p99": "≤ 3",
    "1000 sockets: first message p99": "≤ 3",
    "500 sockets on one task: told the end, %": "100",
    "500 tasks, a socket each: told the end, %": "100",
}


@contextmanager
def server(name: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Run a fresh server; its port and pid."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = {"PORT": str(port), "ATELIER_DATA_DIR": str(folder), "ATELIER_SLOTS__IMAGE": "8"}
    environment = {**os.environ, **settings, "ATELIER_LOG_LEVEL": "warning"}
    bare = [str(HERE / "bare.py"), str(port), str(folder), name]
    command = [str(HERE.parent / "main.py")] if name == "atelier" else bare
    process = subprocess.Popen([sys.executable, *command], env=environment, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/nothing", timeout=1)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("The server did not start.")


async def figures(name: str, port: int, pid: int, scale: float) -> measure.Figures:
    """Measure one server; of the bare app that writes each stage for itself only what that changes."""
    async with asyncio.timeout(180):
        await measure.through(port, pid, 50)
        found = await measure.through(port, pid, int(2000 * scale))
        if name == "stagewise":
            return found
        found |= await measure.latency(port, int(200 * scale))
        found |= await measure.reading(port, int(4000 * scale))
        found |= await measure.watching(port, pid, 1000)
        found |= await measure.tasks(port, 500)
        return found


async def large(port: int, pid: int) -> measure.Figures:
    """Measure atelier alone under what is larger than life."""
    async with asyncio.timeout(900):
        found = await measure.watching(port, pid, 5000)
        found |= await measure.crowd(port, 2000)
        return found | await measure.endurance(port, pid, 20, 1000)


def alone(name: str) -> None:
    """Print the large measurements of one server."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with tempfile.TemporaryDirectory() as folder, server(name, Path(folder)) as (port, pid):
        found = uvloop.run(large(port, pid))
    print("| | " + name + " |\n|---|---|")
    for what, figure in found.items():
        print(f"| {what} | {figure:,.1f} |")


def table(rounds: dict[str, list[measure.Figures]], beside: str) -> str:
    """Return medians, and ratios to one of the bare apps, as Markdown."""
    lines = [f"| | {beside} | atelier | ratio | goal |", "|---|---|---|---|---|"]
    for name in rounds[beside][0]:
        bare, atelier = (
            statistics.median(figures[name] for figures in rounds[server]) for server in (beside, "atelier")
        )
        ratio = f"{atelier / bare:.2f}" if bare else ""
        lines.append(f"| {name} | {bare:,.2f} | {atelier:,.2f} | {ratio} | {GOALS.get(name, '')} |")
    return "\n".join(lines)


def main() -> None:
    """Measure the servers in turns and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the order is reversed in every other one")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual load")
    parser.add_argument("--large", action="store_true", help="instead: 5,000 streams, 2,000 jobs watched, 20,000 jobs")
    arguments = parser.parse_args()
    if arguments.large:
        alone("atelier")
        return
    rounds: dict[str, list[measure.Figures]] = {name: [] for name in SERVERS}
    for number in range(arguments.rounds):
        for name in SERVERS if number % 2 == 0 else reversed(SERVERS):
            print(f"round {number + 1} of {arguments.rounds}: {name} …", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory() as folder, server(name, Path(folder)) as (port, pid):
                rounds[name].append(uvloop.run(figures(name, port, pid, arguments.scale)))
    print(table(rounds, "bare"), table(rounds, "stagewise"), sep="\n\n")


if __name__ == "__main__":
    main()
