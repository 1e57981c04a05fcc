from pathlib import Path

import pytest

from core.i18n import Translator
from core.pictures import refusals
from tests.chaos.hostile import MORE, PLATFORMS, SHORT, WORKER_BYTES, Findings, send_hostile_files, what_is_wrong

FILES = 4


@pytest.mark.timeout(600)
async def test_hostile_files_are_answered_at_every_door_and_crash_nothing(tmp_path: Path) -> None:
    findings = await send_hostile_files(tmp_path, FILES, tables=SHORT)
    assert findings.bad == []
    assert findings.answered == dict.fromkeys(PLATFORMS, FILES)
    assert findings.grown - findings.cached < MORE
    assert 0 < findings.cached < findings.grown + MORE
    assert 0 < findings.worker < WORKER_BYTES


def test_only_what_the_cache_has_may_grow_and_not_beyond_the_limit() -> None:
    assert Findings(limit=1000 << 20, most=1000 << 20, grown=900 << 20, cached=600 << 20).good
    assert not Findings(limit=1000 << 20, most=1000 << 20, grown=900 << 20, cached=599 << 20).good
    assert not Findings(limit=1000 << 20, most=1001 << 20).good


def test_a_refusal_is_in_the_language_of_the_question_and_has_a_status_that_says_so() -> None:
    english, chinese = (Translator(language).explain(refusals.word()) for language in ("en", "zh"))
    client_errors = range(400, 500)
    for words, question, status in (
        (english, "What is it?", 400),
        (chinese, "这是什么？", 415),
        (english, "What is it?", None),
        ("A cat.", "这是什么？", 200),
    ):
        assert what_is_wrong(words, question, status, client_errors) == ""
    for words, question, status in (
        (english, "这是什么？", 400),
        (chinese, "What is it?", 400),
        (english, "What is it?", 200),
        (english, "What is it?", 500),
        ("A cat.", "What is it?", 400),
        ("", "What is it?", 200),
        ("Something went wrong on my side. Please try again.", "What is it?", 200),
    ):
        assert what_is_wrong(words, question, status, client_errors) != "", (words, status)
