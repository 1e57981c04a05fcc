"""Serve the page's styles and scripts: compressed, and once only, as long as they stay the same."""

from pathlib import Path
from typing import Any

from fastapi.middleware.gzip import GZipMiddleware
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import ASGIApp


class _Kept(StaticFiles):
    """Files that browsers keep, and ask each time whether they have changed."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        response = super().file_response(*args, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def static_files(folder: Path) -> ASGIApp:
    """Return the application that serves a folder. Nothing in it is secret, so that its length may tell its content."""
    return GZipMiddleware(_Kept(directory=folder))
