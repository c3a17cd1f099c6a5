"""What a provider shows while it draws, stored and reported as the run's steps."""

from __future__ import annotations

import asyncio
from typing import Any

from atelier.errors import AtelierError
from atelier.jobs.pipeline import Run
from atelier.pipelines.ports import StepReport, Storage


class Previews:
    """Makes a provider's steps the run's: previews are stored one at a time, the latest wins."""

    def __init__(self, storage: Storage, run: Run[Any, Any], span: tuple[float, float]) -> None:
        self._storage, self._run, self._span = storage, run, span
        self._location: str | None = None
        self._saving: asyncio.Task[None] | None = None

    def step(self, step: StepReport) -> None:
        """Store the preview unless one is being stored, and tell the run."""
        if step.preview is not None and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(self._save(step, step.preview))
        self._tell(step)

    async def close(self) -> None:
        """Wait for a preview that is being stored, so that none appears after the stage."""
        if self._saving is not None:
            await asyncio.wait({self._saving}, timeout=5)

    async def _save(self, step: StepReport, preview: bytes) -> None:
        try:
            location = await self._storage.save_preview(self._run.job.id, step.step, preview)
        except AtelierError:
            return  # a preview is a courtesy: the picture itself reports what is wrong with the storage
        if location is not None:
            self._location = location
            self._tell(step)

    def _tell(self, step: StepReport) -> None:
        message = f"Generating the picture: step {step.step}/{step.total}"
        part = (step.part, step.part_step, step.part_total)
        self._run.step(step.step, step.total, span=self._span, message=message, preview=self._location, part=part)
