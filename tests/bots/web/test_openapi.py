"""The OpenAPI document keeps its promises: schemathesis makes requests up, and none gets an undocumented answer."""

import asyncio
import inspect
import os
import re
import sys
from pathlib import Path

from bots.web.api import sse
from tests.bots.web.conftest import photo, service

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "12")  # of each operation and phase; 120 make more than 2,000 cases
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
HERE = Path(__file__).parent


async def test_no_request_gets_an_undocumented_answer(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(photo())
    async with service(tmp_path) as web:
        conversations = [await web.begin() for _ in range(12)]
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "schemathesis.cli", "run", f"{web.url}/openapi.json", "--checks", CHECKS,
            "--max-examples", EXAMPLES, "--seed", "1", "--no-color",
            env={
                **os.environ, "PYTHONPATH": str(HERE.parents[2]), "SCHEMATHESIS_HOOKS": "tests.bots.web.schema_hooks",
                "CONVERSATIONS": ",".join(conversations), "PICTURE": str(picture),
            },
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await program.communicate()
    report = output.decode()
    cases = re.search(r"(\d+) generated, (\d+) passed", report)
    assert program.returncode == 0, report
    assert cases is not None, report
    assert cases[1] == cases[2]
    assert int(cases[1]) >= 200
    print(cases[0])


async def test_the_page_about_the_api_names_every_event(tmp_path: Path) -> None:
    events = set(re.findall(r'_event\("(\w+)"', inspect.getsource(sse)))
    async with service(tmp_path) as web:
        page = (await web.client.get("/docs")).text
    section = page[page.index("<h2>Events</h2>") : page.index("<h2>Refusals</h2>")]
    assert len(events) == 8
    assert events <= set(re.findall(r"<code>(\w+)</code>", section))
