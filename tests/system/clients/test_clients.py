"""Programs that speak OpenAI's API, each in an environment of its own, against the real service and the demo model.

`make clients` sets them up under .venv/clients. The openai package itself is in tests/bots/web/openai.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.bots.web.openai.asking import sent, user
from tests.demo import SAMPLES
from tests.system.conftest import ROOT, Host, Service

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
HERE = Path(__file__).parent
ENVIRONMENTS = ROOT / ".venv" / "clients"
INVOICE = SAMPLES / "invoice.png"
KEY = "a-key-of-the-clients"
PROTECTED = f"""
token = "a-token-of-the-page"
[bots.web.keys]
clients = "{KEY}"
"""
PATIENCE_SECONDS = 300
HANG_UPS = 3


@dataclass
class House:
    """The running service, and what it answers over plain HTTP."""

    service: Service
    url: str
    first: str
    second: str
    broken: Path

    def counted(self, name: str) -> float:
        """Return the sum of a metric of the service."""
        text = self.service.client.get("/metrics").text
        samples = [it for family in text_string_to_metric_families(text) for it in family.samples]
        return sum(it.value for it in samples if it.name == f"picture_answers_{name}")

    def variables(self) -> dict[str, str]:
        return {"URL": self.url, "KEY": KEY, "MODEL": "demo"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    host = Host(folder)
    host.config.write_text(host.config.read_text("utf-8") + PROTECTED, "utf-8")
    with host.start() as service:
        service.client.headers["Authorization"] = "Bearer a-token-of-the-page"
        url = f"http://127.0.0.1:{host.port}/v1"
        first = invoice_question("What is the total?")
        one = plainly(service.client, first)
        answered = {"role": "assistant", "content": one}
        two = plainly(service.client, first, answered, {"role": "user", "content": "What is the tax rate?"})
        assert "8,600.00" in one
        assert "13%" in two
        broken = folder / "broken.png"
        broken.write_bytes(b"no picture")
        yield House(service, url, one, two, broken)


def invoice_question(text: str) -> dict[str, Any]:
    return user(text, sent(INVOICE.read_bytes()))


def plainly(client: httpx.Client, *messages: dict[str, Any]) -> str:
    reply = client.post("/v1/chat/completions", json={"messages": messages})
    return str(reply.json()["choices"][0]["message"]["content"])


def program(path: str) -> str:
    """Return a program of a client's environment."""
    found = ENVIRONMENTS / path
    if not found.exists():
        pytest.skip(f"{found} is not there: make clients")
    return str(found)


def run(*command: str | Path, variables: Mapping[str, str], cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", **variables}
    words = [str(word) for word in command]
    return subprocess.run(words, env=environment, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_SECONDS)


def command_of(client: str) -> list[str]:
    """Return the command that asks as HERE/ask_CLIENT.py and HERE/ai_sdk/ask.mjs say."""
    if client != "ai_sdk":
        return [program(f"{client}/bin/python"), str(HERE / f"ask_{client}.py")]
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not there: make clients")
    return [node, program("ai_sdk/ask.mjs")]


@pytest.mark.parametrize("client", ["langchain_openai", "pydantic_ai", "ai_sdk"])
def test_a_library_asks_asks_on_is_refused_and_hangs_up(house: House, client: str) -> None:
    asked, answered = house.counted("questions_total"), house.counted("engine_answers_total")
    done = run(*command_of(client), INVOICE, house.broken, variables=house.variables())
    assert done.returncode == 0, done.stderr
    heard = json.loads(done.stdout)
    assert (heard["first"], heard["streamed"], heard["second"]) == (house.first, house.first, house.second)
    assert heard["read"] < heard["cached"], "the second turn's prompt begins with all of the first"
    assert heard["refused"]["code"] == "invalid_image"
    assert "This is a text file." in heard["refused"]["message"]
    assert heard["begun"]
    assert_shaped(heard["shaped"])
    assert_freed(house, asked, answered, 5 if client == "pydantic_ai" else 4)


def assert_shaped(found: Any) -> None:
    """Check JSON that was asked for. What the demo model writes there need not be right."""
    assert found.keys() == {"total", "paid"}
    assert isinstance(found["total"], int | float)
    assert isinstance(found["paid"], bool)


def assert_freed(house: House, asked: float, answered: float, whole: int) -> None:
    """Check that the model works on nothing, and that it did not write to the end what has no reader.

    `asked` and `answered` were counted before `whole` questions, and those that were hung up on.
    """
    house.service.until(lambda: house.counted("running_answers") + house.counted("waiting_questions") == 0)
    assert house.counted("questions_total") == asked + whole + HANG_UPS
    assert house.counted("engine_answers_total") < answered + whole + HANG_UPS


def example(house: House, heading: str, language: str) -> str:
    """Return an example of docs/clients.md, for this service."""
    part = (ROOT / "docs" / "clients.md").read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    text = part.partition(f"```{language}\n")[2].partition("```")[0]
    assert text
    own = {"http://127.0.0.1:5000/v1": house.url, '"KEY"': f'"{KEY}"', "MODEL": "demo"}
    for theirs, ours in own.items():
        text = text.replace(theirs, ours)
    return text


@pytest.mark.parametrize("heading", ["curl", "The openai package", "LangChain"])
def test_the_examples_of_the_docs_are_answered(house: House, tmp_path: Path, heading: str) -> None:
    shutil.copy(INVOICE, tmp_path / "invoice.png")
    if heading == "curl":
        command, text = ["sh", "-ec"], example(house, heading, "sh")
    else:
        python = sys.executable if "openai" in heading else program("langchain_openai/bin/python")
        command, text = [python, "-c"], example(house, heading, "python")
    if heading == "LangChain":
        text = f"import base64\npicture = base64.b64encode(open('invoice.png', 'rb').read()).decode()\n{text}"
    done = run(*command, text, variables={"KEY": KEY}, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)["choices"][0]["message"]["content"] if heading == "curl" else done.stdout.strip()
    assert said == house.first


@pytest.fixture
def llm(house: House, tmp_path: Path) -> Mapping[str, str]:
    """The settings of simonw's llm as docs/clients.md has them, in a folder of its own."""
    (tmp_path / "extra-openai-models.yaml").write_text(example(house, "llm", "yaml"), "utf-8")
    (tmp_path / "keys.json").write_text(json.dumps({"house": KEY}), "utf-8")
    return {"LLM_USER_PATH": str(tmp_path)}


def test_llm_asks_asks_on_is_refused_and_is_ended(house: House, llm: Mapping[str, str]) -> None:
    command = program("llm/bin/llm")
    asked, answered = house.counted("questions_total"), house.counted("engine_answers_total")
    first = run(command, "-m", "house", "-u", "What is the total?", "-a", INVOICE, variables=llm)
    assert (first.returncode, first.stdout.strip()) == (0, house.first), first.stderr
    second = run(command, "-c", "-u", "What is the tax rate?", variables=llm)
    assert second.stdout.strip() == house.second
    assert cached(second.stderr) > tokens_read(first.stderr)
    whole = run(command, "-m", "house", "--no-stream", "What is the total?", "-a", INVOICE, variables=llm)
    assert whole.stdout.strip() == house.first
    schema = "total float, paid bool"
    shaped = run(command, "-m", "house", "--schema", schema, "What is the total?", "-a", INVOICE, variables=llm)
    assert_shaped(json.loads(shaped.stdout))
    refused = run(command, "-m", "house", "What is it?", "--at", house.broken, "image/png", variables=llm)
    assert refused.returncode == 1
    assert "This is a text file." in refused.stderr
    for _ in range(HANG_UPS):
        words = [command, "-m", "house", "Extract all text", "-a", str(INVOICE)]
        with subprocess.Popen(words, env={**os.environ, **llm}, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.read(1)
            process.kill()
    assert_freed(house, asked, answered, 4)


def tokens_read(usage: str) -> int:
    """Return the tokens of llm's "Token usage: 518 input, 23 output, {…}"."""
    return int(usage.partition("Token usage: ")[2].partition(" input")[0].replace(",", ""))


def cached(usage: str) -> int:
    return int(json.loads(usage[usage.index("{") :])["prompt_tokens_details"]["cached_tokens"])


def test_the_command_line_asks_the_service(house: House, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bots", "ask", "--url", house.url, "--key", "env:HOUSE_KEY"]
    asked = run(*words, INVOICE, "What is the total?", variables={"HOUSE_KEY": KEY})
    assert (asked.returncode, asked.stdout.strip()) == (0, house.first), asked.stderr
    boxes = tmp_path / "boxes.png"
    found = run(*words, "--json", "--save-boxes", boxes, INVOICE, "Where is the total?", variables={"HOUSE_KEY": KEY})
    told = json.loads(found.stdout)
    assert [box["label"] for box in told["boxes"]] == ["total"]
    assert "bbox_2d" not in found.stdout
    assert told["usage"]["cached_tokens"] > 0
    assert boxes.read_bytes().startswith(b"\x89PNG")
    for key, sentence in (("env:HOUSE_KEY", "refuses this key"), ("", "needs a key")):
        refused = run(*words[:-1], key, INVOICE, "What is the total?", variables={"HOUSE_KEY": "a-wrong-key"})
        assert refused.returncode == 2
        assert sentence in refused.stderr
