"""How the page's parts are served."""

from __future__ import annotations

import pytest
from tests.live import Live


async def test_the_page_s_parts_are_asked_for_again(live: Live) -> None:
    for address in ("/", "/studio/app.js", "/studio/shared/markdown.js"):
        first = await live.client.get(address)
        assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
    again = await live.client.get("/studio/app.js", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200, "that is another's"
    tag = again.headers["etag"]
    same = await live.client.get("/studio/app.js", headers={"If-None-Match": tag})
    assert (same.status_code, same.headers["cache-control"], same.content) == (304, "no-cache", b"")


@pytest.mark.parametrize("path", ["/", "/docs", "/health", "/ready", "/studio/style.css"])
async def test_who_only_wants_to_know_whether_it_is_there_may_ask_with_head(live: Live, path: str) -> None:
    whole, head = await live.client.get(path), await live.client.head(path)
    assert head.status_code == whole.status_code == 200
    assert (head.headers["content-type"], head.content) == (whole.headers["content-type"], b"")
