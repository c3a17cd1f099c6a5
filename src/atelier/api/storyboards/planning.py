"""Finding out what a post would do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from atelier.api.deps import Call
from atelier.api.storyboards.orders import KIND, Board, pool_of
from atelier.api.storyboards.plan import Style, to_plan
from atelier.api.storyboards.view_schemas import PlanView
from atelier.jobs.groups import Group, NewMember, Redraw, Revision
from atelier.pipelines.pictures import ImageParams
from atelier.pipelines.projects import Spot


async def plan(board: Board, redraw: Redraw, call: Call) -> PlanView:
    """Return what posting this would do now. Raises Conflict where it would be refused."""
    groups, new = call.around.engine.groups, board.new
    known = await groups.of_key(new.owner, KIND, new.key or "")
    revision = await groups.revision(known, new, redraw) if known is not None else None
    drawn = await _to_draw(known, revision, board, call)
    lying = await _lying(drawn, call)
    draw = [member for member in drawn if member.name not in lying]
    named = {member.name for member in draw}
    reuse = [member.name for member in new.members if member.name not in named]
    styles = await _styles(draw, reuse, revision.left_out if revision is not None else (), call)
    estimates = call.around.engine.estimates
    typical = {
        style.name: max(
            (estimates.typical(one.pace, one.expected) for one in style.draw or new.members[:1]),
            key=lambda estimate: estimate.p50,
        )
        for style in styles
    }
    at_once = min(call.around.slots, new.most or call.around.slots)
    return to_plan(known.id if known is not None else None, styles, typical, at_once, call.around.now())


async def _to_draw(known: Group | None, revision: Revision | None, board: Board, call: Call) -> Sequence[NewMember]:
    """Return what has no picture yet: all that is new; of what goes on, what has not ended; of what is revised, what is made or runs again."""
    if known is None:
        return board.new.members
    if revision is not None:
        again = set(revision.again)
        return [*revision.members, *(member for member in board.new.members if member.name in again)]
    live = {
        place.item.name
        for place in await call.around.engine.groups.places(known)
        if place.latest is None or not place.latest.job.status.terminal
    }
    return [member for member in board.new.members if member.name in live]


async def _lying(members: Iterable[NewMember], call: Call) -> set[str]:
    """Return the names of those whose pictures an earlier system left."""
    spots: dict[Spot, str] = {}
    for member in members:
        params = ImageParams.model_validate(member.params)
        if params.honours and params.spot is not None:
            spots[params.spot] = member.name
    return {spots[spot] for spot in await call.around.projects.there(list(spots))}


async def _styles(draw: Sequence[NewMember], reuse: Sequence[str], skip: Sequence[str], call: Call) -> list[Style]:
    parts: defaultdict[str, tuple[list[NewMember], list[str], list[str]]] = defaultdict(lambda: ([], [], []))
    for member in draw:
        parts[member.lane][0].append(member)
    for place, names in ((1, reuse), (2, skip)):
        for name in names:
            style, _, beat = name.partition("/")
            parts[style][place].append(beat)  # type: ignore[arg-type]
    found = []
    for style, (drawn, reused, skipped) in parts.items():
        pool = pool_of(style, call.around.pools)
        found.append(Style(name=style, pool=pool, keys=await pool.keys(), draw=drawn, reuse=reused, skip=skipped))
    return found
