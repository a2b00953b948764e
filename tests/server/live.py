"""A real server in a process of its own, and a client that can say anything to it, however malformed."""

import atexit
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from copy import deepcopy
from functools import cache
from pathlib import Path
from urllib.parse import quote

import jsonschema

import hcpgraph.testing
from hcpgraph.server.schema.bundle import bundle

TOKEN = "0123456789abcdef0123456789abcdef"


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def codes(self):
        """Codes of the problems that it tells; the reply must be one about problems."""
        problems = self.json()["problems"]
        definition("ApiError").validate(self.json())
        return [problem["code"] for problem in problems]


class Live:
    """`hcpgraph serve` on a free port."""

    def __init__(self, workspace, *arguments, packs=(hcpgraph.testing.FOLDER,)):
        self.workspace = Path(workspace)
        command = [sys.executable, "-m", "hcpgraph.cli", "serve", "--port", "0", "--no-browser", "--token", TOKEN]
        command += ["--workspace", str(workspace), *arguments]
        command += [part for pack in packs for part in ("--pack", str(pack))]
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the server
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, cwd=tempfile.gettempdir())
        self.url = self.process.stdout.readline().decode().strip()
        found = re.fullmatch(r"http://([^/]+):(\d+)/\?token=(\w+)", self.url)
        assert found, f"{self.url!r}\n{self.said()}"
        self.host, self.port, self.token = found[1], int(found[2]), found[3]

    def said(self):
        """What it wrote on stderr so far."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def request(self, method, path, body=None, headers=None, *, token=True, json_body=None):
        """One request with exactly these headers, besides Host, Content-Length and the token."""
        sent = {"Host": f"127.0.0.1:{self.port}"}
        if token:
            sent["Authorization"] = f"Bearer {self.token if token is True else token}"
        if json_body is not None:
            body = json.dumps(json_body).encode()
            sent["Content-Type"] = "application/json"
        if body is not None:
            sent["Content-Length"] = str(len(body))
        sent |= headers or {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                for one in value if isinstance(value, list) else [value]:
                    if one is not None:
                        connection.putheader(name, one)
            connection.endheaders()
            if body is not None:
                with suppress(BrokenPipeError, ConnectionResetError):  # the answer may come before the body is read
                    connection.send(body)
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def get(self, path, shape=None, **more):
        return self.shaped(self.request("GET", path, **more), shape)

    def post(self, path, data, shape=None, method="POST", **more):
        return self.shaped(self.request(method, path, json_body=data, **more), shape)

    def shaped(self, reply, shape=None):
        """The JSON of a reply that must be a success and of this shape."""
        assert reply.status in (200, 201), (reply.status, reply.body[:2000])
        assert reply.headers["Content-Type"].startswith("application/json")
        data = reply.json()
        if shape:
            name = shape.removesuffix("[]")
            for item in data if shape.endswith("[]") else [data]:
                definition(name).validate(item)
        return data

    def file(self, uri, **more):
        query = "".join(f"&{name}={value}" for name, value in more.items())
        return self.request("GET", f"/api/file?uri={quote(uri)}{query}")

    def upload(self, *parts, root="data", folder=None, headers=None):
        """Parts are (file name, content)."""
        body = multipart([("root", None, root.encode())], *([("folder", None, folder.encode())],) if folder else ([],),
                         [("file", name, content) for name, content in parts])  # fmt: skip
        return self.request("POST", "/api/upload", body, {"Content-Type": MULTIPART, **(headers or {})})

    def close(self, number=signal.SIGINT):
        """End it as Ctrl-C does; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        return self.process.returncode


BOUNDARY = "----b0undary"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"


def multipart(*groups):
    """A form from (field, file name or None, content)."""
    out = b""
    for field, name, content in (part for group in groups for part in group):
        disposition = f'form-data; name="{field}"' + (f'; filename="{name}"' if name is not None else "")
        out += f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode()


@cache
def shared():
    """One server for all tests that do not stop it."""
    folder = tempfile.mkdtemp(prefix="hcpgraph-live-")
    live = Live(Path(folder) / "workspace")
    owner = os.getpid()

    def end():
        if os.getpid() == owner:
            live.close()
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return live


@cache
def definition(name):
    """Says whether something has this shape; no object may have more than what is said of it."""
    whole = deepcopy(bundle())
    whole["$ref"] = f"#/$defs/{name}"

    def close(value):
        if isinstance(value, dict):
            if "properties" in value and value.get("type") == "object":
                value.setdefault("additionalProperties", False)
            for inner in value.values():
                close(inner)
        elif isinstance(value, list):
            for inner in value:
                close(inner)

    close(whole["$defs"])
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole)
