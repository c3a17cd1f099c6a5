"""The service as `uvicorn main:app` starts it, with that command's own logs."""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn

if __name__ == "__main__":
    os.chdir(Path(os.environ["ATELIER_DATA_DIR"]).parent)
    uvicorn.main(["main:app", "--port", os.environ["PORT"], "--app-dir", os.environ["PYTHONPATH"]])
