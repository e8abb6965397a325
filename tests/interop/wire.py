"""One connection, line by line: what no SDK would send, and what no SDK would show."""

import json
import os
import subprocess
import tempfile
import threading

PATIENCE = 30


class Silence(AssertionError):
    """What should have come did not."""


class Wire:
    """A program with messages on its standard streams. All that it says is kept, in order."""

    def __init__(self, command, env, cwd=None):
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr, env=env, cwd=cwd
        )
        self.lines = []
        self.heard = []
        self.ended = False
        self.bell = threading.Condition()
        self.numbers = 0
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()

    def listen(self):
        for line in self.process.stdout:
            with self.bell:
                self.lines.append(line)
                try:
                    self.heard.append(json.loads(line))
                except ValueError:
                    self.heard.append({"unreadable": line[:200].decode(errors="replace")})
                self.bell.notify_all()
        with self.bell:
            self.ended = True
            self.bell.notify_all()

    def line(self, data):
        """Sends bytes as they are, and the end of a line."""
        self.process.stdin.write(data + b"\n")
        self.process.stdin.flush()

    def send(self, message):
        self.line(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def number(self):
        self.numbers += 1
        return self.numbers

    def wait(self, fits, after=0, patience=PATIENCE):
        """The first message from position `after` on that fits."""
        at = after
        with self.bell:
            while True:
                while at < len(self.heard):
                    if fits(self.heard[at]):
                        return self.heard[at]
                    at += 1
                if self.ended:
                    raise Silence("the connection ended before the answer came")
                if not self.bell.wait(patience):
                    raise Silence(f"nothing came for {patience} s")

    def ask(self, method, params=None, number=None):
        """Sends a request; its identifier."""
        number = self.number() if number is None else number
        message = {"id": number, "method": method}
        if params is not None:
            message["params"] = params
        self.send(message)
        return number

    def answer(self, number, patience=PATIENCE):
        return self.wait(lambda said: said.get("id") == number and "method" not in said, patience=patience)

    def request(self, method, params=None, patience=PATIENCE):
        return self.answer(self.ask(method, params), patience)

    def call(self, name, arguments=None, patience=PATIENCE, **beside):
        """The answer to a call: its `result`, or its `error` under that key."""
        params = {"name": name, "arguments": arguments or {}, **beside}
        said = self.request("tools/call", params, patience)
        return said.get("result", said)

    def initialize(self, capabilities=None, version="2025-11-25"):
        client = {"name": "interop-wire", "version": "1"}
        params = {"protocolVersion": version, "capabilities": capabilities or {}, "clientInfo": client}
        said = self.request("initialize", params)
        if "result" in said:
            self.send({"method": "notifications/initialized"})
        return said

    def tools(self, params=None):
        """All tools that are listed, by name."""
        listed, cursor = [], None
        while True:
            page = self.request("tools/list", {**(params or {}), **({"cursor": cursor} if cursor else {})})
            if "result" not in page:
                raise AssertionError(f"no list: {page}")
            listed += page["result"]["tools"]
            cursor = page["result"].get("nextCursor")
            if cursor is None:
                break
        names = [tool["name"] for tool in listed if isinstance(tool, dict) and "name" in tool]
        assert len(names) == len(set(names)), f"a name is listed twice: {names}"
        return {tool["name"]: tool for tool in listed}

    def close(self):
        """Leaves, and hears all that is still to be said; the program's exit code."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        code = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        return code

    def complaints(self):
        """What it printed on stderr so far."""
        size = os.fstat(self.stderr.fileno()).st_size
        return os.pread(self.stderr.fileno(), size, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.reader.join(PATIENCE)
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.stderr.close()
