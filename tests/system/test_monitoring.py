"""What the service exports and the alerts in docs/ are what Debian's Prometheus takes."""

import subprocess
from pathlib import Path

import pytest

from tests.system.conftest import Host, debian

pytestmark = pytest.mark.system
ALERTS = Path(__file__).parents[2] / "docs" / "monitoring" / "alerts.yml"


def promtool(*words: str, text: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run([debian("usr/bin/promtool"), *words], input=text, capture_output=True, text=True)


def test_the_metrics_of_a_running_service_are_clean(host: Host) -> None:
    with host.start() as service:
        assert service.ask("a-key-of-its-own").status_code == 200
        text = service.client.get("/metrics").text
    assert 'picture_answers_info{kernel="torch-' in text
    assert 'picture_answers_answer_duration_seconds_count{platform="web"} 1.0' in text
    done = promtool("check", "metrics", text=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_promtool_would_complain() -> None:
    done = promtool("check", "metrics", text="# TYPE answers_milliseconds counter\nanswers_milliseconds 1\n")
    assert done.returncode != 0


def test_the_alerts_are_clean() -> None:
    done = promtool("check", "rules", str(ALERTS))
    assert done.returncode == 0, done.stderr
    assert "5 rules found" in done.stdout
