"""Events on the wire: one line, few bytes, whatever the texts are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atelier.api.streams import LIMIT, SIX, encode

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=3000)
URL = "https://atelier.example/pictures/" + "a" * 260


def completed(alt_text: str, message: str, pictures: int = 1) -> dict[str, Any]:
    job = "https://atelier.example/api/v1/images/jobs/" + "f" * 32
    picture = {
        "image_id": "f" * 32 + "-1",
        "image_url": URL,
        "width": 1024,
        "height": 1024,
        "format": "png",
        "alt_text": alt_text,
        "thumbnail_url": URL,
        "provider": "sandbox",
        "content_hash": "e" * 64,
    }
    return {
        "stage": "completed",
        "progress": 100.0,
        "message": message,
        "job_id": "f" * 32,
        "status": "completed",
        "data": {
            "result": {"images": [dict(picture) for _ in range(pictures)]},
            "is_draft": False,
            "blog_id": "b" * 128,
            "blog_job_id": "j" * 128,
        },
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "urls": {"self": job, "stream": f"{job}/stream", "cancel": f"{job}/cancel", "retry": f"{job}/retry"},
    }


def parse(event: bytes) -> dict[str, Any]:
    """Parse as the careless client does: split on newlines, nothing else is a line end."""
    lines = event.decode().split("\n")
    assert lines[0].startswith("id: ")
    assert lines[2:] == ["", ""]
    found: dict[str, Any] = json.loads(lines[1].removeprefix("data: "))
    return found


@given(texts, texts, st.integers(1, 5))
def test_any_text_fits_and_stays_one_line(alt_text: str, message: str, pictures: int) -> None:
    event = encode(completed(alt_text[:125], message, pictures), 2**53)
    assert len(event) <= LIMIT
    for separator in ("\x85", "\u2028", "\u2029", "\r", "\x0b", "\x0c", "\x1e"):
        assert separator not in event.decode()
    sent = parse(event)
    assert set(SIX) <= sent["data"]["result"]["images"][0].keys()
    assert sent["data"]["result"]["images"][0]["image_url"] == URL
    assert sent["urls"]["self"].endswith("f" * 32)
    assert sent["stage"] == "completed"


def test_the_longest_names_fit_and_the_picture_stays() -> None:
    message = completed("A hill", "Completed")
    base = "https://" + "a" * 222
    result = message["data"]["result"]
    result["images"][0]["image_url"] = f"{base}/pictures/{'p' * 60}"
    result |= {
        "success": True,
        "provider": "stability_ai",
        "model": "m" * 60,
        "generation_time_seconds": 1.2,
        "cost": 0.01,
    }
    message["urls"]["self"] = f"{base}/api/v1/images/jobs/{'f' * 32}"
    event = encode(message, 2**53)
    assert len(event) <= LIMIT
    sent = parse(event)
    assert (sent["job_id"], sent["progress"]) == ("f" * 32, 100.0)
    assert sent["data"]["result"]["images"][0]["image_url"].startswith(base)
    assert set(SIX) <= sent["data"]["result"]["images"][0].keys()
    assert (sent["data"]["blog_id"], sent["data"]["blog_job_id"]) == ("b" * 128, "j" * 128)


@given(texts)
def test_an_error_keeps_a_text(error: str) -> None:
    message = {
        "stage": "error",
        "progress": 15.0,
        "message": error,
        "job_id": "f" * 32,
        "status": "failed",
        "data": {"error": error or "Broken", "code": "internal", "retryable": False},
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "urls": {"self": URL},
    }
    event = encode(message, 4)
    assert len(event) <= LIMIT
    assert parse(event)["data"]["error"]


def test_what_fits_is_not_touched() -> None:
    message = completed("A hill", "Completed")
    message["data"]["blog_id"] = message["data"]["blog_job_id"] = None
    before = json.loads(json.dumps(message))
    sent = parse(encode(message, 5))
    assert sent["message"] == before["message"]
    assert sent["data"]["result"]["images"][0]["alt_text"] == "A hill"


def test_things_are_dropped_in_the_documented_order() -> None:
    message = completed("A hill", "Completed", pictures=2)
    message |= {"eta": {"p50": 1}, "queue": {"position": 1}, "message": "m" * 100}
    sent = parse(encode(message, 5))
    assert sent["urls"].keys() == {"self"}
    assert "eta" not in sent
    assert "queue" not in sent
    assert sent["data"]["result"]["images"][0].keys() == set(SIX)
    assert len(sent["data"]["result"]["images"]) == 1, "more pictures go before texts are cut"
    assert sent["message"] == "m" * 100


@pytest.mark.parametrize("text", ["é" * 3000, "😀" * 3000, '"' * 3000, "\x00" * 3000])
def test_texts_are_cut_by_the_bytes_they_take(text: str) -> None:
    assert len(encode(completed(text[:125], text), 1)) <= LIMIT


@given(texts, st.booleans())
def test_a_draft_makes_room_for_the_picture(alt_text: str, numbered: bool) -> None:  # noqa: FBT001
    message = completed(alt_text[:125], "Completed")
    message["data"]["draft"] = dict(message["data"]["result"]["images"][0])
    event = encode(message, 2**53 if numbered else None)
    assert len(event) <= LIMIT
    assert event.startswith(b"id: " if numbered else b"data: ")
    data = json.loads(event.decode().split("data: ", 1)[1])["data"]
    assert set(data["result"]["images"][0]) >= set(SIX)
    assert "image_url" in data.get("draft", {"image_url": ""})


def test_a_draft_that_fits_is_kept() -> None:
    message = completed("A hill", "Completed")
    message["data"] |= {
        "draft": {"image_url": "https://a.example/d.png", **dict.fromkeys(SIX[2:], "x"), "image_id": "i"}
    }
    assert json.loads(encode(message, None)[6:])["data"]["draft"]["image_url"] == "https://a.example/d.png"


def post(title: str, message: str) -> dict[str, Any]:
    job = "https://atelier.example/api/v1/blog/jobs/" + "f" * 32
    return {
        "stage": "completed",
        "progress": 100.0,
        "message": message,
        "job_id": "f" * 32,
        "status": "completed",
        "data": {"result": {"success": True, "title": title, "blog_id": "b" * 128, "words": 700}, "blog_id": "b" * 128},
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "urls": {name: f"{job}/{name}" for name in ("self", "stream", "cancel", "retry", "ticket")},
        "warnings": [message] * 5,
        "stage_number": 13,
        "total_stages": 13,
    }


@given(texts, texts)
@example("é" * 3000, "m")
@example("😀" * 200, "m" * 3000)
def test_a_post_s_end_fits_and_keeps_its_title_and_scores(title: str, message: str) -> None:
    event = encode(post(title, message), 2**53)
    assert len(event) <= LIMIT
    sent = parse(event)
    assert bool(sent["data"]["result"]["title"]) == bool(title)
    assert sent["data"]["result"]["words"] == 700
    assert sent["data"]["blog_id"] == "b" * 128
    assert (sent["stage_number"], sent["total_stages"]) == (13, 13)


@given(texts, texts, texts)
@example("é" * 3000, "m" * 3000, "d" * 3000)
def test_a_section_and_what_a_stage_says_of_itself_fit(title: str, message: str, detail: str) -> None:
    milestone = post("", message) | {"stage": "draft_generation", "status": "processing"}
    milestone["data"] = {
        "key": "section/1",
        "section": {"number": 1, "title": title, "words": 200},
        "reason": detail,
        "found": [detail, detail],
        "words": 200,
    }
    event = encode(milestone, 2**53)
    assert len(event) <= LIMIT
    data = parse(event)["data"]
    assert (data["key"], data["words"], data["section"]["number"], data["section"]["words"]) == (
        "section/1",
        200,
        1,
        200,
    )


def test_details_go_before_a_message_is_cut() -> None:
    milestone = post("", "m" * 300) | {"stage": "enhancement", "status": "processing"}
    milestone["data"] = {"key": "stage/enhancement", "evidence": "e" * 900, "claims": 3}
    sent = parse(encode(milestone, 5))
    assert sent["message"] == "m" * 300
    assert sent["data"] == {"key": "stage/enhancement", "claims": 3}
