"""Nobody let in: attacks on the web's access, each over real HTTP."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from bots import log
from bots.web.access.address import address_of
from bots.web.access.session import COOKIE, Authentication, TokenCheck
from bots.web.access.token_guesses import WRONG_TRIES_IN_ALL, WRONG_TRIES_PER_ADDRESS, TokenGuesses
from bots.web.config import WebConfig
from core.conversation import Question
from core.errors import OperatorError, StoreDown
from core.pictures import workers
from core.quota import QuotaConfig
from core.tally import Counts, Result
from tests.bots.web.conftest import Web, photo, service, until
from tests.fakes import MemoryTallies, ScriptedEngine, image

TOKEN = "a-token-for-the-tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CUT_OFF = (ConnectionError, asyncio.IncompleteReadError)


async def test_a_foreign_host_is_refused_whatever_is_asked(web: Web) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "93.184.216.34", "localhost@evil.example", "["):
        for path in ("/", "/api/v1/conversations", "/healthz", "/static/page.css", "/metrics"):
            response = await web.client.get(path, headers={"Host": host})
            assert response.status_code == 400
            assert "hosts" in response.json()["detail"]


async def test_own_names_and_configured_ones_are_served(tmp_path: Path) -> None:
    async with service(tmp_path, hosts=["pictures.example"]) as web:
        for host in ("localhost:5000", "127.0.0.1", "LOCALHOST", "[::1]:5000", "pictures.example"):
            assert (await web.client.get("/healthz", headers={"Host": host})).status_code == 200


async def test_a_post_from_another_page_is_refused(web: Web) -> None:
    paths = ("/api/v1/analyze", "/api/v1/pictures", "/login", "/logout", "/api/v1/conversations/web:1/stop")
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "https://[", ""):
        for path in paths:
            response = await web.client.post(path, headers={"Origin": origin}, data={"query": "?"})
            assert response.status_code == 403
        assert (await web.client.delete("/api/v1/conversations/web:1", headers={"Origin": origin})).status_code == 403


async def test_a_post_that_a_browser_marks_as_cross_site_is_refused(web: Web) -> None:
    for site in ("cross-site", "same-site"):
        response = await web.client.post("/api/v1/analyze", headers={"Sec-Fetch-Site": site})
        assert response.status_code == 403


async def test_a_post_from_the_page_itself_is_served(web: Web) -> None:
    headers = {"Origin": web.url}
    answer = await web.client.post("/api/v1/analyze", data={"query": "?"}, files={"image": photo()}, headers=headers)
    assert answer.status_code == 200


@pytest.fixture
async def closed(tmp_path: Path) -> AsyncIterator[Web]:
    async with service(tmp_path, token=TOKEN) as web:
        yield web


async def test_without_the_token_nothing_but_the_door_opens(closed: Web) -> None:
    paths = ["/", "/api/v1/conversations", "/openapi.json", "/docs", "/metrics", "/samples/invoice.png", "/nothing"]
    for path in paths:
        assert (await closed.client.get(path)).status_code == 401, path
    for path in ("/healthz", "/readyz", "/login", "/static/page.css"):
        assert (await closed.client.get(path)).status_code == 200, path
    home = await closed.client.get("/", headers={"Accept": "text/html"})
    assert (home.status_code, home.headers["location"]) == (303, "/login")


async def test_a_wrong_token_is_refused(closed: Web) -> None:
    for header in (f"Bearer {TOKEN}x".encode(), b"Bearer", f"Basic {TOKEN}".encode(), TOKEN.encode(), b"Bearer \xff"):
        response = await closed.client.get("/api/v1/conversations", headers=[(b"authorization", header)])
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"


async def test_the_right_token_opens_the_api(closed: Web) -> None:
    assert (await closed.client.get("/api/v1/conversations", headers=BEARER)).status_code == 200


async def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(closed: Web) -> None:
    wrong = await closed.client.post("/login", data={"token": "wrong"})
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers
    right = await closed.client.post("/login", data={"token": TOKEN})
    cookie = right.headers["set-cookie"]
    assert right.status_code == 303
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert (await closed.client.get("/api/v1/conversations")).status_code == 200
    await closed.client.post("/logout")
    assert (await closed.client.get("/api/v1/conversations")).status_code == 401


async def test_a_forged_session_is_refused(closed: Web) -> None:
    for session in ("", ".", "9999999999.", "9999999999.0", "x.y", "²." + "0" * 64, "9" * 5000 + ".1"):
        headers = [(b"cookie", f"{COOKIE}={session}".encode())]
        assert (await closed.client.get("/api/v1/conversations", headers=headers)).status_code == 401


class Sessions(MemoryTallies):
    """Those that were ended, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: set[str] = set()

    async def end_session(self, session: str, until: float) -> None:
        self.ended.add(session)

    async def is_ended(self, session: str) -> bool:
        return session in self.ended


async def test_a_session_ends_with_its_time_and_with_its_token() -> None:
    auth, other = Authentication(TOKEN, Sessions()), Authentication("another token", Sessions())
    session = auth.new_session()
    assert await auth.is_session({COOKIE: session})
    assert not await other.is_session({COOKIE: session})
    content, _, signature = session.rpartition(".")
    name, until = auth._signer.loads(session)
    for forged in ([name, until + 1], ["0" * len(name), until]):
        unsigned, _, _ = str(auth._signer.dumps(forged)).rpartition(".")
        assert unsigned != content
        assert not await auth.is_session({COOKIE: f"{unsigned}.{signature}"})
    assert not await auth.is_session({COOKIE: str(auth._signer.dumps([name, int(time.time()) - 1]))})
    for broken in ("", ".", content, f"{content}.", f".{signature}", session[:-1], "\udcff.x"):
        assert not await auth.is_session({COOKIE: broken})


async def test_signing_out_ends_every_copy_of_a_cookie_also_after_a_restart(tmp_path: Path) -> None:
    async with service(tmp_path, token=TOKEN) as web:
        signed_in = [(await web.client.post("/login", data={"token": TOKEN})).cookies[COOKIE] for _ in range(2)]
        web.client.cookies.clear()

        async def opens(session: str) -> int:
            headers = {"Cookie": f"{COOKIE}={session}"}
            return (await web.client.get("/api/v1/conversations", headers=headers)).status_code

        assert [await opens(session) for session in signed_in] == [200, 200]
        copy = {"Cookie": f"{COOKIE}={signed_in[0]}"}
        assert (await web.client.post("/logout", headers=copy)).status_code == 303
        assert [await opens(session) for session in signed_in] == [401, 200]
    async with service(tmp_path, token=TOKEN) as web:
        assert [await opens(session) for session in signed_in] == [401, 200]


def client_from(web: Web, address: str) -> httpx.AsyncClient:
    """It reads no certificates, which takes longer than a request: a hundred guesses have to fit into a minute."""
    transport = httpx.AsyncHTTPTransport(verify=False, local_address=address)
    return httpx.AsyncClient(base_url=web.url, transport=transport, timeout=60, trust_env=False)


async def guess(web: Web, number: int, address: str = "127.0.0.1", **headers: str) -> int:
    """A wrong token from an address; the status of the answer."""
    async with client_from(web, address) as client:
        bearer = {"Authorization": f"Bearer guess {number}", **headers}
        return (await client.get("/api/v1/conversations", headers=bearer)).status_code


async def right(web: Web, address: str = "127.0.0.1", **headers: str) -> int:
    async with client_from(web, address) as client:
        return (await client.get("/api/v1/conversations", headers={**BEARER, **headers})).status_code


async def test_guessing_the_token_is_slowed_down(closed: Web) -> None:
    tries = [(await closed.client.post("/login", data={"token": f"guess {n}"})).status_code for n in range(12)]
    assert tries == [401] * 10 + [429] * 2
    assert (await closed.client.post("/login", data={"token": TOKEN})).status_code == 429


async def test_guessing_the_token_in_a_header_is_slowed_down_too(closed: Web) -> None:
    assert [await guess(closed, number) for number in range(12)] == [401] * 10 + [429] * 2
    assert await right(closed) == 429


async def test_whoever_has_a_session_is_not_kept_out_by_wrong_tokens(closed: Web) -> None:
    session = (await closed.client.post("/login", data={"token": TOKEN})).cookies[COOKIE]
    for number in range(12):
        await guess(closed, number)
    assert (await closed.client.get("/api/v1/conversations")).status_code == 200
    assert await right(closed, Cookie=f"{COOKIE}={session}") == 200


async def test_where_the_right_token_came_from_it_goes_on_opening_whatever_others_guess(closed: Web) -> None:
    assert await right(closed) == 200
    assert [await guess(closed, number) for number in range(11)] == [401] * 10 + [429], "one that is wrong still waits"
    assert await right(closed) == 200


async def test_guesses_from_many_addresses_are_limited_together(closed: Web) -> None:
    assert await right(closed) == 200
    tries = [await guess(closed, n, f"127.0.1.{1 + n // 5}") for n in range(WRONG_TRIES_IN_ALL + 5)]
    assert tries == [401] * WRONG_TRIES_IN_ALL + [429] * 5
    assert await right(closed, "127.0.2.1") == 429
    assert await right(closed) == 200


async def test_what_a_stranger_says_about_who_asks_is_not_believed(closed: Web) -> None:
    tries = [await guess(closed, number, **{"X-Forwarded-For": f"192.0.2.{number}"}) for number in range(12)]
    assert tries == [401] * 10 + [429] * 2


async def test_what_a_named_proxy_says_about_who_asks_is_believed(tmp_path: Path) -> None:
    async with service(tmp_path, token=TOKEN, trusted_proxies=["127.0.0.0/30"]) as web:

        async def tries(*clients: str, proxy: str = "127.0.0.1") -> list[int]:
            return [await guess(web, n, proxy, **{"X-Forwarded-For": it}) for n, it in enumerate(clients)]

        one_network = [f"203.0.113.9, 2001:db8::{number:x}" for number in range(12)]
        assert await tries(*one_network) == [401] * 10 + [429] * 2
        assert await tries("2001:db8:0:1::1", "192.0.2.1") == [401, 401]
        assert await tries("192.0.2.1", proxy="127.0.0.9") == [401]
        login = await web.client.post("/login", data={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
        assert "Secure" in login.headers["set-cookie"]


async def test_a_right_token_counts_for_a_day_and_a_wrong_one_for_a_minute() -> None:
    now = [0.0]
    guesses = TokenGuesses(MemoryTallies(lambda: now[0]), lambda: now[0])
    guesses.note_right("a")
    tries = [await guesses.count("b", is_checked=False) for _ in range(WRONG_TRIES_PER_ADDRESS + 3)]
    assert tries == [False] * WRONG_TRIES_PER_ADDRESS + [True] * 3
    assert guesses.is_known("a")
    now[0] = 61.0
    assert not await guesses.count("b", is_checked=False)
    now[0] = 24 * 3600.0 + 1
    assert not guesses.is_known("a")


async def test_a_clock_that_ran_ahead_locks_no_one_out_once_it_is_corrected() -> None:
    now = [1e9]
    guesses = TokenGuesses(MemoryTallies(lambda: now[0]))
    for _ in range(WRONG_TRIES_PER_ADDRESS):
        await guesses.count("a", is_checked=False)
    assert await guesses.count("a", is_checked=False)
    now[0] = 0.0
    assert not await guesses.count("a", is_checked=False)


class Distant(Sessions):
    """Takes a while, changes one tally after the other, like a database, and is down at will."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False
        self._lock = asyncio.Lock()

    async def change_tally(self, name: str, seconds: float, change: Callable[[Counts, float], Result]) -> Result:
        async with self._lock:
            await asyncio.sleep(0.001)
            if self.down:
                raise StoreDown("The disk is full.")
            return await super().change_tally(name, seconds, change)

    async def is_ended(self, session: str) -> bool:
        if self.down:
            raise StoreDown("The database is away.")
        return await super().is_ended(session)


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("replicas", [1, 3])
async def test_of_many_tries_at_the_same_time_only_so_many_are_checked(down: bool, replicas: int) -> None:
    memory = Distant()
    memory.down = down
    services = [Authentication(TOKEN, memory) for _ in range(1 if down else replicas)]

    async def guess(number: int) -> TokenCheck:
        token = TOKEN if number == 299 else f"wrong {number}"
        return await services[number % len(services)].try_token(token, "a", {})

    found = Counter(await asyncio.gather(*map(guess, range(300))))
    assert found == {TokenCheck.WRONG: WRONG_TRIES_PER_ADDRESS, TokenCheck.TOO_MANY: 300 - WRONG_TRIES_PER_ADDRESS}


async def test_right_tokens_at_the_same_time_all_let_in() -> None:
    auth = Authentication(TOKEN, memory := Distant())
    assert set(await asyncio.gather(*(auth.try_token(TOKEN, "a", {}) for _ in range(50)))) == {TokenCheck.RIGHT}
    assert [kept["tries"] for kept in memory.tallies.values()] == [[]]


async def test_a_right_token_lets_in_while_the_database_is_away() -> None:
    auth = Authentication(TOKEN, memory := Distant())
    cookies = {COOKIE: auth.new_session()}
    memory.down = True
    assert await auth.try_token(TOKEN, "a", {}) is TokenCheck.RIGHT
    assert await auth.try_token(TOKEN, "b", cookies) is TokenCheck.RIGHT


def test_one_network_of_ipv6_is_one_address() -> None:
    assert address_of("2001:db8:1:2:3::4") == address_of("2001:db8:1:2:ffff::") != address_of("2001:db8:1:3::")
    assert address_of("::ffff:192.0.2.1") == address_of("192.0.2.1") == "192.0.2.1"
    assert address_of("no address") == "no address"


@pytest.mark.parametrize("proxy", ["proxy.example", "10.0.0.0/99", ""])
def test_a_proxy_that_is_no_address_is_refused(proxy: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        WebConfig.model_validate({"trusted_proxies": [proxy]})


async def test_too_long_a_token_is_too_large(closed: Web) -> None:
    async def chunked() -> AsyncIterator[bytes]:
        yield b"token=" + b"x" * 5000

    for content in (chunked(), b"token=" + b"x" * 5000):
        assert (await closed.client.post("/login", content=content)).status_code == 413


async def test_a_body_whose_end_is_said_twice_is_refused(web: Web) -> None:
    for path in ("/api/v1/analyze", "/login", "/static/page.css", "/slack/events"):
        twice = {"Content-Length": "4", "Transfer-Encoding": "chunked", "Connection": "keep-alive"}
        status, rest = await raw(
            web, f"POST {path} HTTP/1.1", twice, b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        assert status == 400
        assert b"HTTP/1.1" not in rest, "nothing that follows is taken for a request"


async def test_origins_are_compared_with_their_port(tmp_path: Path) -> None:
    async with service(tmp_path, hosts=["pictures.example", "other.example:8443"]) as web:

        async def posts(origin: str, host: str = "") -> int:
            headers = {"Origin": origin, **({"Host": host} if host else {})}
            return (await web.client.post("/login", headers=headers)).status_code

        for origin, host in [
            (web.url, ""), ("http://pictures.example", "pictures.example"), ("https://pictures.example", ""),
            ("https://other.example:8443", ""), ("http://localhost", "localhost"),
            ("https://LOCALHOST", "localhost:443"), ("http://pictures.example:81", "pictures.example:81"),
        ]:  # fmt: skip
            assert await posts(origin, host) != 403, (origin, host)
        for origin, host in [
            ("http://pictures.example:81", ""), ("https://pictures.example:8443", ""), ("https://other.example", ""),
            ("http://localhost:1", "localhost"), ("http://localhost", "localhost:1"), ("ftp://localhost", "localhost"),
            ("http://localhost:443", "localhost"), ("http://localhost:x", "localhost"),
        ]:  # fmt: skip
            assert await posts(origin, host) == 403, (origin, host)


async def test_too_large_a_request_is_refused_before_it_is_read(tmp_path: Path) -> None:
    async with service(tmp_path, upload_limit_mb=1) as web:
        announced = {"Content-Length": str(10**12), "Content-Type": "multipart/form-data; boundary=x"}
        status, _ = await raw(web, "POST /api/v1/analyze HTTP/1.1", announced, b"")
        assert status == 413


async def test_a_request_that_turns_out_too_large_is_cut_off(tmp_path: Path) -> None:
    async with service(tmp_path, upload_limit_mb=1) as web:

        async def endless() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
            for _ in range(3 * 1024):
                yield b"\0" * 1024

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        response = await web.client.post("/api/v1/analyze", content=endless(), headers=headers)
        assert response.status_code == 413
        assert response.json()["detail"] == "That is too much at once: at most 1 MB, please."


async def test_a_body_that_stands_still_is_given_up(tmp_path: Path) -> None:
    async with service(tmp_path, body_timeout_seconds=0.2) as web:
        headers = {"Content-Length": "1000", "Content-Type": "multipart/form-data; boundary=x"}
        answered: tuple[int, bytes] | None = None
        while answered is None:
            with suppress(*CUT_OFF):  # where the machine stood still before the head was there
                answered = await raw(web, "POST /api/v1/analyze HTTP/1.1", headers, b"--x\r\n")
        assert answered[0] == 408
        assert b"stopped for too long" in answered[1]


async def test_a_request_whose_headers_stand_still_or_trickle_is_given_up(tmp_path: Path) -> None:
    async with service(tmp_path, body_timeout_seconds=0.3) as web:
        url = httpx.URL(web.url)
        for first in (b"", b"GET /healthz HTTP/1.1\r\n", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET "):
            whole, answered = first.count(b"\r\n\r\n"), -1
            while answered < whole:  # it is given up earlier where the machine stands still
                reader, writer = await asyncio.open_connection(url.host, url.port)
                writer.write(first)
                trickle = asyncio.create_task(_trickle(writer))
                came = b""
                async with asyncio.timeout(60):
                    with suppress(ConnectionResetError):  # what trickles on after the end is met with a reset
                        while part := await reader.read(1000):
                            came += part
                trickle.cancel()
                writer.close()
                answered = came.count(b"HTTP/1.1 200")
            assert answered == whole
        status = 0
        while not status:
            with suppress(httpx.TransportError):
                async with web.client.stream("GET", "/healthz") as answer:
                    status = answer.status_code
        assert status == 200


async def _trickle(writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(0.05)
        writer.write(b"x")


async def test_no_path_leads_out_of_what_is_served(web: Web) -> None:
    paths = [
        "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static//etc/passwd",
        "/static/..%5capp.py", "/samples/../model.safetensors", "/samples/..%2f..%2fconfig.json",
        "/samples/%2fetc%2fpasswd", "/samples/samples.json",
    ]  # fmt: skip
    for path in paths:
        status, body = await raw(web, f"GET {path} HTTP/1.1", {}, b"")
        assert status == 404
        assert b"import" not in body


async def test_conversations_of_other_platforms_cannot_be_reached(web: Web) -> None:
    conversation = "telegram:42:7"
    await web.assistant.ask(conversation, Question("?", (image(),)), "telegram:update:1")
    address = f"/api/v1/conversations/{conversation}"
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/stop"), ("POST", "/retry"), ("GET", "/export")]:
        assert (await web.client.request(method, address + path)).status_code == 404
    assert (await web.ask("?", conversation=conversation)).status_code == 404
    assert (await web.store.summaries("web")).summaries == ()


async def test_a_person_who_asks_too_much_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with service(tmp_path, quota=QuotaConfig(questions_per_minute=1)) as web:
        await web.ask("What?", "red")
        refused = await web.ask("What?", "red")
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 60


async def test_nothing_is_opened_for_whoever_may_not_ask_now(tmp_path: Path) -> None:
    """A file that is no picture would be refused as such, if anybody looked at it."""
    limits = QuotaConfig(questions_per_minute=1, pictures_per_minute=4, questions_per_day=0, at_once=0)
    async with service(tmp_path, quota=limits) as web:
        files = [("image", ("a.png", b"no picture", "image/png"))]

        async def sends(path: str) -> int:
            return (await web.client.post(path, data={"query": "What?"}, files=files)).status_code

        assert [await sends("/api/v1/analyze") for _ in range(2)] == [415, 415], "no question was asked yet"
        assert (await web.ask("What?", "red")).status_code == 200
        assert await sends("/api/v1/analyze") == 429
        assert [await sends("/api/v1/pictures") for _ in range(2)] == [415, 429]


async def test_a_question_that_was_asked_before_costs_no_second_look(tmp_path: Path) -> None:
    async with service(tmp_path, quota=QuotaConfig(pictures_per_minute=1, questions_per_minute=1)) as web:
        answers = [await web.ask("What?", "red", key="a-key-nobody-guesses") for _ in range(3)]
        assert {answer.text for answer in answers} == {answers[0].text}


async def test_the_files_of_whoever_hangs_up_are_not_opened(tmp_path: Path) -> None:
    """The line is full of somebody's slow jobs; those who wait in it leave, and none of theirs is done."""
    go = tmp_path / "go"
    options = {"name": "slow", "path": str(go)}
    slow = [
        asyncio.create_task(workers.run("tests.core.jobs:until", b"", options, 60))
        for _ in range(workers.QUICK_WORKERS)
    ]
    await until(lambda: workers._pool._jobs.running)
    async with service(tmp_path) as web:
        leaving = [asyncio.create_task(web.ask("What?", "red")) for _ in range(5)]
        await until(lambda: len(workers._pool._jobs.waiting) >= 3)
        for task in leaving:
            task.cancel()
        await until(lambda: not [job for job in workers._pool._jobs.waiting if not job.slow])
    go.touch()
    await asyncio.gather(*slow)


async def test_every_answer_forbids_inline_code_and_foreign_frames(web: Web) -> None:
    for path in ("/", "/docs", "/api/v1/conversations", "/static/page.js", "/nothing"):
        headers = (await web.client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers


async def test_tokens_questions_and_pictures_never_reach_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in log.OURS:
        caplog.set_level(logging.DEBUG, name)
    secret = "the caption is a secret"
    async with service(tmp_path, ScriptedEngine(script=lambda _: RuntimeError("no")), token=TOKEN) as web:
        files = {"image": ("secret-name.png", photo(), "image/png")}
        await web.client.post("/api/v1/analyze", data={"query": secret}, files=files, headers=BEARER)
        await web.client.post("/login", data={"token": TOKEN})
    for word in (secret, TOKEN, "secret-name", "PNG"):
        assert word not in caplog.text
    assert "RuntimeError" in caplog.text


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 8 characters"):
        WebConfig.model_validate({"token": "short"})


async def test_a_taken_port_is_said_in_one_sentence(web: Web, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="another program has it"):
        async with service(tmp_path, port=httpx.URL(web.url).port):
            pass


async def raw(web: Web, line: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """A request just as it is written here: clients tidy up paths and lengths."""
    url = httpx.URL(web.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    fields = {"Host": f"{url.host}:{url.port}", "Connection": "close", **headers}
    writer.write("\r\n".join([line, *(f"{name}: {value}" for name, value in fields.items()), "", ""]).encode() + body)
    await writer.drain()
    async with asyncio.timeout(60):
        head = await reader.readuntil(b"\r\n\r\n")
        rest = await reader.read(100_000)
    writer.close()
    return int(head.split()[1]), rest


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"host": "0.0.0.0"}, "ERROR the page is OPEN TO EVERYBODY who reaches 0.0.0.0:0"),
        ({"trusted_proxies": ["127.0.0.1"]}, "WARNING the page is open to everybody whom your proxy lets in"),
        ({"host": "0.0.0.0", "token": "a-token-of-the-tests"}, ""),
        ({}, ""),
    ],
)
async def test_every_start_tells_that_a_page_is_open_to_others(
    tmp_path: Path, settings: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        caplog.clear()
        async with service(tmp_path, **settings):
            lines = [
                f"{line.levelname} {line.getMessage()}" for line in caplog.records if "set token" in line.getMessage()
            ]
        assert [line.partition(": set")[0] for line in lines] == ([told] if told else [])
