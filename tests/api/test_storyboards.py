"""Front door D: what is drawn, told, kept and refused."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.boards import (
    NOOP,
    POST,
    ROOT,
    STALL,
    STATUS,
    Json,
    beat,
    beats_of,
    begin,
    board,
    files_of,
    grid,
    post,
    progress_of,
    statuses,
    told,
    until,
)
from tests.callers import bearer
from tests.history import picture_of
from tests.live import Live, Serve


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path / "data" / "projects" / "films" / "hill"


async def test_a_storyboard_is_drawn_told_and_put_into_its_folder(live: Live, project: Path) -> None:
    events = await post(live, board())
    assert (events[0]["type"], events[0]["message"]) == ("start", "Starting: 6 beats in 2 styles")
    last = events[-1]
    assert last["type"] == "complete"
    assert (last["result"]["success"], last["result"]["completed"], last["result"]["total"]) == (True, 6, 6)
    assert {one["type"] for one in events[1:-1]} == {"progress"}
    done = [one for one in events if one.get("status") == "complete"]
    assert len(done) == 6
    for one in done:
        assert {"style", "beat_number", "completed", "total", "image_url", "thumbnail_url", "cost"} <= one.keys()
        assert one["total"] == 3
    for style in ("illustration", "clear"):
        assert [one["completed"] for one in done if one["style"] == style] == [1, 2, 3]
    names = [
        f"generated_images/{style}/Shot_1/Beat_1.{n}.png" for style in ("clear", "illustration") for n in (1, 2, 3)
    ]
    assert files_of(project) == sorted([*names, "image_progress_clear.json", "image_progress_illustration.json"])
    progress = json.loads((project / "image_progress_clear.json").read_text())
    assert list(progress) == ["completedBeats", "lastUpdated"]
    assert progress["completedBeats"] == ["1.1", "1.2", "1.3"]
    assert datetime.fromisoformat(progress["lastUpdated"]).tzinfo is not None
    stored = await live.client.get(done[0]["image_url"])
    file = project / "generated_images" / done[0]["style"] / "Shot_1" / f"Beat_{done[0]['beat_number']}.png"
    assert file.read_bytes() == stored.content, "a copy of what is stored"


async def test_posting_again_costs_nothing_and_tells_what_is_there(live: Live) -> None:
    first = await post(live, board())
    again = await post(live, board())
    assert len(progress_of(again, "exists")) == 6
    assert {one.get("status") for one in again[1:-1]} == {"exists"}
    assert again[-1]["result"] == first[-1]["result"]
    more = await post(live, board(beats=4))
    assert len(progress_of(more, "exists")) == 6
    assert sorted(progress_of(more, "complete")) == [("clear", "1.4"), ("illustration", "1.4")]
    assert {one["total"] for one in more if one["type"] == "progress"} == {4}


@pytest.mark.parametrize(
    "path", ["films/hill", "/films/hill", "films/hill/", "films%2Fhill", "%2Ffilms%2Fhill", "films//hill"]
)
async def test_the_status_of_a_project_is_found_however_its_path_is_written(live: Live, path: str) -> None:
    unknown = (await live.client.get(f"{STATUS}/{path}")).json()
    assert (unknown["success"], unknown["isGenerating"]) == (True, False)
    board_id = (await post(live, board(path="/films/hill")))[0]["storyboard_id"]
    status = (await live.client.get(f"{STATUS}/{path}")).json()
    assert (status["success"], status["isGenerating"], status["storyboard_id"]) == (True, False, board_id)
    assert status["styles"]["clear"] == {
        "completed": 3, "generating": 0, "pending": 0, "failed": 0, "cancelled": 0, "total": 3,
    }  # fmt: skip
    assert (status["status"], status["troubles"], status["files"]["error"]) == ("completed", [], None)


async def test_while_it_goes_on_the_same_prompts_attach_and_others_are_refused(live: Live) -> None:
    waiting = board(sandbox=STALL)
    waiting["promptsByStyle"]["clear"][0]["sandbox"] = NOOP
    board_id = await begin(live.client, waiting)
    async with asyncio.timeout(60):
        while "completed" not in statuses(await grid(live.client, board_id)):
            await asyncio.sleep(0.05)
    assert (await live.client.get(f"{STATUS}/films/hill")).json()["isGenerating"] is True
    other = await live.client.post(POST, json=board(beats=4))
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert await begin(live.client, waiting) == board_id, "nobody's going away has stopped it"
    watching = asyncio.create_task(post(live, waiting))
    await asyncio.sleep(0.1)
    cancelled = (await live.client.post(f"{ROOT}/{board_id}/cancel")).json()
    assert sorted(set(statuses(cancelled))) == ["cancelled", "completed"]
    events = await asyncio.wait_for(watching, 60)
    assert progress_of(events, "exists") == [("clear", "1.1")]
    assert (events[-1]["type"], events[-1]["message"]) == ("error", "Cancelled")
    again = await live.client.post(f"{ROOT}/{board_id}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "already_terminal")
    assert again.json()["storyboard"]["storyboard_id"] == board_id
    assert not [one for one in await post(live, board(sandbox=NOOP)) if one["type"] == "error"], "and goes on later"


async def test_who_attaches_is_told_what_is_there_before_what_goes_on(live: Live) -> None:
    body = board(("clear",), 4, sandbox=STALL)
    for number, sandbox in ((1, {"scenario": "ok"}), (2, {"scenario": "refused"}), (3, NOOP)):
        body["promptsByStyle"]["clear"][number] |= {"sandbox": sandbox, "quality": "draft"}
    board_id = await begin(live.client, body)
    async with asyncio.timeout(60):
        while Counter(statuses(await grid(live.client, board_id))) != {"generating": 1, "failed": 1, "completed": 2}:
            await asyncio.sleep(0.05)
    for method, address in (("POST", POST), ("GET", f"{ROOT}/{board_id}/stream")):
        async with live.client.stream(method, address, json=body if method == "POST" else None) as response:
            lines = response.aiter_lines()
            events = [json.loads(line[6:]) async for line in _first(lines, 9)]
        seen = [(one.get("beat_number"), one.get("status"), one.get("completed")) for one in events]
        assert seen == [
            (None, None, None), ("1.2", "exists", 1), ("1.4", "exists", 2), ("1.3", "error", 2), ("1.1", "generating", 2),
        ]  # fmt: skip
    await live.client.post(f"{ROOT}/{board_id}/cancel")


async def _first(lines: AsyncIterator[str], count: int) -> AsyncIterator[str]:
    """Yield the data lines among the first so many."""
    for _ in range(count):
        line = await anext(lines)
        if line:
            yield line


async def test_failed_beats_are_told_listed_and_retried_alone(live: Live) -> None:
    body = board(("clear",))
    body["promptsByStyle"]["clear"][1]["sandbox"] = {"scenario": "refused"}
    events = await post(live, body)
    (failed,) = [one for one in events if one.get("status") == "error"]
    assert (failed["beat_number"], failed["code"]) == ("1.2", "provider_refused")
    assert failed["error"]
    assert (events[-1]["result"]["success"], events[-1]["result"]["failed"]) == (True, 1)
    board_id = events[0]["storyboard_id"]
    view = await grid(live.client, board_id)
    assert [view["styles"][0]["beats"][1][name] for name in ("status", "error")] == ["failed", failed["error"]]
    (trouble,) = view["troubles"]
    assert (trouble["code"], trouble["beats"]) == ("provider_refused", 1)
    assert "prompt" in trouble["advice"]
    before = {number: one["job_id"] for number, one in beats_of(view, "clear").items()}
    assert (await live.client.post(f"{ROOT}/{board_id}/retry-failed")).status_code == 200
    after = await until(live.client, board_id, "completed")
    assert {number: one["job_id"] for number, one in beats_of(after, "clear").items()} == before
    job = (await live.client.get(f"/api/v1/images/jobs/{before['1.2']}")).json()
    assert (job["run"], job["status"]) == (2, "failed")
    assert (await live.client.get(f"/api/v1/images/jobs/{before['1.1']}")).json()["run"] == 1
    body["promptsByStyle"]["clear"][1]["sandbox"] = NOOP
    assert progress_of(await post(live, body), "complete") == [("clear", "1.2")], "written anew it is drawn anew"
    nothing = await live.client.post(f"{ROOT}/{board_id}/retry-failed")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "conflict")


async def test_a_storyboard_without_a_picture_is_no_success(live: Live) -> None:
    events = await post(live, board(("clear",), sandbox={"scenario": "refused"}))
    assert (events[-1]["type"], events[-1]["result"]["success"]) == ("complete", False)


async def test_pausing_holds_what_waits_and_resuming_goes_on(serve: Serve) -> None:
    async with serve(slots={"image": 1}) as live:
        body = board(beats=5)
        body["promptsByStyle"]["clear"][4] |= {"sandbox": STALL, "priority": 1}
        board_id = await begin(live.client, body)
        async with asyncio.timeout(60):
            while "generating" not in statuses(view := await grid(live.client, board_id)):
                await asyncio.sleep(0.05)
        assert (await live.client.post(f"{ROOT}/{board_id}/pause")).json()["paused"] is True
        stalling = beats_of(view, "clear")["1.5"]["job_id"]
        await live.client.post(f"/api/v1/images/jobs/{stalling}/cancel")
        async with asyncio.timeout(60):
            while "generating" in statuses(await grid(live.client, board_id)):
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        view = await grid(live.client, board_id)
        counts = Counter(statuses(view))
        assert (counts["cancelled"], counts["pending"] + counts["completed"]) == (1, 9)
        assert counts["pending"] >= 7
        told_of = (await live.client.get(f"{STATUS}/films/hill")).json()
        assert (view["status"], told_of["isGenerating"], told_of["paused"]) == ("processing", False, True)
        await live.client.post(f"{ROOT}/{board_id}/resume")
        view = await until(live.client, board_id, "completed")
        assert Counter(statuses(view)) == {"cancelled": 1, "completed": 9}


async def test_one_beat_is_drawn_again_from_another_seed(live: Live, project: Path) -> None:
    body = board(("clear",), 2, sandbox={"scenario": "ok"})
    for one in body["promptsByStyle"]["clear"]:
        one["quality"] = "draft"
    board_id = (await post(live, body))[0]["storyboard_id"]
    before = beats_of(await grid(live.client, board_id), "clear")
    file = project / "generated_images" / "clear" / "Shot_1" / "Beat_1.1.png"
    old = file.read_bytes()
    watching = asyncio.create_task(live.client.get(f"{ROOT}/{board_id}/stream"))
    again = await live.client.post(f"{ROOT}/{board_id}/beats/clear/1.1/redraw", json={"seed": 7})
    assert again.status_code == 200, again.text
    shown = beats_of(again.json(), "clear")["1.1"]
    assert (shown["drawing"], shown["image_url"]) == (2, before["1.1"]["image_url"]), "shown until there is another"
    await watching
    events = told((await live.client.get(f"{ROOT}/{board_id}/stream")).text)
    assert events[-1]["result"]["completed"] == 2
    after = beats_of(await grid(live.client, board_id), "clear")
    assert after["1.2"] == before["1.2"]
    assert after["1.1"]["job_id"] != before["1.1"]["job_id"]
    job = (await live.client.get(f"/api/v1/images/jobs/{after['1.1']['job_id']}")).json()
    assert job["result"]["images"][0]["seed"] == 7
    assert file.read_bytes() == (await live.client.get(after["1.1"]["image_url"])).content != old
    assert (await live.client.get(before["1.1"]["image_url"])).status_code == 200, "the earlier picture stays"
    unknown = await live.client.post(f"{ROOT}/{board_id}/beats/clear/9.9/redraw")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (await live.client.post(f"{ROOT}/{board_id}/pause")).status_code == 200
    paused = await live.client.post(f"{ROOT}/{board_id}/beats/clear/1.1/redraw")
    assert (paused.status_code, paused.json()["detail"]) == (409, "It is paused: resume it first.")


@pytest.mark.parametrize(("redraw", "drawn"), [("none", []), ("changed", ["1.2"]), ("all", ["1.1", "1.2"])])
async def test_what_is_drawn_again_is_what_was_asked_for(live: Live, redraw: str, drawn: list[str]) -> None:
    body = board(("clear",), 2)
    await post(live, body)
    body["promptsByStyle"]["clear"][1]["ai_prompt"] = "A valley"
    events = await post(live, {**body, "redraw": redraw})
    assert sorted(number for _, number in progress_of(events, "complete")) == drawn
    view = await grid(live.client, events[0]["storyboard_id"])
    assert [number for number, one in beats_of(view, "clear").items() if one["drawing"] == 2] == drawn


async def test_a_beat_whose_job_was_deleted_is_told_as_that(live: Live) -> None:
    board_id = (await post(live, board(("clear",), 2)))[0]["storyboard_id"]

    async def delete(number: str) -> None:
        job_id = beats_of(await grid(live.client, board_id), "clear")[number]["job_id"]
        assert (await live.client.delete(f"/api/v1/images/jobs/{job_id}")).status_code == 204

    await delete("1.1")
    view = await grid(live.client, board_id)
    gone = beats_of(view, "clear")["1.1"]
    assert (view["status"], gone["status"], gone["job_id"], gone["shot_number"]) == ("completed", "cancelled", None, 1)
    assert "was deleted; post the storyboard again" in gone["error"]
    counts = (await live.client.get(f"{STATUS}/films/hill")).json()["styles"]["clear"]
    assert (counts["completed"], counts["pending"], counts["cancelled"]) == (1, 0, 1)
    events = told((await live.client.get(f"{ROOT}/{board_id}/stream")).text)
    seen = [(one.get("beat_number"), one.get("status"), one.get("completed")) for one in events]
    assert seen == [(None, None, None), ("1.2", "exists", 1), ("1.1", "error", 1), (None, None, None)]
    assert (events[2]["error"], events[2]["code"], events[2]["job_id"]) == (gone["error"], "cancelled", None)
    result = events[-1]["result"]
    assert [result[name] for name in ("completed", "failed", "cancelled", "total")] == [1, 0, 1, 2]
    for action, status in (("retry-failed", 409), ("beats/clear/1.1/redraw", 404)):
        refused = await live.client.post(f"{ROOT}/{board_id}/{action}")
        assert refused.status_code == status
    assert refused.json()["detail"] == "This was deleted; post the whole again to have it."
    await delete("1.2")
    assert (await grid(live.client, board_id))["status"] == "cancelled"
    events = told((await live.client.get(f"{ROOT}/{board_id}/stream")).text)
    assert (events[-1]["type"], events[-1]["result"]["success"], events[-1]["result"]["cancelled"]) == (
        "complete",
        False,
        2,
    )
    assert (await post(live, board(("clear",), 2)))[-1]["result"]["completed"] == 2


async def test_a_beat_that_is_deleted_while_somebody_watches_is_told_before_the_end(live: Live) -> None:
    body = board(("clear",), 2)
    body["promptsByStyle"]["clear"][1]["sandbox"] = STALL
    async with live.client.stream("POST", POST, json=body) as response:
        lines = response.aiter_lines()
        seen: list[Json] = []
        async for line in lines:
            if line.startswith("data: "):
                seen.append(json.loads(line[6:]))
                if seen[-1].get("status") == "complete":
                    await live.client.delete(f"/api/v1/images/jobs/{seen[-1]['job_id']}")
                    await live.client.post(f"{ROOT}/{seen[0]['storyboard_id']}/cancel")
    assert [(one["beat_number"], one["status"], one["completed"]) for one in seen[-3:-1]] == [
        ("1.2", "error", 1), ("1.1", "error", 0),
    ]  # fmt: skip
    assert seen[-1]["message"] == "Cancelled"


async def test_pictures_of_an_earlier_system_are_taken_for_the_beats(live: Live, project: Path) -> None:
    folder = project / "generated_images" / "clear" / "Shot_1"
    folder.mkdir(parents=True)
    earlier = picture_of("An earlier system's")
    (folder / "Beat_1.1.png").write_bytes(earlier)
    (folder / "Beat_9.9.png").write_bytes(earlier)
    (folder / "Beat_1.3.png").write_bytes(earlier[:-9])
    (project / "image_progress_clear.json").write_text(
        '{"completedBeats": ["1.1", "1.2"], "lastUpdated": "2025-11-09"}'
    )
    plan = (await live.client.post(POST, params={"plan": "true"}, json=board(("clear",)))).json()
    assert (plan["styles"][0]["draw"], plan["styles"][0]["reuse"]) == (["1.2", "1.3"], ["1.1"]), "one is cut off"
    events = await post(live, board(("clear",)))
    assert [one["status"] for one in events if one.get("beat_number") == "1.1"] == ["exists"], "nobody has drawn it"
    assert progress_of(events, "exists") == [("clear", "1.1")]
    assert sorted(progress_of(events, "complete")) == [("clear", "1.2"), ("clear", "1.3")]
    assert (folder / "Beat_1.1.png").read_bytes() == earlier, "never overwritten"
    assert (folder / "Beat_1.3.png.unreadable").read_bytes() == earlier[:-9], "set aside, not lost"
    progress = json.loads((project / "image_progress_clear.json").read_text())
    assert progress["completedBeats"] == ["1.1", "1.2", "1.3", "9.9"], "what the other tool drew counts for it still"
    view = beats_of(await grid(live.client, events[0]["storyboard_id"]), "clear")
    assert view["1.1"]["cost"] == 0
    assert (await live.client.get(view["1.1"]["image_url"])).content == earlier, "in the grid like any other"
    assert (await live.client.get(view["1.1"]["thumbnail_url"])).status_code == 200
    assert "set aside" in " ".join(view["1.3"]["warnings"])
    await post(live, {**board(("clear",)), "redraw": "all"})
    assert (folder / "Beat_1.1.png").read_bytes() != earlier, "asked for, it is overwritten"


async def test_earlier_pictures_that_are_not_wanted_are_told_as_drawn(live: Live, project: Path) -> None:
    folder = project / "generated_images" / "clear" / "Shot_1"
    folder.mkdir(parents=True)
    (folder / "Beat_1.1.png").write_bytes(picture_of("An earlier system's"))
    afresh = board(("clear",), 1, sandbox={"scenario": "slow", "seconds": 1}, redraw="all")
    afresh["promptsByStyle"]["clear"][0]["quality"] = "draft"
    events = await post(live, afresh)
    assert events[0]["message"] == "Starting: 1 beat in 1 style"
    assert [one["status"] for one in events[1:-1]] == ["generating", "complete"]


async def test_what_is_missing_on_disk_is_copied_back_and_not_drawn(live: Live, project: Path) -> None:
    await post(live, board(("clear",)))
    file = project / "generated_images" / "clear" / "Shot_1" / "Beat_1.2.png"
    kept = file.read_bytes()
    file.unlink()
    (project / "image_progress_clear.json").write_text("{broken")
    events = await post(live, board(("clear",)))
    assert progress_of(events, "complete") == []
    assert file.read_bytes() == kept
    assert json.loads((project / "image_progress_clear.json").read_text())["completedBeats"] == ["1.1", "1.2", "1.3"]


async def test_a_picture_that_was_retouched_stays_as_it_is(live: Live, project: Path) -> None:
    await post(live, board(("clear",), 1))
    await post(live, {**board(("clear",), 1), "redraw": "all"})
    file = project / "generated_images" / "clear" / "Shot_1" / "Beat_1.1.png"
    file.write_bytes(b"by hand")
    await post(live, board(("clear",), 1))
    assert file.read_bytes() == b"by hand"


async def test_important_beats_are_drawn_first(serve: Serve) -> None:
    async with serve(slots={"image": 1}) as live:
        body = board(("clear",), 6)
        for number, priority in ((3, 5), (5, 9)):
            body["promptsByStyle"]["clear"][number]["priority"] = priority
        events = await post(live, body)
    order = [number for _, number in progress_of(events, "complete")]
    assert order == ["1.6", "1.4", "1.1", "1.2", "1.3", "1.5"]
    assert [one["beat_number"] for one in events[1:2]] == ["1.6"]


async def test_no_more_are_under_way_than_was_asked_for(live: Live) -> None:
    board_id = await begin(live.client, board(beats=12, max_concurrency=2))
    most = 0
    async with asyncio.timeout(60):
        while (view := await grid(live.client, board_id))["status"] == "processing":
            most = max(most, statuses(view).count("generating"))
    assert most <= 2
    assert set(statuses(view)) == {"completed"}


async def test_a_plan_says_what_would_be_done_and_creates_nothing(live: Live) -> None:
    async def plan(body: Json) -> Json:
        answer = await live.client.post(POST, params={"plan": "true"}, json=body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    fresh = await plan(board())
    one_by_one = await plan({**board(), "max_concurrency": 1})
    assert (one_by_one["slots"]["have"], one_by_one["bottleneck"]) == (1, {"style": None, "key": None, "rpm": None})
    assert one_by_one["duration"]["p50"] == pytest.approx(fresh["duration"]["p50"] * fresh["slots"]["have"], rel=0.1)
    assert (await plan({**board(), "max_concurrency": 50}))["slots"] == fresh["slots"]
    assert (fresh["draw"], fresh["reuse"], fresh["skip"], fresh["storyboard_id"]) == (6, 0, 0, None)
    assert fresh["duration"]["p50"] > 0
    assert fresh["duration"]["p90"] >= fresh["duration"]["p50"]
    assert (await live.client.get(ROOT)).json() == {"storyboards": [], "next_cursor": None}
    await post(live, board())
    assert [(one := await plan(board()))[name] for name in ("draw", "reuse", "skip")] == [0, 6, 0]
    assert (one["bottleneck"], one["cost"]) == (None, {"low": 0.0, "high": 0.0})
    less = await plan(board(("clear",), 2))
    assert (less["draw"], less["reuse"], less["skip"]) == (0, 2, 4)
    assert next(style for style in less["styles"] if style["style"] == "clear")["skip"] == ["1.3"]
    all_again = await plan({**board(), "redraw": "all"})
    assert all_again["draw"] == 6
    board_id = await begin(live.client, board(path="other", sandbox=STALL))
    assert (await plan(board(path="other", sandbox=STALL)))["draw"] == 6
    refused = await live.client.post(POST, params={"plan": "true"}, json=board(path="other"))
    assert refused.status_code == 409
    await live.client.post(f"{ROOT}/{board_id}/cancel")


async def test_an_idempotency_key_is_accepted_once(live: Live) -> None:
    key = {"Idempotency-Key": "k-1"}
    body = {**board(("clear",), 2), "redraw": "all"}
    assert len(progress_of(await post(live, body, headers=key), "complete")) == 2
    again = await live.client.post(POST, json=body, headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert len(progress_of(told(again.text), "exists")) == 2
    assert len(progress_of(await post(live, body), "complete")) == 2, "without it they are drawn again"
    first = body["promptsByStyle"]["clear"][0]
    for other in (
        board(("clear",), 3),
        {**body, "redraw": "none"},
        {**body, "max_concurrency": 1},
        {**body, "promptsByStyle": {"clear": [{**first, "priority": 1}, *body["promptsByStyle"]["clear"][1:]]}},
        {**body, "promptsByStyle": {"clear": body["promptsByStyle"]["clear"][::-1]}},
        {**body, "sandbox": {**NOOP, "hold_until": 1}},
    ):
        refused = await live.client.post(POST, json=other, headers=key)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch"), other
    same = {**body, "promptsByStyle": {"clear": [{**first, "quality": None}, *body["promptsByStyle"]["clear"][1:]]}}
    assert (await live.client.post(POST, json=same, headers=key)).headers["idempotency-replayed"] == "true"


async def test_a_redraw_with_an_idempotency_key_is_drawn_once(serve: Serve) -> None:
    async with serve(auth="keys") as live:
        ann, bob = await bearer(live, "ann"), await bearer(live, "bob")
        key = {"Idempotency-Key": "k-1"}
        ids = [(await post(live, board(("clear",), 2), headers=who))[0]["storyboard_id"] for who in (ann, bob)]

        async def redraw(board_id: str, beat: str, who: dict[str, str], **body: Any) -> Any:
            address = f"{ROOT}/{board_id}/beats/clear/{beat}/redraw"
            answer = await live.client.post(address, json=body, headers={**who, **key})
            await until(live.client, board_id, "completed", headers=who)
            return answer

        answers = [await redraw(ids[0], "1.1", ann, seed=7) for _ in range(3)]
        assert [one.status_code for one in answers] == [200] * 3, answers[1].text
        assert [one.headers.get("idempotency-replayed") for one in answers] == [None, "true", "true"]
        assert beats_of(answers[2].json(), "clear")["1.1"]["status"] == "completed", "as it is by now"
        for beat, body in (("1.1", {"seed": 8}), ("1.1", {"seed": 7, "ai_prompt": "A valley"}), ("1.2", {"seed": 7})):
            refused = await redraw(ids[0], beat, ann, **body)
            assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")
        assert (await redraw(ids[1], "1.1", bob, seed=8)).headers.get("idempotency-replayed") is None
        view = beats_of(await grid(live.client, ids[0], headers=ann), "clear")
        assert [one["drawing"] for one in view.values()] == [2, 1]


WRONG: list[tuple[str, Json, str]] = [
    ("no prompts", {"promptsByStyle": {}}, "promptsByStyle"),
    ("styles without prompts", {"promptsByStyle": {"a": [], "b": []}}, "promptsByStyle"),
    ("a beat twice", {"promptsByStyle": {"a": [beat(1), beat(1)]}}, "promptsByStyle.0.1.beat_number"),
    (
        "a beat twice, once as a number",
        {"promptsByStyle": {"a": [{**beat(1), "beat_number": b} for b in (1, "1")]}},
        "promptsByStyle.0.1",
    ),
    ("a style that leads out", {"promptsByStyle": {"../a": [beat(1)]}}, "promptsByStyle"),
    ("a shot that leads out", {"promptsByStyle": {"a": [{**beat(1), "shot_number": "a/b"}]}}, "shot_number"),
    ("a beat that leads out", {"promptsByStyle": {"a": [{**beat(1), "beat_number": ".."}]}}, "beat_number"),
    ("a long beat", {"promptsByStyle": {"a": [{**beat(1), "beat_number": "x" * 65}]}}, "beat_number"),
    ("no prompt", {"promptsByStyle": {"a": [{**beat(1), "ai_prompt": " "}]}}, "ai_prompt"),
    ("a fraction", {"promptsByStyle": {"a": [{**beat(1), "beat_number": 1.1}]}}, "beat_number"),
    ("a redraw nobody knows", {"redraw": "some"}, "redraw"),
    ("no concurrency", {"max_concurrency": 0}, "max_concurrency"),
    ("too many", {"promptsByStyle": {"a": [beat(n) for n in range(2001)]}}, "promptsByStyle"),
]


@pytest.mark.parametrize(
    ("body", "field"), [(body, field) for _, body, field in WRONG], ids=[name for name, _, _ in WRONG]
)
async def test_wrong_values_are_refused_by_name(live: Live, body: Json, field: str) -> None:
    refused = await live.client.post(POST, json={**board(), **body})
    assert (refused.status_code, refused.json()["code"]) == (422, "validation_error")
    places = [".".join(map(str, error["loc"])) for error in refused.json()["errors"]]
    assert any(field in place for place in places), places
    assert (await live.client.get(ROOT)).json()["storyboards"] == []


@pytest.mark.parametrize("field", ["beat_number", "shot_number"])
@pytest.mark.parametrize("value", [None, True, 1.5, -1, 10**9, [], {}])
async def test_a_number_that_is_none_is_one_wrong_value_in_plain_words(live: Live, field: str, value: Any) -> None:
    prompts = {"illustration": [beat(1)], "clear": [beat(1), {**beat(2), field: value}]}
    refused = (await live.client.post(POST, json=board() | {"promptsByStyle": prompts})).json()
    sentence = 'should be a whole number from 0 to 999,999,999, or a text like "1.1"'
    assert [(one["loc"], one["msg"]) for one in refused["errors"]] == [
        (["body", "promptsByStyle", 1, 1, field], sentence)
    ]
    assert refused["detail"] == f"promptsByStyle.1.1.{field}: {sentence}"


@pytest.mark.parametrize(("shot", "number"), [(1, "1.1"), ("1", 1), ("01", "001"), (7, "A\u0308")])
async def test_numbers_are_told_as_they_were_sent(
    live: Live, project: Path, shot: int | str, number: int | str
) -> None:
    body = board(("clear",), 1) | {
        "promptsByStyle": {"clear": [beat(1) | {"shot_number": shot, "beat_number": number}]}
    }
    for redraw in ("none", "none", "all"):
        events = await post(live, {**body, "redraw": redraw})
        told_of = [one for one in events if one["type"] == "progress"]
        assert told_of
        assert [(one["shot_number"], one["beat_number"]) for one in told_of] == [(shot, number)] * len(told_of)
    (style,) = (await grid(live.client, events[0]["storyboard_id"]))["styles"]
    assert [(one["shot_number"], one["beat_number"]) for one in style["beats"]] == [(shot, number)]
    name = unicodedata.normalize("NFC", str(number))
    assert files_of(project)[0] == f"generated_images/clear/Shot_{shot}/Beat_{name}.png"
    again = await live.client.post(f"{ROOT}/{events[0]['storyboard_id']}/beats/clear/{number}/redraw")
    assert [(one["shot_number"], one["beat_number"]) for one in again.json()["styles"][0]["beats"]] == [(shot, number)]
    other = body | {"promptsByStyle": {"clear": [beat(1) | {"shot_number": str(shot), "beat_number": name}]}}
    await until(live.client, events[0]["storyboard_id"], "completed")
    assert (await post(live, other))[1]["beat_number"] == name, "as it was sent last"


async def test_a_folder_that_leads_out_of_the_root_is_refused(live: Live, project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    project.parent.mkdir(parents=True)
    project.symlink_to(outside)
    refused = await live.client.post(POST, json=board())
    assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["body", "projectPath"])
    assert str(tmp_path) not in refused.text
    project.unlink()
    project.symlink_to(project.parent / "inside")
    (project.parent / "inside").mkdir()
    assert (await post(live, board(("clear",), 1)))[-1]["result"]["success"]
    assert files_of(project.parent / "inside"), "a link that stays inside is followed"
    assert not any(outside.iterdir())


async def test_a_full_folder_is_told_and_mended_later(live: Live, project: Path) -> None:
    project.parent.mkdir(parents=True)
    project.write_text("a file where a folder has to be")
    events = await post(live, board(("clear",), 2))
    assert events[-1]["result"]["completed"] == 2, "the pictures are there"
    board_id = events[0]["storyboard_id"]
    files = (await grid(live.client, board_id))["files"]
    assert files["error"]
    assert "copied" in files["advice"]
    project.unlink()
    await post(live, board(("clear",), 2))
    assert len(files_of(project)) == 3
    assert (await grid(live.client, board_id))["files"] == {"error": None, "advice": None}


async def test_each_owner_has_a_root_and_nobody_sees_another_s(serve: Serve, tmp_path: Path) -> None:
    async with serve(auth="keys") as live:
        ann, bob = await bearer(live, "ann"), await bearer(live, "bob")
        ids = [(await post(live, board(("clear",), 1), headers=who))[0]["storyboard_id"] for who in (ann, bob)]
        assert ids[0] != ids[1]
        for who in ("ann", "bob"):
            assert len(files_of(tmp_path / "data" / "projects" / who / "films" / "hill")) == 2
        for method, path in (("GET", ""), ("GET", "/stream"), ("POST", "/pause"), ("POST", "/beats/clear/1.1/redraw")):
            assert (await live.client.request(method, f"{ROOT}/{ids[0]}{path}", headers=bob)).status_code == 404
        listed = (await live.client.get(ROOT, headers=ann)).json()["storyboards"]
        assert [one["storyboard_id"] for one in listed] == [ids[0]]
        ticket = (await live.client.post("/api/v1/tickets", json={"group": ids[0]}, headers=ann)).json()["ticket"]
        assert (await live.client.get(f"{ROOT}/{ids[0]}", params={"ticket": ticket})).status_code == 200
        watched = await live.client.get(f"{ROOT}/{ids[0]}/stream", params={"ticket": ticket})
        assert told(watched.text)[-1]["type"] == "complete"
        assert (await live.client.get(f"{ROOT}/{ids[1]}", params={"ticket": ticket})).status_code == 401
        assert (await live.client.get(f"{STATUS}/films/hill", params={"ticket": ticket})).status_code == 401


async def test_storyboards_need_a_key(serve: Serve) -> None:
    async with serve(auth="anonymous") as live:
        assert (await live.client.post(POST, json=board())).status_code == 401
        assert (await live.client.get(f"{STATUS}/films/hill")).status_code == 401
        for path in ("", "/pools", f"/{'0' * 32}", f"/{'0' * 32}/stream"):
            assert (await live.client.get(ROOT + path)).status_code == 401


async def test_lists_go_on_behind_a_cursor(live: Live) -> None:
    for name in ("b", "a", "c"):
        await begin(live.client, board(("clear",), 1, path=name))
    page = (await live.client.get(ROOT, params={"limit": 2})).json()
    assert [one["project_path"] for one in page["storyboards"]] == ["a", "b"]
    rest = (await live.client.get(ROOT, params={"cursor": page["next_cursor"]})).json()
    for cursor in ("zz", "YQ==", "b", "ä", "="):
        refused = await live.client.get(ROOT, params={"cursor": cursor})
        assert (refused.status_code, refused.json()["errors"][0]["loc"]) == (422, ["query", "cursor"])
    assert [one["project_path"] for one in rest["storyboards"]] == ["c"]
    assert (rest["storyboards"][0]["styles"], rest["storyboards"][0]["beats"]) == (["clear"], 1)


async def test_a_reader_that_takes_each_chunk_for_whole_lines_sees_start_progress_and_complete(live: Live) -> None:
    """As clients of the event stream do it: split what came on newlines, parse each `data: ` line alone."""
    seen: list[Any] = []
    long = "x" * 64
    body = board((f"{long}", "ü" * 64), 3, path="/".join([long] * 6))
    async with live.client.stream("POST", POST, json=body) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert "no-transform" in response.headers["cache-control"]
        async for chunk in response.aiter_raw():
            lines = chunk.decode().split("\n")
            seen += [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
    assert seen[0]["type"] == "start"
    assert seen[-1]["type"] == "complete"
    assert [one["status"] for one in seen if one["type"] == "progress"].count("complete") == 6


async def test_a_storyboard_is_deleted_whole_and_its_folder_stays(live: Live, project: Path) -> None:
    board_id = await begin(live.client, board(("clear",), 2, sandbox=STALL))
    refused = await live.client.delete(f"{ROOT}/{board_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    await live.client.post(f"{ROOT}/{board_id}/cancel")
    for redraw in ("none", "all"):
        await post(live, {**board(("clear",), 2), "redraw": redraw})
    beats = beats_of(await grid(live.client, board_id), "clear")
    assert (await live.client.delete(f"{ROOT}/{board_id}")).status_code == 204
    assert (await live.client.get(f"{ROOT}/{board_id}")).status_code == 404
    assert (await live.client.get(ROOT)).json()["storyboards"] == []
    assert (await live.client.get(f"/api/v1/images/jobs/{beats['1.1']['job_id']}")).status_code == 404
    assert (await live.client.get(f"{STATUS}/films/hill")).json()["isGenerating"] is False
    kept = files_of(project)
    assert len(kept) == 3
    events = await post(live, board(("clear",), 2))
    assert len(progress_of(events, "exists")) == 2, "what lies there is honoured"
    assert files_of(project) == kept
