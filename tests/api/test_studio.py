"""How the page's parts are served."""

from __future__ import annotations

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
