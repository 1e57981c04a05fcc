"""The files in docs/deploy have settings that the service knows, and ask it at routes that it has."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from sqlalchemy import make_url

from bots.config import Settings, load
from bots.web.operations import health
from bots.web.server import PATIENCE_SECONDS
from core.replica import LEASE_SECONDS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs" / "deploy"
GIVEN = {  # by the operator, next to compose.yaml
    "POSTGRES_PASSWORD": "a-password",
    "SITE_ADDRESS": "bot.example.org",
    "PA_BOTS_WEB_TOKEN": "a-token-for-people",
    "PA_BOTS_TELEGRAM_TOKEN": "123456:token",
    "PA_BOTS_TELEGRAM_WEBHOOK_SECRET": "a-secret-of-telegram",
    "PA_BOTS_SLACK_BOT_TOKEN": "xoxb-token",
    "PA_BOTS_SLACK_APP_TOKEN": "xapp-token",
}
PLATFORMS = {"bots.web", "bots.telegram", "bots.slack"}


def read(file: str) -> Any:
    """Read a file together with the settings that stand in its comments, and fill in what the operator gives."""
    text = re.sub(r"(?m)^( +)# (PA_[A-Z_]+: )", r"\1\2", (DEPLOY / file).read_text("utf-8"))
    text = re.sub(r"\$\{(\w+)[^}]*\}", lambda found: GIVEN[found[1]], text)
    return list(yaml.safe_load_all(text))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The config file of the image."""
    [command] = re.findall(r"(?s)RUN printf '%s\\n' (.*?) >config\.toml", (ROOT / "Dockerfile").read_text("utf-8"))
    file = tmp_path / "config.toml"
    file.write_text("\n".join(re.findall(r"'([^']*)'", command)), "utf-8")
    assert tomllib.loads(file.read_text("utf-8"))["bots"]["web"]["host"] == "0.0.0.0"
    return file


def test_the_image_keeps_everything_on_its_volume(config: Path) -> None:
    """Its root may be read-only. Who cannot be noted in the list of forgotten people is not deleted."""
    settings = load(config, {})
    folders = {settings.engine.cache, settings.storage.forgotten, Path(make_url(settings.storage.url).database or "")}
    assert len(folders) == 3
    assert all(folder.is_relative_to("/data") for folder in folders)


def check(settings: Settings) -> None:
    assert settings.storage.url.startswith("postgresql+asyncpg://")
    assert set(settings.platforms) == PLATFORMS
    assert settings.web is not None and settings.web.token and settings.web.trusted_proxies
    assert settings.web.hosts == ["bot.example.org"]
    assert settings.platforms["bots.telegram"].mode == "webhook"


def test_composes_replicas_have_settings_that_differ_in_their_caches_only(config: Path) -> None:
    [compose] = read("compose.yaml")
    replicas = {name: each for name, each in compose["services"].items() if name.startswith("replica")}
    caches = set()
    for replica in replicas.values():
        settings = load(config, {name: str(value) for name, value in replica["environment"].items()})
        check(settings)
        caches.add(settings.engine.cache)
        assert int(replica["stop_grace_period"].removesuffix("s")) > LEASE_SECONDS + PATIENCE_SECONDS
    assert len(caches) == len(replicas) == 3
    caddy = (DEPLOY / "Caddyfile").read_text("utf-8")
    assert f"reverse_proxy {' '.join(f'{name}:{settings.web.port}' for name in replicas)} {{" in caddy  # type: ignore[union-attr]
    assert f"max_size {settings.web.upload_limit_mb}MiB" in caddy  # type: ignore[union-attr]
    assert re.findall(r"health_uri (\S+)", caddy) == ["/readyz"]


def test_kubernetes_replicas_have_known_settings_and_probes(config: Path) -> None:
    manifests = {each["kind"]: each for each in read("kubernetes.yaml")}
    check(load(config, manifests["ConfigMap"]["data"] | manifests["Secret"]["stringData"]))
    pod = manifests["StatefulSet"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    routes = {route.path for route in health.router.routes}  # type: ignore[attr-defined]
    assert {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")} <= routes
    ending = container["lifecycle"]["preStop"]["sleep"]["seconds"] + LEASE_SECONDS + PATIENCE_SECONDS
    assert pod["terminationGracePeriodSeconds"] > ending
