"""People whom Debian's nginx and Caddy sign in, with the lines of docs/operate.md: who reaches whose conversations."""

from pathlib import Path

import httpx
import pytest

from tests.demo import sample
from tests.ports import free_port
from tests.system.conftest import START_SECONDS, Host
from tests.system.reverse_proxy import reverse_proxy

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
PEOPLE = {"ann": "the word of Ann", "bob": "the word of Bob"}
FORGED = ("Remote-User", "REMOTE-USER", "Remote_User")
BEHIND = """
path = "/pictures"
trusted_proxies = ["127.0.0.1"]
person_header = "Remote-User"
"""


def ask(client: httpx.Client, query: str) -> str:
    files = {"image": ("invoice.png", sample("invoice-en"), "image/png")}
    asked = client.post("/api/v1/analyze", data={"query": query}, files=files)
    assert asked.status_code == 200, asked.text
    return str(asked.json()["conversation"])


def listed(client: httpx.Client) -> list[str]:
    return [it["title"] for it in client.get("/api/v1/conversations").json()["conversations"]]


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
def test_people_who_are_signed_in_see_their_own_lists_whatever_a_visitor_forges(kind: str, tmp_path: Path) -> None:
    host, port = Host(tmp_path), free_port()
    config = host.config.read_text("utf-8").replace("shared_list = true\n", "") + BEHIND
    host.config.write_text(config, "utf-8")
    with (
        reverse_proxy(kind, tmp_path, "/pictures", f"127.0.0.1:{host.port}", port, PEOPLE) as proxy,
        host.start() as service,
    ):
        url = f"{proxy.url}/pictures"

        def signed_in(name: str, word: str, **headers: str) -> httpx.Client:
            auth = httpx.BasicAuth(name, word)
            return httpx.Client(base_url=url, auth=auth, verify=proxy.trust, headers=headers, timeout=START_SECONDS)

        with signed_in("ann", PEOPLE["ann"]) as ann, signed_in("bob", PEOPLE["bob"]) as bob:
            assert ann.get("/").status_code == bob.get("/").status_code == 200
            assert not ann.cookies  # a person's list needs none
            hers, his = ask(ann, "What is the total?"), ask(bob, "What is the tax rate?")
            assert (listed(ann), listed(bob)) == (["What is the total?"], ["What is the tax rate?"])
            assert bob.get(f"/api/v1/conversations/{hers}").status_code == 404
            assert ann.delete(f"/api/v1/conversations/{his}").status_code == 404
        for header in FORGED:
            with signed_in("bob", PEOPLE["bob"], **{header: "ann"}) as forger:
                assert listed(forger) == ["What is the tax rate?"], header
                assert forger.get(f"/api/v1/conversations/{hers}").status_code == 404
            with httpx.Client(base_url=url, verify=proxy.trust, headers={header: "ann"}) as visitor:
                assert visitor.get("/api/v1/conversations").status_code == 401
            direct, elsewhere = f"http://127.0.0.1:{host.port}/pictures", httpx.HTTPTransport(local_address="127.0.0.2")
            with httpx.Client(base_url=direct, transport=elsewhere, headers={header: "ann"}) as neighbour:
                assert listed(neighbour) == []  # who comes from there is no named proxy
        with signed_in("ann", "another word") as wrong:
            assert wrong.get("/api/v1/conversations").status_code == 401
        assert "Traceback" not in service.log
