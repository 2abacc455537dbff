"""A stand-in for the hub on this machine: the part of its HTTP interface that uploads and downloads of models use."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

LARGE = ".safetensors"


@dataclass
class Hub:
    """Repositories, name -> path -> content, each with the commit that the content makes; and what was asked for.

    breaks: path -> bytes after which the connection ends, once. fails: paths that are answered with 500. lies: path ->
    what is sent in place of its content.
    """

    url: str = ""
    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ranges: list[tuple[str, str]] = field(default_factory=list)
    breaks: dict[str, int] = field(default_factory=dict)
    fails: set[str] = field(default_factory=set)
    lies: dict[str, bytes] = field(default_factory=dict)
    token: str = "secret"

    def commit(self, name: str) -> str:
        files = self.repositories[name]
        return hashlib.sha1(b"".join(path.encode() + files[path] for path in sorted(files))).hexdigest()

    def downloads(self) -> list[str]:
        """The files whose content was asked for, in order."""
        return [
            line.partition("/resolve/")[2].partition("/")[2]
            for line in self.asked
            if line.startswith("GET") and "/resolve/" in line
        ]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def answer(self, value: Any, status: int = 200, **headers: str) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def note(self) -> str:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        return path

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.note()
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/[^/]+|/tree/[^/]+)?", path):
            self.listing(found[1], found[2] or "")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.file(found[1], found[3])
        else:
            self.answer({"error": "no such page"}, 404)

    def listing(self, name: str, what: str) -> None:
        if name not in self.hub.repositories:
            self.answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
            return
        files = self.hub.repositories[name]
        if what.startswith("/tree/"):
            entries = []
            for path, content in files.items():
                entry = {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                if path.endswith(LARGE):
                    digest = hashlib.sha256(content).hexdigest()
                    entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
                entries.append(entry)
            self.answer(entries)
            return
        self.answer({"id": name, "sha": self.hub.commit(name), "siblings": [{"rfilename": path} for path in files]})

    def file(self, name: str, path: str) -> None:
        content = self.hub.repositories.get(name, {}).get(path)
        if content is None:
            code = "EntryNotFound" if name in self.hub.repositories else "RepoNotFound"
            self.answer({"error": code}, 404, X_Error_Code=code, X_Repo_Commit="")
            return
        digest = hashlib.sha256 if path.endswith(LARGE) else hashlib.sha1
        headers = {"ETag": f'"{digest(content).hexdigest()}"', "X_Repo_Commit": self.hub.commit(name)}
        if path.endswith(LARGE):
            headers |= {"X_Linked_ETag": headers["ETag"], "X_Linked_Size": str(len(content))}
        content = self.hub.lies.get(path, content)
        if self.command == "GET" and path in self.hub.fails:
            self.answer({"error": "broken"}, 500)
            return
        start = 0
        if (asked := self.headers.get("Range")) and self.command == "GET":
            self.hub.ranges.append((path, asked))
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if self.command == "GET" and (most := self.hub.breaks.pop(path, None)) is not None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:most])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)
            return
        self.answer(content[start:], 206 if start else 200, **headers)

    def do_POST(self) -> None:
        path, body = self.note(), self.body()
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self.answer({"error": "Invalid username or password."}, 401)
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            there = name in self.hub.repositories
            self.hub.repositories.setdefault(name, {})
            self.answer({"url": f"{self.hub.url}/{name}"}, 409 if there else 200)
        elif path == "/api/validate-yaml":
            card = json.loads(body)["content"]
            head = yaml.safe_load(card.split("---\n")[1])
            errors = [] if isinstance(head, dict) and head.get("license") else [{"message": "no license"}]
            self.answer({"errors": errors, "warnings": []}, 400 if errors else 200)
        elif "/preupload/" in path:
            files = [file["path"] for file in json.loads(body)["files"]]
            modes = {file: "lfs" if file.endswith(LARGE) else "regular" for file in files}
            self.answer({"files": [{"path": f, "uploadMode": m, "shouldIgnore": False} for f, m in modes.items()]})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            actions = [
                {**each, "actions": {"upload": {"href": f"{self.hub.url}/upload/{each['oid']}"}}} for each in objects
            ]
            self.answer({"transfer": "basic", "objects": actions})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            self.commit(found[1], body)
        else:
            self.answer({"error": "no such page"}, 404)

    def commit(self, name: str, body: bytes) -> None:
        files = self.hub.repositories[name]
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.uploads[value["oid"]]
        commit = self.hub.commit(name)
        self.answer({"commitUrl": f"{self.hub.url}/{name}/commit/{commit}", "commitOid": commit})

    def do_PUT(self) -> None:
        path, content = self.note(), self.body()
        digest = path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == digest
        self.hub.uploads[digest] = content
        self.answer({})


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that is reached at its `url` in the block."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OfThis", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
