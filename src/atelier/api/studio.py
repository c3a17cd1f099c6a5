"""What browsers are served: the page, its parts, and the document of the API with a page to read it."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

STUDIO = Path(__file__).parent.parent / "studio"
ASK_AGAIN = {"Cache-Control": "no-cache"}
DOCUMENT = "/openapi.json"


def add_document(app: FastAPI) -> None:
    """Serve the OpenAPI document: made when it is first asked for, and kept as it is sent."""
    kept: dict[str, bytes] = {}

    async def document(request: Request) -> Response:
        root = request.scope.get("root_path", "").rstrip("/")  # where a proxy has it; of the server, not of the request
        if root not in kept:
            servers = {"servers": [{"url": root}]} if root else {}
            kept[root] = bytes(JSONResponse({**app.openapi(), **servers}).body)
        return Response(kept[root], media_type="application/json")

    app.add_route(DOCUMENT, document, include_in_schema=False)


def add_pages(app: FastAPI) -> None:
    """Serve the page at `/`, its parts below `/studio`, and the reference at `/docs`."""
    if not mimetypes.inited:
        mimetypes.init()  # reads the machine's lists of types: now, not in the loop
    app.mount("/studio", StudioFiles(directory=STUDIO), name="studio")

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STUDIO / "index.html", headers=ASK_AGAIN)

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    async def reference() -> FileResponse:
        return FileResponse(STUDIO / "reference" / "page.html", headers=ASK_AGAIN)


class StudioFiles(StaticFiles):
    """The page's parts: browsers ask again whether they have changed, or an upgraded page would meet parts of the last one."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 - starlette's own
        """Return a file, or that it is as the browser has it."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(ASK_AGAIN)
        return response
