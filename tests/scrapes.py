"""Reading /metrics as Prometheus does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families
from tests.live import Live
from tests.process.servers import Server


class Scrape:
    """The samples of one look: value by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """Return the sum of the samples that have these labels, whatever their others."""
        wanted = labels.items()
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= has)

    def labels(self, name: str) -> set[str]:
        """Return every value that a label has."""
        return {value for _, has in self.samples for label, value in has if label == name}


async def scrape(live: Live | Server) -> Scrape:
    response = await live.client.get("/metrics")
    assert response.status_code == 200
    return Scrape(response.text)


async def until(live: Live | Server, condition: Callable[[Scrape], bool]) -> Scrape:
    async with asyncio.timeout(60):
        while not condition(found := await scrape(live)):
            await asyncio.sleep(0.05)
    return found
