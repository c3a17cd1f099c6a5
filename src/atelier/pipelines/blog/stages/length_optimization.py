"""length_optimization: how long the post shall be."""

from __future__ import annotations

from atelier.pipelines.blog import lengths
from atelier.pipelines.blog.work import Work


async def work(work: Work) -> None:
    """Take what was asked for and what competitors have."""
    run = work.run
    plan = lengths.plan(run.params, run.state.rivals)
    run.state = run.state.model_copy(update={"length": plan})
    await work.end(
        f"{plan.words} words in {plan.sections} sections",
        words=plan.words,
        sections=plan.sections,
        reason=plan.reason,
    )
