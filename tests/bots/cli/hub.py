"""A Hugging Face hub on loopback: the answers that its library asks for, from a dictionary of files by commit."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]
LARGE_SUFFIX = ".safetensors"  # kept as a large file, whose hash is SHA-256; others have git's


@dataclass
class Hub:
    """`revisions` are branches and tags. What is in `spoilt` is sent instead of the file of that name."""

    name: str
    commits: dict[str, Files]
    revisions: dict[str, str]
    spoilt: Files = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)  # files whose content was asked for
    url: str = ""

    def commit(self, revision: str) -> str | None:
        commit = self.revisions.get(revision, revision)
        return commit if commit in self.commits else None

    def info(self, commit: str) -> object:
        return {"id": self.name, "sha": commit, "siblings": [{"rfilename": path} for path in self.commits[commit]]}

    def tree(self, commit: str) -> object:
        entries = []
        for path, data in self.commits[commit].items():
            entry = {"type": "file", "path": path, "size": len(data), "oid": _git_hash(data)}
            if path.endswith(LARGE_SUFFIX):
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            entries.append(entry)
        return entries


@contextmanager
def serve(hub: Hub) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def log_message(self, format: str, *arguments: object) -> None: ...

        def _answer(self) -> None:
            parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
            path = "/".join(parts)
            if path.startswith(f"api/models/{hub.name}/") and len(parts) == 6:
                commit = hub.commit(parts[5])
                if commit and parts[4] in ("revision", "tree"):
                    found = hub.info(commit) if parts[4] == "revision" else hub.tree(commit)
                    self._send(json.dumps(found).encode(), {"Content-Type": "application/json"})
                    return
                self._missing("RevisionNotFound")
            elif path.startswith(f"{hub.name}/resolve/") and len(parts) == 5 and parts[3] in hub.commits:
                self._file(parts[3], parts[4])
            else:
                self._missing("RepoNotFound")

        def _file(self, commit: str, name: str) -> None:
            data = hub.commits[commit][name]
            mark = hashlib.sha256(data).hexdigest() if name.endswith(LARGE_SUFFIX) else _git_hash(data)
            if self.command == "GET":
                hub.sent.append(name)
                data = hub.spoilt.get(name, data)
            self._send(data, {"X-Repo-Commit": commit, "ETag": f'"{mark}"'})

        def _missing(self, code: str) -> None:
            self._send(b"", {"X-Error-Code": code}, 404)

        def _send(self, data: bytes, headers: dict[str, str], status: int = 200) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(data))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
