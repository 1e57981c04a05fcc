"""The page below a path: behind a proxy that leaves the path in addresses, and behind one that takes it away."""

import io
import json
import zipfile
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, FilePayload, expect

from bots.config import load
from bots.web.config import WebConfig
from core.errors import OperatorError
from tests.bots.web.browser import needs_chromium, visit
from tests.bots.web.conftest import photo, service
from tests.fakes import ScriptedEngine

PATH = "/pictures"
TOKEN = "the-pages-own-token"
ANSWER = '| a | b |\n|---|---|\n| 1 | 2 |\n\n```json\n[{"bbox_2d": [100, 100, 500, 500], "label": "stamp"}]\n```'


@needs_chromium
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.timeout(600)
async def test_the_page_works_below_a_path_from_sign_in_to_sign_out(browser: Browser, tmp_path: Path) -> None:
    """`visit` sees that the page asks for nothing above its path."""
    engine = ScriptedEngine(script=lambda _: ANSWER, pause=0.01)
    async with (
        service(tmp_path, engine, path=PATH, token=TOKEN) as web,
        visit(browser, web.url + PATH, "/") as page,
    ):
        await expect(page).to_have_url(f"{web.url}{PATH}/login")
        await page.fill("#token", TOKEN)
        await page.press("#token", "Enter")
        await expect(page).to_have_url(f"{web.url}{PATH}/")
        await page.wait_for_load_state()  # before that nobody listens for files
        assert [cookie.get("path") for cookie in await page.context.cookies()] == [f"{PATH}/"] * 2
        await page.locator("#files").set_input_files(FilePayload(name="p.png", mimeType="image/png", buffer=photo()))
        await expect(page.locator("#attached li")).to_have_count(1)
        await page.fill("#question", "Where is the stamp?")
        await page.press("#question", "Enter")
        await expect(page.locator(".marked img")).not_to_have_js_property("naturalWidth", 0)
        await expect(page.locator(".prose table")).to_be_visible()
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Table as CSV").click()
        assert b"a,b" in (await (await download.value).path()).read_bytes()
        await page.reload()
        await expect(page.locator(".turn")).to_have_count(1)
        await expect(page.locator(".turn img").first).not_to_have_js_property("naturalWidth", 0)
        for name, address in (("For programs: the API", "docs"), ("OpenAPI", "openapi.json")):
            await page.get_by_role("link", name=name).click()
            await expect(page).to_have_url(f"{web.url}{PATH}/{address}")
            if address == "docs":
                assert f"{web.url}{PATH}/api/v1/analyze" in await page.content()
        await page.goto(f"{web.url}{PATH}/admin")
        await expect(page.locator("#live")).to_be_visible()
        await page.locator("a.home").click()
        await expect(page).to_have_url(f"{web.url}{PATH}/")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page).to_have_url(f"{web.url}{PATH}/login")
        assert [cookie.get("name") for cookie in await page.context.cookies()] == ["browser"]  # its list stays


@pytest.mark.parametrize("path", [PATH, "/one/two_3~-"])
@pytest.mark.parametrize("taken_away", [True, False])
async def test_what_programs_are_told_leads_below_the_path(tmp_path: Path, path: str, taken_away: bool) -> None:
    async with service(tmp_path, ScriptedEngine(script=lambda _: ANSWER), path=path) as web:
        base = web.url if taken_away else web.url + path
        async with httpx.AsyncClient(base_url=base, timeout=60) as client:
            files = {"image": ("p.png", photo(), "image/png")}
            begun = (await client.post("/api/v1/pictures", files=files)).json()
            addresses = [picture["url"] for picture in begun["pictures"]]
            fields = {"query": "What?", "conversation": begun["conversation"], "stream": "true", "html": "true"}
            addresses += _addresses((await client.post("/api/v1/analyze", data=fields)).text)
            shown = await client.get(f"/api/v1/conversations/{begun['conversation']}")
            addresses += _addresses(shown.text)
            assert len(addresses) >= 4
            for address in addresses:
                assert address.startswith(f"{path}/api/v1/")
                assert (await web.client.get(address)).status_code == 200
                assert (await web.client.get(address.removeprefix(path))).status_code == 200
            exported = await client.get(f"/api/v1/conversations/{begun['conversation']}/export")
            assert exported.status_code == 200
            assert b"/api/v1/" not in _unpacked(exported.content)
            [model] = (await client.get("/v1/models")).json()["data"]
            asked = {"model": model["id"], "messages": [{"role": "user", "content": "What?"}]}
            said = await client.post("/v1/chat/completions", json=asked)
            assert said.json()["choices"][0]["message"]["content"]
            refused = await client.get("/v1/models/another")
            assert refused.json()["error"]["message"]  # in OpenAI's shape, also below a path
            assert (await client.get("/openapi.json")).json()["servers"] == [{"url": path}]
            for page in ("/", "/admin", "/docs", "/login", "/healthz", "/readyz", "/metrics", "/static/page.js"):
                assert (await client.head(page, follow_redirects=True)).status_code in (200, 307)


def _unpacked(archive: bytes) -> bytes:
    """All files of a zip archive, one after the other."""
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        return b"".join(files.read(name) for name in files.namelist())


def _addresses(text: str) -> list[str]:
    """The addresses in an answer, in whatever field of it."""
    words = json.dumps(text).replace("\\", "").split('"')
    return [word for word in words if "/api/v1/" in word and not word.startswith("http")]


async def test_the_path_without_its_last_stroke_leads_to_the_page(tmp_path: Path) -> None:
    async with service(tmp_path, path=f"{PATH}/") as web:
        assert (await web.client.get(PATH)).headers["location"] == f"{PATH}/"
        assert (await web.client.post(PATH)).status_code == 404
        for other in ("/picturesque", "/pictures/pictures/"):
            assert (await web.client.get(other)).status_code == 404


async def test_sign_in_stays_below_the_path_though_the_proxy_takes_it_away(tmp_path: Path) -> None:
    async with service(tmp_path, path=PATH, token=TOKEN) as web:
        html = {"Accept": "text/html"}
        assert (await web.client.get("/", headers=html)).headers["location"] == f"{PATH}/login"
        assert (await web.client.get(f"{PATH}/admin", headers=html)).headers["location"] == f"{PATH}/login"
        for closed in ("/", "/admin", "/api/v1/conversations", "/metrics", "/openapi.json"):
            assert (
                (await web.client.get(PATH + closed)).status_code == (await web.client.get(closed)).status_code == 401
            )
        signed_in = await web.client.post("/login", data={"token": TOKEN})
        assert signed_in.headers["location"] == f"{PATH}/"
        assert f"Path={PATH}/;" in signed_in.headers["set-cookie"] + ";"
        cookie = {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}
        signed_out = await web.client.post("/logout", headers=cookie)
        assert signed_out.headers["location"] == f"{PATH}/login"
        assert f"Path={PATH}/;" in signed_out.headers["set-cookie"] + ";"


async def test_only_named_proxies_say_who_asks_and_by_which_scheme(tmp_path: Path) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Prefix": "/elsewhere"}
    for proxies, secure in (([], False), (["192.0.2.0/24"], False), (["127.0.0.1"], True)):
        folder = tmp_path / str(len(proxies[0]) if proxies else 0)
        folder.mkdir()
        async with service(folder, path=PATH, token=TOKEN, trusted_proxies=proxies) as web:
            signed_in = await web.client.post("/login", data={"token": TOKEN}, headers=headers)
            assert ("Secure" in signed_in.headers["set-cookie"]) == secure
            assert signed_in.headers["location"] == f"{PATH}/"


@pytest.mark.parametrize("path", ["pictures", "/a b", "/../a", "https://example.org/a", "//a", "/a?b", "/ü"])
def test_what_is_no_path_is_refused_with_an_example(tmp_path: Path, path: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[bots.web]\npath = "{path}"\n', "utf-8")
    with pytest.raises(OperatorError, match=r'\[bots\.web\] path: it has to be like "/pictures"'):
        load(config, {})


def test_the_top_may_be_written_as_a_stroke() -> None:
    assert WebConfig.model_validate({"path": "/"}).path == ""


def test_no_file_of_the_page_names_an_address_from_the_top() -> None:
    """It would lead elsewhere below a path."""
    web = Path(__file__).parents[3] / "bots" / "web"
    files = [*web.glob("templates/*.html"), *(file for file in web.glob("static/*") if file.suffix not in ("", ".png"))]
    assert len(files) > 20
    for file in files:
        text = file.read_text("utf-8")
        for begins in ('="/', "='/", "url(/", '"/static', '"/login', '"/logout', '"/admin', '"/docs', 'fetch("/'):
            assert begins not in text, f"{file.name}: {begins}"
