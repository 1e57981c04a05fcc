"""Who may use /v1: programs with keys of their own, and pages of named origins."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from bots.web.config import WebConfig
from core.quota import QuotaConfig
from tests.bots.web.conftest import Web, service
from tests.bots.web.openai.asking import CHAT, ask, picture, user

KEYS = {"karakeep": "key-of-karakeep", "frigate": "key-of-frigate"}
ORIGIN = "https://chat.example.org"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_without_keys_and_token_any_key_will_do(web: Web) -> None:
    assert (await web.client.get("/v1/models", headers=bearer("DUMMY_KEY"))).status_code == 200
    assert (await web.client.get("/v1/models")).status_code == 200


@pytest.mark.parametrize("token", [None, "a-token-of-people"])
async def test_with_keys_only_they_and_the_token_are_let_in(tmp_path: Path, token: str | None) -> None:
    async with service(tmp_path, keys=KEYS, token=token) as web:
        for headers in ({}, bearer("wrong-key"), {"Cookie": "session=x.9999999999.y"}):
            reply = await web.client.get("/v1/models", headers=headers)
            assert reply.status_code == 401
            assert reply.json()["error"]["type"] == "authentication_error"
            assert reply.headers["www-authenticate"] == "Bearer"
        for key in [*KEYS.values(), *([token] if token else [])]:
            assert (await web.client.get("/v1/models", headers=bearer(key))).status_code == 200


async def test_a_program_s_key_does_not_open_the_page(tmp_path: Path) -> None:
    async with service(tmp_path, keys=KEYS, token="a-token-of-people") as web:
        for path in ("/api/v1/conversations", "/admin", "/metrics"):
            assert (await web.client.get(path, headers=bearer(KEYS["karakeep"]))).status_code == 401
        assert (await web.client.post("/login", data={"token": KEYS["karakeep"]})).status_code == 401


async def test_each_key_has_its_own_quota_and_its_name_in_the_metrics(tmp_path: Path) -> None:
    quota = QuotaConfig(questions_per_minute=1)
    async with service(tmp_path, keys=KEYS, quota=quota) as web:
        statuses = []
        for name in ("karakeep", "karakeep", "frigate"):
            web.client.headers.update(bearer(KEYS[name]))
            statuses.append((await ask(web, user("What?", picture()))).status_code)
        assert statuses == [200, 429, 200]
        metrics = (await web.client.get("/metrics")).text
        admin = (await web.client.get("/admin")).text
    assert 'picture_answers_questions_total{platform="api:karakeep"} 1.0' in metrics
    assert 'picture_answers_questions_total{platform="api:frigate"} 1.0' in metrics
    assert "api:karakeep" in admin
    assert not any(key in metrics + admin for key in KEYS.values())


async def test_foreign_pages_are_shut_out_unless_they_are_named(tmp_path: Path) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-any"}
    shut = tmp_path / "shut"
    shut.mkdir()
    async with service(shut) as web:
        preflight = await web.client.options(CHAT, headers=asked)
        assert "access-control-allow-origin" not in preflight.headers
        web.client.headers["Origin"] = ORIGIN
        assert (await ask(web, user("What?", picture()))).status_code == 403
    async with service(tmp_path, origins=[ORIGIN]) as web:
        preflight = await web.client.options(CHAT, headers=asked)
        assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, ORIGIN)
        web.client.headers["Origin"] = ORIGIN
        reply = await ask(web, user("What?", picture()))
        assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (200, ORIGIN)
        assert (await web.client.post("/api/v1/analyze")).status_code == 403
        web.client.headers["Origin"] = "https://evil.example.org"
        refused = await ask(web, user("What?", picture()))
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


async def test_a_named_page_still_needs_a_key_and_can_read_why(tmp_path: Path) -> None:
    async with service(tmp_path, origins=[ORIGIN], keys=KEYS) as web:
        reply = await web.client.get("/v1/models", headers={"Origin": ORIGIN})
    assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (401, ORIGIN)


@pytest.mark.parametrize(
    "settings",
    [
        {"keys": {"a": "short"}},
        {"keys": {"a b": "long-enough"}},
        {"keys": {"a": "the-same-key", "b": "the-same-key"}},
        {"origins": ["*"]},
        {"origins": ["chat.example.org"]},
        {"origins": ["https://chat.example.org/"]},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WebConfig.model_validate(settings)
