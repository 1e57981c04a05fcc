"""What the operator can see, at /admin and at /metrics."""

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.bots.web.conftest import Web, service
from tests.fakes import ScriptedEngine


async def test_the_operator_sees_questions_answers_and_troubles(web: Web) -> None:
    await web.ask("A secret question?", "red")
    logging.getLogger("bots.telegram").warning("Telegram cannot be reached")
    page = (await web.client.get("/admin")).text
    assert "Telegram cannot be reached" in page
    assert '<td class="right">1</td><td>done 1</td>' in page
    assert 'class="decode_s"' in page
    assert "secret" not in page


async def test_an_operators_page_that_others_could_open_needs_a_token(tmp_path: Path) -> None:
    async with service(tmp_path, host="0.0.0.0") as web:
        refused = await web.client.get(web.url.replace("localhost", "127.0.0.1") + "/admin")
        assert refused.status_code == 403
        assert "token" in refused.json()["detail"]


async def test_metrics_count_questions_and_answers_by_door(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine()) as web:
        await web.ask("What?", "red")
        metrics = (await web.client.get("/metrics")).text
        assert 'questions_total{platform="web"} 1.0' in metrics
        assert 'answers_total{ending="done",platform="web"} 1.0' in metrics


async def test_a_platform_that_is_down_is_seen_everywhere_and_does_not_make_the_service_unready(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine()) as web:
        web.health.down("telegram", "Telegram does not accept the token.")
        ready = await web.client.get("/readyz")
        assert ready.status_code == 200
        assert ready.text == "ok\ntelegram is down: Telegram does not accept the token.\n"
        metrics = (await web.client.get("/metrics")).text
        assert 'platform_up{platform="telegram"} 0.0' in metrics
        assert 'platform_up{platform="web"} 1.0' in metrics
        assert "<td>down for 0 min: Telegram does not accept the token.</td>" in (await web.client.get("/admin")).text


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({"host": "0.0.0.0"}, logging.ERROR),
        ({"hosts": ["bot.example.org"]}, logging.WARNING),
        ({"host": "0.0.0.0", "token": "long-enough"}, None),
        ({}, None),
    ],
)
async def test_a_page_that_others_can_open_without_a_token_is_told_at_every_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, settings: dict[str, Any], level: int | None
) -> None:
    for _ in range(2):
        caplog.clear()
        async with service(tmp_path, **settings):
            told = [record.levelno for record in caplog.records if "set token in [bots.web]" in record.getMessage()]
        assert told == ([] if level is None else [level])
