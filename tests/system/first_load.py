"""Visit the page for the first time as installed: start the service, load the page and everything it names.

Prints JSON: every address with its status and size, the page's Chinese title, and the answer to a question.
"""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx

PORT = 5000
PATIENCE_S = 120
command, sample = sys.argv[1:]

with subprocess.Popen([command, "run"], stderr=subprocess.PIPE, text=True) as service:
    try:
        assert service.stderr is not None
        with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=PATIENCE_S, trust_env=False) as client:
            for _ in range(PATIENCE_S * 4):
                try:
                    client.get("/healthz")
                    break
                except httpx.TransportError:
                    time.sleep(0.25)
            page = client.get("/", headers={"Accept-Language": "zh-CN"})
            found = {}
            for address in set(re.findall(r'(?:src|href)="([^"#:]+)["#]', page.text)):
                response = client.get(page.url.join(address))
                found[address] = [response.status_code, len(response.content)]
            picture = {"image": Path(sample).read_bytes()}
            answer = client.post("/api/v1/analyze", data={"query": "What is the total?"}, files=picture)
            ready = client.get("/readyz")
    finally:
        service.terminate()
    log = service.stderr.read()
title = re.search("<h1[^>]*>(.*?)</h1>", page.text, re.DOTALL)
print(
    json.dumps(
        {
            "page": page.status_code,
            "chinese": title.group(1).strip() if title else page.text[:500],
            "found": found,
            "answer": [answer.status_code, answer.json()],
            "ready": [ready.status_code, ready.text],
            "log": log,
        }
    )
)
