"""Front door D's requests as the engine is asked: a group with a lane for each style. Pure."""

from __future__ import annotations

import base64
import json
import unicodedata
from collections.abc import Mapping, Sequence

from atelier.api.fields import SandboxScript
from atelier.api.requesting import NO_CURSOR, SANDBOX, script_of, start_of
from atelier.api.storyboards.schemas import MOST_BEATS, BeatRequest, RedrawRequest, StoryboardRequest
from atelier.errors import InvalidInput, ProviderNotConfigured
from atelier.frozen import frozen
from atelier.jobs.groups.models import Mark, NewGroup, NewMember
from atelier.jobs.models import Json
from atelier.pipelines import pictures
from atelier.pipelines.pace import expected, pace
from atelier.pipelines.pictures import POOL, ImageParams, alt_text
from atelier.pipelines.pools import ListedPool
from atelier.pipelines.projects import Spot, name_of, path_of

KIND = "storyboard"
ROOT = "/api/v1/storyboards"
HARD_CUT = "H"
DEFAULT = "default"
AFRESH = "afresh"
"""Stands in the details of a beat that is drawn whatever lies at its place."""
CURSOR = ("query", "cursor")
RATIO, QUALITY = "16:9", "standard"
"""What is left out means this."""


@frozen
class Board:
    """A request, understood: where its project is below the root, and the group to make of it."""

    folder: str
    new: NewGroup


def folder_of(path: str, owner: str, *, shared: bool) -> str:
    """Return a project's folder below the root, which all owners share or each has a folder of its own in."""
    return path if shared else f"{owner}/{path}"


def to_board(
    request: StoryboardRequest,
    pools: Mapping[str, ListedPool],
    *,
    owner: str,
    shared: bool,
    scripted: bool,
    key: str | None,
) -> Board:
    """Return what to create. Raises InvalidInput, naming the field, and ProviderNotConfigured.

    `scripted`: the sandbox may be asked for. `shared`: all owners have the same root.
    """
    path = path_of(request.project_path, ("body", "projectPath"))
    folder = folder_of(path, owner, shared=shared)
    beats = [one for place in range(len(request.prompts_by_style)) for one in _beats(request, place, folder)]
    if not 0 < len(beats) <= MOST_BEATS:
        raise InvalidInput(f"A storyboard has 1 to {MOST_BEATS} beats.", loc=("body", "promptsByStyle"))
    if not scripted and any(beat.params.provider == SANDBOX for beat in beats):
        raise ProviderNotConfigured("Scripted behaviour needs the sandbox, which is not configured.")
    turns = {id(beat): turn for turn, beat in enumerate(sorted(beats, key=lambda one: -one.priority))}
    members = [_member(beat, turns[id(beat)], pools) for beat in beats]
    new = NewGroup(
        kind=KIND,
        member_kind=pictures.KIND,
        owner=owner,
        members=members,
        listed=False,
        key=path,
        title=path,
        request=json.dumps([sorted([one.name, one.meaning] for one in members), request.max_concurrency]),
        mark=Mark(key=key, request=_asked(beats, request)) if key is not None else None,
        most=request.max_concurrency,
    )
    return Board(folder=folder, new=new)


def _asked(beats: Sequence[_Beat], request: StoryboardRequest) -> str:
    """Return all that is asked for, defaults written out: what an idempotency key stands for. The order of styles says nothing."""
    each = (
        [one.spot.style, one.spot.beat, _meaning(one.params), one.priority, one.script.hold_until if one.script else 0]
        for one in sorted(beats, key=lambda one: one.spot.style)
    )
    return json.dumps([*each, request.max_concurrency, request.redraw or "none"])


@frozen
class _Beat:
    params: ImageParams
    spot: Spot
    script: SandboxScript | None
    priority: int
    sent: tuple[int | str, ...]
    """The shot's number as it was sent; the beat's, too, where its name is another."""


def _beats(request: StoryboardRequest, number: int, folder: str) -> list[_Beat]:
    """Return a style's beats in the order of the story. Raises InvalidInput where one stands there twice."""
    name, loc = request.names[number], ("body", "promptsByStyle", number)
    style = name_of(name, loc)
    if style in {unicodedata.normalize("NFC", one) for one in request.names[:number]}:
        raise InvalidInput("This style stands there twice.", loc=loc)
    found: dict[str, _Beat] = {}
    for place, wanted in enumerate(request.prompts_by_style[number]):
        at = (*loc, place)
        beat = name_of(str(wanted.beat_number), (*at, "beat_number"))
        if beat in found:
            raise InvalidInput("This beat stands twice in its style.", loc=(*at, "beat_number"))
        shot = name_of(str(wanted.shot_number), (*at, "shot_number"))
        spot = Spot(project=folder, style=style, shot=shot, beat=beat)
        script = wanted.sandbox or request.sandbox
        params = _params(wanted, spot, script, afresh=request.redraw == "all")
        sent = (wanted.shot_number, *((wanted.beat_number,) if wanted.beat_number != beat else ()))
        found[beat] = _Beat(params=params, spot=spot, script=script, priority=wanted.priority or 0, sent=sent)
    return list(found.values())


def _params(wanted: BeatRequest, spot: Spot, script: SandboxScript | None, *, afresh: bool) -> ImageParams:
    return ImageParams(
        prompt=wanted.ai_prompt,
        provider=SANDBOX if script is not None else f"{POOL}{spot.style}",
        quality=wanted.quality or QUALITY,
        aspect_ratio=wanted.aspect_ratio or RATIO,
        output_format="png",
        script=script_of(script),
        spot=spot,
        honours=not afresh,
        replaces=afresh,
        hard_cut=wanted.transition_type == HARD_CUT,
    )


def _member(beat: _Beat, turn: int, pools: Mapping[str, ListedPool]) -> NewMember:
    return member_of(
        beat.params,
        pools,
        turn=turn,
        meaning=_meaning(beat.params),
        not_before=start_of(beat.script),
        again={"honours": False, "replaces": True},
        label=json.dumps(beat.sent),
    )


def _meaning(params: ImageParams) -> str:
    """Return what is asked for of a beat, as text."""
    spot = params.spot
    asked = [params.prompt, params.hard_cut, params.quality, params.aspect_ratio, params.script.model_dump()]
    return json.dumps([*asked, spot.shot if spot is not None else None])


def member_of(params: ImageParams, pools: Mapping[str, ListedPool], **more: object) -> NewMember:
    """Return a beat's picture as a member of its storyboard."""
    spot = params.spot
    assert spot is not None, "a beat has its place"  # noqa: S101 - narrows the type
    drawn_by = params.model_copy(update={"provider": pool_of(spot.style, pools).provider})
    values: dict[str, object] = {
        "name": f"{spot.style}/{spot.beat}",
        "lane": spot.style,
        "params": params.model_dump(mode="json"),
        "title": alt_text(params.prompt),
        "details": {
            "quality": params.quality,
            "aspect_ratio": params.aspect_ratio,
            "style": spot.style,
            "shot": spot.shot,
            "beat": spot.beat,
            **({AFRESH: "yes"} if params.replaces else {}),
        },
        "pace": pace(params),
        "expected": expected(drawn_by).total_seconds(),
        **more,
    }
    return NewMember(**values)  # type: ignore[arg-type]


def to_redrawing(made_from: Json, wanted: RedrawRequest, seed: int, pools: Mapping[str, ListedPool]) -> NewMember:
    """Return a beat's next drawing, which is drawn before all that waits: with another seed, and prompt where one is given."""
    changes: Json = {"seed": wanted.seed if wanted.seed is not None else seed, "honours": False, "replaces": True}
    if wanted.ai_prompt is not None:
        changes["prompt"] = wanted.ai_prompt
    params = ImageParams.model_validate(made_from).model_copy(update=changes)
    meaning = _meaning(params) if wanted.ai_prompt is not None else ""
    return member_of(params, pools, turn=-1, meaning=meaning)


def redrawing_mark(key: str, name: str, wanted: RedrawRequest) -> Mark:
    """Return what makes a beat's redrawing one that is accepted once."""
    return Mark(key=key, request=json.dumps(["redraw", name, wanted.seed, wanted.ai_prompt]))


def pool_of(style: str, pools: Mapping[str, ListedPool]) -> ListedPool:
    """Return who draws a style."""
    return pools.get(style) or pools[DEFAULT]


def cursor_behind(title: str) -> str:
    """Return the place behind a storyboard in the list of them."""
    return base64.urlsafe_b64encode(f"{KIND}|{title}".encode()).decode()


def title_behind(cursor: str) -> str:
    """Return the title a cursor stands behind. Raises InvalidInput for one that is not ours."""
    try:
        kind, bar, title = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
    except ValueError as error:
        raise InvalidInput(NO_CURSOR, loc=CURSOR) from error
    if (kind, bar) != (KIND, "|"):
        raise InvalidInput(NO_CURSOR, loc=CURSOR)
    return title
