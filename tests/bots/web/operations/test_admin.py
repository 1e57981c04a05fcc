"""What the operator can see, at /admin and at /metrics."""

import importlib.metadata
import json
import logging
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from bots.web.operations.metrics import ENGINE
from core.durations import Histogram
from core.engine.stats import EngineStats
from core.quota import QuotaConfig
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
        assert 'picture_answers_questions_total{platform="web"} 1.0' in metrics
        assert 'picture_answers_answers_total{ending="done",platform="web"} 1.0' in metrics


async def test_a_platform_that_is_down_is_seen_everywhere_and_does_not_make_the_service_unready(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine()) as web:
        web.health.mark_down("telegram", "Telegram does not accept the token.")
        ready = await web.client.get("/readyz")
        assert ready.status_code == 200
        assert ready.text == "ok\ntelegram is down: Telegram does not accept the token.\n"
        metrics = (await web.client.get("/metrics")).text
        assert 'picture_answers_platform_up{platform="telegram"} 0.0' in metrics
        assert 'picture_answers_platform_up{platform="web"} 1.0' in metrics
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


MONITORING = Path(__file__).parents[4] / "docs" / "monitoring"
NAME = re.compile(r"\bpicture_answers_[a-z_]+")


def exported(text: str) -> set[str]:
    return {line.split("{")[0].split(" ")[0] for line in text.splitlines() if not line.startswith("#")}


async def test_every_number_of_a_question_is_exported_as_prometheus_wants_it(tmp_path: Path) -> None:
    figures = EngineStats(running=1, model="demo", precision="int8", kernel="int8-AVX2", decode_s=2.5)
    async with service(tmp_path, ScriptedEngine(), engine_stats=lambda: figures) as web:
        await web.ask("What?", "red")
        await web.ask("And what?", "red")
        text = (await web.client.get("/metrics")).text
    assert {name.startswith("picture_answers_") for name in exported(text)} == {True}
    for name in ("time_to_first_token", "queue_wait", "answer_duration"):
        assert f'picture_answers_{name}_seconds_bucket{{le="+Inf",platform="web"}} 2.0' in text
        assert f'picture_answers_{name}_seconds_count{{platform="web"}} 2.0' in text
    version = importlib.metadata.version("picture-answers")
    labels = f'kernel="int8-AVX2",model="demo",precision="int8",version="{version}"'
    assert f"picture_answers_info{{{labels}}} 1.0" in text
    assert "picture_answers_engine_decode_seconds_total 2.5" in text
    assert "picture_answers_running_answers 1.0" in text
    kinds = dict(re.findall(r"# TYPE (\S+) (\S+)", text))
    assert all(name.endswith("_total") for name, kind in kinds.items() if kind == "counter")
    helps = dict(re.findall(r"# HELP (\S+) (.+)", text))
    assert helps.keys() == kinds.keys()
    assert {field.name for field in fields(EngineStats)} - {"model", "precision", "kernel"} == set(ENGINE)


async def test_the_dashboard_and_the_alerts_name_only_what_is_exported(tmp_path: Path) -> None:
    async with service(tmp_path, ScriptedEngine(), engine_stats=EngineStats) as web:
        await web.ask("What?", "red")
        known = exported((await web.client.get("/metrics")).text)
    dashboard = json.loads((MONITORING / "grafana.json").read_text("utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = yaml.safe_load((MONITORING / "alerts.yml").read_text("utf-8"))
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    assert len(rules) == 5
    for text in [*asked, *(rule["expr"] for rule in rules)]:
        assert set(NAME.findall(text)) <= known, text


def test_a_duration_is_counted_in_every_bucket_that_it_is_not_above() -> None:
    histogram = Histogram()
    for seconds in (0.25, 0.3, 700.0):
        histogram.observe(seconds)
    counts = dict(histogram.buckets())
    assert (counts["0.25"], counts["0.5"], counts["600.0"], counts["+Inf"]) == (1, 2, 2, 3)
    assert histogram.total_s == pytest.approx(700.55)


def events(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    return [vars(record)["fields"] for record in caplog.records if getattr(record, "event", "") == name]


async def test_each_answer_is_one_event_with_its_figures_and_no_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with service(tmp_path, ScriptedEngine()) as web:
        await web.ask("A secret question?", "red")
    (event,) = events(caplog, "answered")
    assert (event["platform"], event["ending"]) == ("web", "done")
    assert {"queue_wait_ms", "first_token_ms", "answer_ms", "tokens_computed", "tokens_reused"} <= event.keys()
    assert not any("secret" in record.getMessage() for record in caplog.records)


async def test_refused_requests_and_wrong_tokens_are_events_with_their_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with service(tmp_path, token="the-right-token") as web:
        await web.client.get("/nothing/at/all?with=words", headers={"Authorization": "Bearer the-right-token"})
        for number in range(3):
            await web.client.get("/api/v1/conversations", headers={"Authorization": f"Bearer guess-{number}"})
        await web.client.post("/login", data={"token": "guess-by-form"})
    wrong = events(caplog, "wrong_token")
    assert wrong == [{"platform": "web", "address": "127.0.0.1"}] * 4  # fail2ban counts them
    refused = [(event["status"], event["address"]) for event in events(caplog, "refused")]
    assert (404, "127.0.0.1") in refused
    assert (401, "127.0.0.1") in refused
    written = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert "guess" not in written
    assert "words" not in written


async def test_who_asks_too_much_is_named_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with service(tmp_path, quota=QuotaConfig(questions_per_minute=1)) as web:
        await web.ask("What?", "red")
        assert (await web.ask("What?", "red")).status_code == 429
    assert {"reason": "rate_limited", "person": "web:127.0.0.1"} in events(caplog, "refused")


@pytest.mark.parametrize("path", ["/", "/admin", "/docs", "/healthz", "/readyz", "/metrics", "/openapi.json", "/login"])
async def test_head_works_on_every_page_as_get_does_without_a_body(web: Web, path: str) -> None:
    wanted = await web.client.get(path)
    head = await web.client.head(path)
    assert (head.status_code, head.content) == (wanted.status_code, b"")
    assert head.headers.get("content-type") == wanted.headers.get("content-type")


async def test_head_needs_the_token_too(tmp_path: Path) -> None:
    async with service(tmp_path, token="the-right-token") as web:
        assert (await web.client.head("/admin")).status_code == 401
        good = {"Authorization": "Bearer the-right-token"}
        assert (await web.client.head("/admin", headers=good)).status_code == 200
