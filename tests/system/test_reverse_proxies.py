"""nginx and Caddy from Debian in front of the service, as docs/operate.md says: at the top, and below a path."""

import asyncio
import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.bots.slack.workspace import BOT, said
from tests.bots.telegram.conftest import is_finished, until
from tests.bots.telegram.person import Person
from tests.bots.web.browser import needs_chromium, started, visit
from tests.chaos.platforms import SLACK_EVENTS, Platforms
from tests.demo import sample
from tests.ports import free_port
from tests.system.conftest import ROOT, START_SECONDS, Host, debian

pytestmark = [pytest.mark.system, pytest.mark.timeout(900), needs_chromium]
TOKEN = "the-pages-own-token"
PATHS = {"at the top": "", "below a path": "/pictures"}
# What a configuration for a server of its own needs around the lines of docs/operate.md.
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {lines}
  }}
}}
"""
CADDY = """
{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  {lines}
}}
"""


def documented(language: str, service: int, path: str) -> str:
    """The lines of docs/operate.md for a proxy, with our port and path."""
    text = (ROOT / "docs" / "operate.md").read_text("utf-8")
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert len(found) == 1
    assert "/pictures" in found[0]
    lines: str = found[0]
    return lines.replace("127.0.0.1:5000", f"127.0.0.1:{service}").replace("/pictures", path)


@contextmanager
def proxy(kind: str, folder: Path, service: int, path: str) -> Iterator[str]:
    """A proxy in front of the service; yields its address."""
    port = free_port()
    if kind == "nginx":
        program, text = debian("usr/sbin/nginx"), NGINX
        command = [program, "-p", str(folder), "-e", "stderr", "-c", str(folder / kind)]
    else:
        program, text = debian("usr/bin/caddy"), CADDY
        command = [program, "run", "--adapter", "caddyfile", "--config", str(folder / kind)]
    lines = documented(kind, service, path)
    if not path:  # the lines that lead from the path to the path with its stroke have no sense at the top
        lines = re.sub(r"(?m)^\s*(redir|return) .*\n", "", lines)
    (folder / kind).write_text(text.format(folder=folder, port=port, lines=lines), "utf-8")
    log = folder / f"{kind}.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, stdout=out, stderr=out, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"}
        ) as process,
    ):
        try:
            with httpx.Client(trust_env=False) as client:
                while True:
                    assert process.poll() is None, log.read_text("utf-8")
                    with suppress(httpx.TransportError):
                        client.get(f"http://127.0.0.1:{port}/")
                        break
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("kind", ["nginx", "caddy"])
async def test_everything_works_behind_a_proxy(host: Host, kind: str, path: str) -> None:
    with proxy(kind, host.folder, host.port, path) as public:
        async with Platforms(("telegram", "slack"), random.Random(1)) as platforms:
            tables = platforms.tables(public, {"telegram": "webhook", "slack": "HTTP"})
            tables = tables.replace("bot.example.org/hook", f"bot.example.org{path}/hook")
            platforms.slack.http_url = f"{public}{path}{SLACK_EVENTS}"
            page = f'path = "{path}"\ntoken = "{TOKEN}"\ntrusted_proxies = ["127.0.0.1"]\n'
            host.config.write_text(host.config.read_text("utf-8") + page + tables, "utf-8")
            with host.start(wait=False) as service:
                await asyncio.wait_for(_ready(f"http://127.0.0.1:{host.port}"), START_SECONDS)
                await _chats(platforms)
                await _program(public + path, f"{path}/api/v1/")
                async with started() as browser, visit(browser, public + path, "/") as opened:
                    await _person(opened, public + path)
                assert service.process.poll() is None


async def _ready(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        while True:
            with suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def _chats(platforms: Platforms) -> None:
    """Ask on Telegram and on Slack, which post to the proxy."""
    ann = Person(platforms.telegram, platforms.telegram.world.chat(7))
    ann.shows(sample("invoice"), "What is the total?")
    thread = platforms.slack.says(f"<@{BOT}> what is the total?", (platforms.slack.upload(sample("invoice")),))

    def answered() -> bool:
        answers = platforms.slack.workspace.answers("C0GENERAL", thread)
        done = [each for each in answers if said(each) and not platforms.slack.workspace.is_open(each["ts"])]
        return bool(done) and any(is_finished(message) for message in ann.chat.by_bot())

    await until(answered, START_SECONDS)


async def _program(public: str, below: str) -> None:
    """A stream arrives in pieces, and an upload of many megabytes at all."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(headers=headers, timeout=START_SECONDS, trust_env=False) as client:
        files = {"image": ("a.png", sample("invoice"), "image/png")}
        fields = {"query": "What is the total?", "stream": "true", "html": "true"}
        async with client.stream("POST", f"{public}/api/v1/analyze", data=fields, files=files) as answer:
            assert answer.status_code == 200
            pieces = [piece async for piece in answer.aiter_raw()]
        assert len(pieces) > 1
        assert b"event: done" in b"".join(pieces)
        large = {"image": ("large.png", sample("chart") + bytes(20 << 20), "image/png")}
        added = await client.post(f"{public}/api/v1/pictures", files=large)
        assert added.status_code == 200, added.text
        assert all(picture["url"].startswith(below) for picture in added.json()["pictures"])
        assert (await client.get(f"{public}/readyz")).text == "ok\n"
        assert (await client.head(f"{public}/admin")).status_code == 200


async def _person(page: Page, public: str) -> None:
    """Sign in, ask and sign out in the browser; nothing is asked for above the path."""
    await expect(page).to_have_url(f"{public}/login")
    await page.fill("#token", TOKEN)
    await page.press("#token", "Enter")
    await expect(page).to_have_url(f"{public}/")
    await page.wait_for_load_state()  # before that nobody listens for files
    picture = FilePayload(name="a.png", mimeType="image/png", buffer=sample("invoice"))
    await page.locator("#files").set_input_files(picture)
    await page.fill("#question", "What is the total?")
    await page.press("#question", "Enter")
    await expect(page.locator(".prose")).not_to_be_empty()
    await page.reload()
    await expect(page.locator(".turn")).to_have_count(1)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{public}/login")
