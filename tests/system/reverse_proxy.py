"""nginx and Caddy from Debian, each with its block from docs/operate.md in front of a service."""

import os
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme

from tests.system.conftest import ROOT, START_SECONDS, debian

DOCS = ROOT / "docs" / "operate.md"
DOCUMENTED_PATH, DOCUMENTED_SERVICE = "/pictures", "127.0.0.1:5000"
# What Debian's nginx.conf has around a block, for a process that leaves the machine's own folders alone.
NGINX = """
daemon off;
user root;
pid {folder}/nginx.pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {folder}/certificate.pem;
    ssl_certificate_key {folder}/key.pem;
    {block}
  }}
}}
"""
CADDY = """
{{
  admin off
  auto_https disable_redirects
}}
https://localhost:{port} {{
  bind 127.0.0.1
  tls {folder}/certificate.pem {folder}/key.pem
  {block}
}}
"""


def documented(language: str, path: str, service: str) -> str:
    """The block of the docs, led to a service, and changed for the top as the docs say."""
    blocks: list[str] = re.findall(rf"^```{language}\n(.*?)^```", DOCS.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    [block] = blocks
    assert DOCUMENTED_SERVICE in block
    block = block.replace(DOCUMENTED_SERVICE, service)
    if path == DOCUMENTED_PATH:
        return block
    lines = [line for line in block.splitlines() if not line.startswith("redir ")]
    return "\n".join(lines).replace(f"{DOCUMENTED_PATH}/", "/")


@dataclass(frozen=True)
class ReverseProxy:
    """What is in front of a service. `trust` believes its certificate."""

    url: str
    trust: ssl.SSLContext
    log: Path


def signing_in(kind: str, block: str, folder: Path, people: Mapping[str, str]) -> str:
    """The block, with a password for each of these people, and the line of the docs that tells who it is."""
    if kind == "nginx":
        [line] = re.findall(r"`(proxy_set_header Remote-User .*?)`", DOCS.read_text("utf-8"))
        names = folder / "people"
        names.write_text("".join(f"{name}:{{PLAIN}}{word}\n" for name, word in people.items()), "utf-8")
        begin, added = "proxy_http_version 1.1;", f'auth_basic "Pictures"; auth_basic_user_file {names}; {line}\n'
        return block.replace(begin, added + begin)
    [line] = re.findall(r"`(header_up Remote-User .*?)`", DOCS.read_text("utf-8"))
    hashes = "\n".join(f"{name} {_hashed(word)}" for name, word in people.items())
    block = block.replace("reverse_proxy ", f"basicauth {{\n{hashes}\n}}\nreverse_proxy ")
    return block.replace("flush_interval", f"{line}\nflush_interval")


def _hashed(word: str) -> str:
    made = subprocess.run(
        [debian("usr/bin/caddy"), "hash-password", "--plaintext", word], capture_output=True, text=True, check=True
    )
    return made.stdout.strip()


@contextmanager
def reverse_proxy(
    kind: str, folder: Path, path: str, service: str, port: int, people: Mapping[str, str] = {}
) -> Iterator[ReverseProxy]:
    """Serve https://localhost at a port until the block ends; with `people`, names and passwords, only them."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(str(folder / "certificate.pem"), append=True)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    config, log = folder / f"{kind}.conf", folder / f"{kind}.log"
    text, block = NGINX if kind == "nginx" else CADDY, documented(kind, path, service)
    if people:
        block = signing_in(kind, block, folder, people)
    config.write_text(text.format(folder=folder, port=port, block=block), "utf-8")
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command(kind, folder, config), stdout=out, stderr=out, env={**os.environ, "HOME": str(folder)}
        ) as process,
    ):
        try:
            wait_until_open(port, process, log)
            yield ReverseProxy(f"https://localhost:{port}", trust, log)
        finally:
            process.terminate()


def command(kind: str, folder: Path, config: Path) -> list[str]:
    if kind == "nginx":
        return [debian("usr/sbin/nginx"), "-e", "stderr", "-p", str(folder), "-c", str(config)]
    return [debian("usr/bin/caddy"), "run", "--adapter", "caddyfile", "--config", str(config)]


def wait_until_open(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert process.poll() is None and time.monotonic() < end, log.read_text("utf-8", "replace")
        time.sleep(0.02)


def calling_from(address: str, base_url: str, trust: ssl.SSLContext | bool = True) -> httpx.AsyncClient:
    """A client whose own address is that one of this machine's."""
    transport = httpx.AsyncHTTPTransport(verify=trust, local_address=address)
    return httpx.AsyncClient(base_url=base_url, transport=transport, timeout=START_SECONDS)
