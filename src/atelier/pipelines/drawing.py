"""Drawing a picture in phases that cost apart: order, fetch, validate, spool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from atelier import logs, metrics
from atelier.errors import InvalidImage, ProviderNotConfigured, ProviderWaits, StorageError
from atelier.media import Content
from atelier.pipelines.beats import Beats
from atelier.pipelines.desk import JobDesk, come_back
from atelier.pipelines.ledger import close_order, ledger_of, write_off
from atelier.pipelines.ordering import ImageSource
from atelier.pipelines.pictures import (
    DEFAULT_POOL,
    DRAWN,
    ORDERS,
    POOL,
    STORY_ORDER,
    Drawn,
    ImageRun,
    Order,
    drawn_of,
    request_of,
)
from atelier.pipelines.ports import GeneratedImage, ImageRequest, Offer, Spool, Storage
from atelier.pipelines.previews import Previews
from atelier.pipelines.projects import Projects
from atelier.pipelines.storing import put_off
from atelier.pipelines.validation import Validator

LARGEST_SEED = 4294967294


class Drawing:
    """Has pictures made, checks what came, and spools it before anything else happens to it."""

    def __init__(
        self, *, sources: Mapping[str, ImageSource], storage: Storage, spool: Spool, projects: Projects
    ) -> None:
        self._sources, self._storage, self._spool = sources, storage, spool
        self._validator = Validator()
        self.beats = Beats(projects, self._validator)

    def source(self, name: str) -> ImageSource:
        """Return who draws under this name; a pool that is not there is stood in for by the default. Raises ProviderNotConfigured."""
        source = self._sources.get(name) or (self._sources.get(DEFAULT_POOL) if name.startswith(POOL) else None)
        if source is None:
            raise ProviderNotConfigured(f"The provider {name} is no longer configured.")
        return source

    async def content(self, run: ImageRun, order: Order) -> tuple[Content, Drawn]:
        """Return the picture that an earlier attempt spooled, that an earlier system left, or a new one."""
        return await self._spooled(run, order) or await self.beats.earlier(run) or await self._draw(run, order)

    async def _spooled(self, run: ImageRun, order: Order) -> tuple[Content, Drawn] | None:
        if run.job.fence == 1:
            return None  # nobody has held this job before
        try:
            found = await self._spool.read(run.job.id, order.number)
        except StorageError as error:  # what may lie there is not drawn again
            put_off(run, error)
            raise
        if found is None:
            return None
        data, note = found
        drawn = DRAWN.validate_python(note)
        if order.key in ledger_of(run).open:  # the attempt that spooled it came no further
            await _settle_up(run, order, drawn)
        return await self._validator.check(data, drawn.ratio), drawn

    async def _draw(self, run: ImageRun, order: Order) -> tuple[Content, Drawn]:
        began, request = run.now, await self._taken_up(run, order)
        useless: InvalidImage | None = None
        while True:
            desk = JobDesk(run, order, Previews(self._storage, run, order.span), self._spool)
            try:
                image = await self._ordered(run, request, desk)
            except ProviderNotConfigured as absent:
                raise useless or absent from absent  # nobody is left who could do better
            drawn = drawn_of(image, (run.now - began).total_seconds(), _ratio(request, image, desk))
            try:
                content = await self._validator.check(image.data, drawn.ratio)
            except InvalidImage as error:
                useless = error
                desk.judged(error)
                request = await self._after(error, run, order, request, image)
            else:
                desk.judged(None)
                break
        told = (*drawn.warnings, *_other_format(request, content, drawn), *_left_undone(request, drawn, desk))
        drawn = replace(drawn, warnings=told) if told != drawn.warnings else drawn
        if not drawn.shared and not await self.keep(run, order.number, content, drawn) and drawn.cost > 0:
            run.state.unspooled |= {order.number}
        await _settle_up(run, order, drawn)
        return content, drawn

    async def keep(self, run: ImageRun, number: int, content: Content, drawn: Drawn) -> bool:
        """Spool a picture; whether it lies there. One that does not can be stored nevertheless."""
        try:
            await self._spool.keep(run.job.id, number, content.data, DRAWN.dump_python(drawn, mode="json"))
        except StorageError as error:
            logs.warning("picture_not_spooled", reason=error.message)
            return False
        return True

    async def _taken_up(self, run: ImageRun, order: Order) -> ImageRequest:
        """Return the request, with the order an earlier attempt placed; one that cannot be waited for is written off."""
        request, placed = request_of(run, order), ledger_of(run).open.get(order.key)
        reference = await self.beats.reference(run.params)
        request = replace(request, reference=reference) if reference is not None else request
        if placed is None:
            return request
        pooled = _holds(run.params.provider)  # the key that placed it is in this pool or order, if anywhere
        source = self.source(run.params.provider) if pooled else self._sources.get(placed.provider)
        if placed.order_id is None or source is None or not source.terms.reattaches:
            await write_off(run, order.key, product="picture")
            return request
        return replace(request, order_id=placed.order_id, placed_with=placed.provider, placed_key=placed.key)

    async def _ordered(self, run: ImageRun, request: ImageRequest, desk: JobDesk) -> GeneratedImage:
        """Have the picture made; where nothing can be ordered now, the slot is given back until a moment when it may."""
        named = run.params.provider
        source = self.source(named if _holds(named) else request.placed_with or named)
        try:
            image = await source.generate(request, desk)
        except ProviderWaits as waits:
            come_back(run, waits)
        except StorageError as error:
            put_off(run, error)
            raise
        finally:
            await desk.close()
        metrics.spent(image.provider, image.cost)
        return image

    async def _after(
        self, error: InvalidImage, run: ImageRun, order: Order, request: ImageRequest, image: GeneratedImage
    ) -> ImageRequest:
        """Keep what a useless picture cost; return what is asked for next: another seed once, then the next provider."""
        again = self._again(run, request, image)
        close_order(run, order.key)
        told = f"A picture of {image.provider} was thrown away: {error.message}"
        await run.note(cost=image.cost, warnings=(told,) if again is not None else ())
        if again is None:
            raise error
        return again

    def _again(self, run: ImageRun, request: ImageRequest, image: GeneratedImage) -> ImageRequest | None:
        fresh = replace(request, order_id=None, placed_with="", placed_key="")
        if not request.again:
            seed = image.seed if image.seed is not None else request.seed
            return replace(fresh, again=True, seed=(seed + 1) % LARGEST_SEED if seed is not None else None)
        avoid = request.avoid | {image.provider}
        others = {name for name in self._sources if not name.startswith(POOL)} - ORDERS - avoid
        return replace(fresh, avoid=avoid) if run.params.provider in ORDERS and others else None


def _holds(name: str) -> bool:
    """Whether a source has keys that nobody has under a vendor's own name."""
    return name.startswith(POOL) or name == STORY_ORDER


def _other_format(request: ImageRequest, content: Content, drawn: Drawn) -> tuple[str, ...]:
    """Say where a provider sends what it likes: nothing is encoded anew, which would only make it worse."""
    came = content.facts.format
    if drawn.shared or came == request.output_format:
        return ()
    return (f"{drawn.provider} sent {came}, not {request.output_format}.",)


def _left_undone(request: ImageRequest, drawn: Drawn, desk: JobDesk) -> tuple[str, ...]:
    """Say where a second model was asked for and there is none, and where a style reference was of no use."""
    offer = desk.call.offer if desk.call is not None else None
    if not isinstance(offer, Offer):
        return ()
    told: list[str] = []
    if request.refine and not offer.refines:
        told.append(f"{drawn.provider} has no second model to refine pictures with; this one was not refined.")
    if request.reference is not None and not offer.references:
        told.append(f"{drawn.provider} takes no style reference; this one was drawn without.")
    return tuple(told)


def _ratio(request: ImageRequest, image: GeneratedImage, desk: JobDesk) -> str | None:
    """Return the aspect ratio the picture has to have; None where its provider has not that one, or it is everybody's."""
    offer = desk.call.offer if desk.call is not None else None
    known = not isinstance(offer, Offer) or request.aspect_ratio in offer.aspect_ratios
    return request.aspect_ratio if known and not image.shared else None


async def _settle_up(run: ImageRun, order: Order, drawn: Drawn) -> None:
    """Close the order of a picture that is in hand, and keep what it cost, whatever happens to the job."""
    close_order(run, order.key)
    if drawn.cost > 0:
        await run.note(cost=drawn.cost)
