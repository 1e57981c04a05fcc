from typing import Any

import pytest
from pydantic import ValidationError

from bots.conversing.allow_list import AllowList
from bots.telegram import Config


def config(**values: Any) -> Config:
    return Config.model_validate({"token": "1:secret", **values})


def test_nobody_is_let_in_by_default() -> None:
    assert not AllowList.of(config()).has("7", "7")


@pytest.mark.parametrize("allow", ["*", ["*"]])
def test_a_star_lets_everybody_in(allow: object) -> None:
    assert AllowList.of(config(allow=allow)).has("7", "-100")


def test_people_and_chats_are_let_in_by_id_and_admins_always() -> None:
    allowed = AllowList.of(config(allow=[7, "-100"], admins=[9]))
    assert allowed.has("7", "7")
    assert allowed.has("8", "-100")
    assert allowed.has("9", "-200")
    assert not allowed.has("8", "-200")


@pytest.mark.parametrize(
    "wrong",
    [
        {"allow": ["ann"]},
        {"interval": 0.1},
        {"mode": "webhook"},
        {"mode": "webhook", "webhook_url": "http://bot.example.org", "webhook_secret": "a" * 20},
        {"mode": "webhook", "webhook_url": "https://bot.example.org", "webhook_secret": "short"},
        {"mode": "webhook", "webhook_url": "https://bot.example.org", "webhook_secret": "with spaces in between"},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        config(**wrong)


def test_secrets_are_not_shown() -> None:
    secret = "a-secret-of-the-tests"
    shown = repr(config(mode="webhook", webhook_url="https://bot.example.org", webhook_secret=secret))
    assert "1:secret" not in shown
    assert secret not in shown
