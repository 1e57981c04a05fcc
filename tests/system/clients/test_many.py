"""Twenty clients at once, against the real service and the demo model."""

import re
from pathlib import Path

import pytest

from tests.system.clients.many import ask_at_once, ask_on
from tests.system.conftest import Host, Service

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
KEYS = [f"a-key-of-client-{number}" for number in range(20)]
MOST_GROWTH_BYTES = 400_000_000  # 165 MB were measured
QUESTION = "What is the total?"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    host = Host(tmp_path)
    keys = "".join(f'client{number} = "{key}"\n' for number, key in enumerate(KEYS))
    host.config.write_text(f"{host.config.read_text('utf-8')}[bots.web.keys]\n{keys}", "utf-8")
    return host


def memory(service: Service) -> float:
    found = re.search(
        r"^picture_answers_process_resident_memory_bytes (\S+)", service.client.get("/metrics").text, re.M
    )
    assert found
    return float(found[1])


async def test_all_are_answered_in_the_order_of_their_arrival_with_bounded_memory(host: Host) -> None:
    with host.start() as service:
        service.client.headers["Authorization"] = f"Bearer {KEYS[0]}"
        url = f"http://127.0.0.1:{host.port}/v1"
        before = memory(service)
        heard = await ask_at_once(url, KEYS, QUESTION)
        assert {one.text for one in heard} == {"The total is ¥8,600.00."}
        assert [one.place for one in sorted(heard, key=lambda one: one.first)] == list(range(len(KEYS)))
        assert memory(service) - before < MOST_GROWTH_BYTES
        first, second = await ask_on(url, KEYS[0], QUESTION, "What is the tax rate?")
        assert second.text == "The tax rate is 13%."
        assert second.cached_tokens >= first.usage["prompt_tokens"]
