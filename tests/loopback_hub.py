"""A Hub on this machine: as much of its HTTP interface as huggingface_hub asks for when it fills its cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE_FILES = (".safetensors", ".bin", ".npz", ".pth")
"""Kept apart, under the sha256 of their content, and reached by a redirect."""


@dataclass
class Repository:
    """Hold the commits of one repository, and who may see it.

    `token` is what must be sent to see a private one, `gated` whether the files are for those only who send it.
    """

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    token: str | None = None
    gated: bool = False

    def commit(self, files: Mapping[str, bytes], ref: str = "main") -> str:
        """Add a commit and move a branch to it."""
        listed = sorted((path, hashlib.sha256(content).hexdigest()) for path, content in files.items())
        digest = hashlib.sha1(repr((listed, self.refs.get(ref))).encode()).hexdigest()
        self.commits[digest] = dict(files)
        self.refs[ref] = digest
        return digest


class Hub:
    """Serve repositories and remember what was asked for.

    `broken` maps the name of a file to how many bytes of it are sent before the connection is cut; `times` says how
    often. `status`, if it is set, is the answer to everything.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.asked: list[tuple[str, str]] = []
        self.tokens: list[tuple[str, str | None]] = []
        self.agents: list[str] = []
        self.broken: dict[str, int] = {}
        self.times = 0
        self.status: int | None = None
        hub = self

        class Handler(_Handler):
            served = hub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        port = self.server.server_address[1]
        self.endpoint, self.store = f"http://127.0.0.1:{port}", f"http://localhost:{port}"  # two hosts, as the real one

    def add(self, name: str, files: Mapping[str, bytes]) -> Repository:
        """Make a repository with one commit on its main branch."""
        self.repositories[name] = Repository()
        self.repositories[name].commit(files)
        return self.repositories[name]

    @property
    def bodies(self) -> list[str]:
        """Names of the files whose content was asked for, in order."""
        return [path.rpartition("/")[2] for method, path in self.asked if method == "GET" and "/resolve/" in path]

    @contextlib.contextmanager
    def serving(self) -> Iterator[Hub]:
        """Answer until the context ends; then nobody does."""
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.close()
            thread.join()

    def close(self) -> None:
        """Be gone: the next connection is refused."""
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"  # a connection for each request, so that none outlives the server
    served: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        hub, path = self.served, unquote(urlsplit(self.path).path)
        token = self.headers.get("authorization")
        hub.asked.append((self.command, path))
        hub.tokens.append((path, token))
        hub.agents.append(self.headers.get("user-agent", ""))
        if hub.status is not None:
            return self.fail(hub.status, "")
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
            name, what, revision = match[1], match[2] or "revision", match[3] or "main"
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/(resolve)/([^/]+)/(.+)", path):
            name, what, revision = match[1], match[2], match[3]
        elif match := re.fullmatch(r"/large/(\w+)", path):
            return self.large(match[1])
        else:
            return self.fail(404, "")
        repository = hub.repositories.get(name)
        allowed = repository is not None and token == f"Bearer {repository.token}"
        if repository is None or (repository.token and not repository.gated and not allowed):
            return self.fail(401, "RepoNotFound")
        commit = repository.refs.get(revision, revision)
        if commit not in repository.commits:
            return self.fail(404, "RevisionNotFound")
        files = repository.commits[commit]
        if what == "revision":
            siblings = [{"rfilename": path} for path in files]
            return self.send_json({"id": name, "modelId": name, "sha": commit, "siblings": siblings})
        if what == "tree":
            return self.send_json([_entry(path, content) for path, content in files.items()])
        if repository.gated and not allowed:
            return self.fail(403 if token else 401, "GatedRepo")
        if match[4] not in files:
            return self.fail(404, "EntryNotFound")
        return self.resolve(match[4], files[match[4]], commit)

    def resolve(self, path: str, content: bytes, commit: str) -> None:
        entry = _entry(path, content)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{entry["oid"]}"'}
        if "lfs" in entry:
            sha256 = entry["lfs"]["oid"]
            headers |= {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(content))}
            return self.send(302, b"", {**headers, "Location": f"{self.served.store}/large/{sha256}"})
        return self.send(200, content, headers)

    def large(self, sha256: str) -> None:
        found = [
            (path, content)
            for repository in self.served.repositories.values()
            for files in repository.commits.values()
            for path, content in files.items()
            if hashlib.sha256(content).hexdigest() == sha256
        ]
        path, content = found[0]
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(start[1]) if start else 0
        ranged = {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"} if start else {}
        sent = None
        if self.command == "GET" and path in self.served.broken and self.served.times > 0:
            self.served.times -= 1
            sent = max(self.served.broken[path] - first, 0)
        self.send(206 if start else 200, content[first:], ranged, sent)

    def send(self, status: int, body: bytes, headers: Mapping[str, str], sent: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:sent])
        if sent is not None:
            self.close_connection = True

    def send_json(self, value: object) -> None:
        self.send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def fail(self, status: int, code: str) -> None:
        self.send(status, b"", {"X-Error-Code": code} if code else {})


def _entry(path: str, content: bytes) -> dict[str, object]:
    """Describe a file as the list of a repository does."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": blob}
    if path.endswith(LARGE_FILES):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return entry
