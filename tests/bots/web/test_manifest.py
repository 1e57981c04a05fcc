"""The page can be put on a telephone's home screen."""

import io
from urllib.parse import urljoin

from PIL import Image

from tests.bots.web.conftest import Web


async def test_what_the_manifest_names_is_there(web: Web) -> None:
    page = (await web.client.get("/")).text
    assert '<link rel="manifest" href="static/manifest.json">' in page
    assert '<link rel="apple-touch-icon" href="static/icon-180.png">' in page
    here = f"{web.url}/static/manifest.json"
    manifest = (await web.client.get(here)).json()
    assert urljoin(here, manifest["start_url"]) == f"{web.url}/"
    for icon in manifest["icons"]:
        found = await web.client.get(urljoin(here, icon["src"]))
        assert (found.status_code, found.headers["content-type"].partition(";")[0]) == (200, icon["type"])
        if icon["type"] == "image/png":
            width, height = Image.open(io.BytesIO(found.content)).size
            assert icon["sizes"] == f"{width}x{height}"
