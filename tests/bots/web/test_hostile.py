"""Files that mean harm, through the web page."""

from pathlib import Path

import psutil

from tests.bots.web.conftest import service
from tests.core.pictures.specimens import mutated, specimens

MORE = 250 * 1024 * 1024  # bytes that our process may grow by; decoding happens in processes of its own


async def test_every_odd_broken_and_hostile_file_is_answered_or_refused_with_a_sentence(tmp_path: Path) -> None:
    files = [specimen.data for specimen in specimens()] + list(mutated(20))
    assert len(files) > 60
    async with service(tmp_path) as web:
        await web.begin()
        before = psutil.Process().memory_info().rss
        statuses = set()
        for data in files:
            response = await web.client.post("/api/v1/analyze", data={"query": "What?"}, files={"image": data})
            statuses.add(response.status_code)
            assert response.json().get("text") or response.json()["detail"].endswith((".", "。"))
        assert statuses == {200, 413, 415}
        assert psutil.Process().memory_info().rss - before < MORE
        assert (await web.ask("Still there?", "red")).status_code == 200
