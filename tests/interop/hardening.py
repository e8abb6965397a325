"""Servers that do one hostile thing each: what of it reaches the client, and what a client can make reach a server."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from harness import HERE, META, PLACET, brief, group, refused, same
from wire import PATIENCE, Wire


class Node:
    """A home with a configuration file, a client's secret, and a background node when a client asks for one."""

    def __init__(self, checks, name, servers, agent='levels = ["read", "write"]'):
        # Sockets have short paths.
        self.root = checks.file(f"n{len(list(checks.scratch.iterdir()))}-{name}"[:24])
        for folder in ["c/placet/clients", "s", "r"]:
            (self.root / folder).mkdir(parents=True)
        (self.root / "r").chmod(0o700)
        key = self.root / "c/placet/clients/desk.key"
        key.write_text("a secret")
        key.chmod(0o600)
        digest = hashlib.sha256(b"a secret").hexdigest()
        lines = []
        for server, (what, more) in servers.items():
            command = [sys.executable, "-I", "-S", str(HERE / "hostile.py"), what, str(self.log(server)),
                       str(self.root / "change"), str(self.root / "go")]
            lines += [f"[servers.{server}]", f"command = {json.dumps(command)}", more,
                      f"[servers.{server}.tools]", 'look = "read"']
        names = json.dumps(list(servers))
        lines += ["[agents.a]", agent, "[clients.desk]", f'credential = "sha256:{digest}"', 'agent = "a"',
                  f"servers = {names}"]
        (self.root / "c/placet/placet.toml").write_text("\n".join(lines) + "\n")
        self.env = {**checks.env, "HOME": str(self.root), "XDG_CONFIG_HOME": str(self.root / "c"),
                    "XDG_STATE_HOME": str(self.root / "s"), "XDG_RUNTIME_DIR": str(self.root / "r")}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.run("node", "stop")

    def log(self, server):
        return self.root / f"{server}.log"

    def received(self, server, method):
        log = self.log(server)
        lines = log.read_bytes().split(b"\n") if log.exists() else []
        return [line for line in lines if b'"method":"%s"' % method.encode() in line]

    def run(self, *arguments):
        done = subprocess.run([PLACET, *arguments], env=self.env, capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout + done.stderr

    def client(self, server):
        return Wire([PLACET, "mcp", server], self.env)

    def records(self, text):
        """Records that contain a text; those that are only queued come with the next one that is not."""
        return [line for line in self.run("audit", "tail", "-n", "1000")[1].splitlines() if text in line]


def until(what, happens):
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end, f"it never came: {what}"


@contextmanager
def one(checks, what, more="", capabilities=None, modern=False):
    with Node(checks, what, {"fs": (what, more)}) as node, node.client("fs") as wire:
        if not modern:
            wire.initialize(capabilities)
        yield node, wire


@group("hostile: lists that change, and lists without end")
def lists(checks):
    with one(checks, "changes-while-listed") as (node, wire):
        with checks.check("a list that changes while it is read is read again"):
            refused(wire.call("look", {"a": "x"}))
            same(node.received("fs", "tools/call"), [], "the calls")
            same(len(node.received("fs", "tools/list")), 4, "the pages that were read")
    with one(checks, "changes-unread") as (node, wire):
        with checks.check("what waits to be sent when the list changes is judged by the new one"):
            for name in ["change", "go"]:
                os.mkfifo(node.root / name)
            wire.call("look", {"a": "first"})
            # Two of these fill the pipe; whatever comes once they are judged stays behind them.
            for letter in "stuvwxyz":
                wire.ask("tools/call", {"name": "look", "arguments": {"a": letter * 60_000}})
            until("the long ones are judged", lambda: len(node.records(" intent ")) >= 9)
            late = wire.ask("tools/call", {"name": "look", "arguments": {"a": "late"}})
            until("the late one is judged", lambda: len(node.records(" intent ")) >= 10)
            open(node.root / "change", "wb").close()
            wire.wait(lambda said: said.get("method") == "notifications/tools/list_changed")
            open(node.root / "go", "wb").close()
            refused(wire.answer(late)["result"], "tool_changed")
            assert not [line for line in node.received("fs", "tools/call") if b'"late"' in line], "it was called"
    with one(checks, "restless") as (node, wire):
        with checks.check("a list that never rests makes no tool callable"):
            refused(wire.call("look", {"a": "x"}), "upstream_unavailable")
            same(node.received("fs", "tools/call"), [], "the calls")
    for what in ["endless", "many"]:
        with one(checks, what) as (node, wire):
            with checks.check(f"a list of {what} is an error in words, soon"):
                said = wire.request("tools/list", {})
                assert "entries" in said.get("error", {}).get("message", ""), brief(said)
                assert len(node.received("fs", "tools/list")) < 20, "all of it was read"
    with one(checks, "heavy") as (node, wire):
        with checks.check("schemas of tools that nobody can call cost nothing, and a stop is taken meanwhile"):
            number = wire.ask("tools/list", {})
            begun = time.monotonic()
            same(node.run("stop", "--all")[0], 0, "the stop")
            assert time.monotonic() - begun < 5, "the stop had to wait"
            same([tool["name"] for tool in wire.answer(number)["result"]["tools"]], ["look"], "the list")
            node.run("resume", "--reason", "x")
    with one(checks, "unusable-twice") as (node, wire):
        with checks.check("of two tools of one name neither is called, even if one cannot be"):
            same(wire.tools(), {}, "the list")
            refused(wire.call("look", {"a": "x"}))
            same(node.received("fs", "tools/call"), [], "the calls")
    with Node(checks, "names", {"fs": ("long-names", ""), "good": ("plain", "")}) as node:
        with node.client("fs") as wire, node.client("good") as good:
            with checks.check("names of any length are told in short, and the others go on"):
                wire.initialize()
                good.initialize()
                assert "look" in wire.tools()
                assert "isError" not in good.call("look", {"a": "x"})
                until("a finding is recorded", lambda: node.records("catalogue"))
                longest = max(len(line) for line in node.records("catalogue"))
                assert longest < 20_000, f"a record of {longest} characters"


@group("hostile: lines and floods")
def floods(checks):
    with one(checks, "carriage-return") as (node, wire):
        with checks.check("no answer is two lines to anybody"):
            wire.call("look", {"a": "x"})
            said = b"".join(wire.lines).decode()
            same(len(said.splitlines()), len(wire.lines), "the lines")
    with Node(checks, "flood", {"fs": ("flood", ""), "good": ("plain", "")}) as node:
        with node.client("fs") as wire, node.client("good") as good:
            with checks.check("a server that asks without pause is ended, in a handful of records"):
                wire.initialize()
                good.initialize()
                refused(wire.call("look", {"a": "x"}), "outcome_unknown", "allow")
                assert "isError" not in good.call("look", {"a": "x"}), "others are kept from their calls"
                until("a record of it", lambda: node.records("roots/list"))
                records = node.records("roots/list")
                assert len(records) < 10, f"{len(records)} records"
    with one(checks, "plain") as (node, wire):
        with checks.check("a client that writes as fast as it can is answered to the last"):
            # Requests and notifications by turns: both ends have much to say at once.
            count, pair = 5_000, b'{"jsonrpc":"2.0","id":%d,"method":"ping"}\n{"jsonrpc":"2.0","method":"x"}\n'
            data = b"".join(pair % at for at in range(10_000, 10_000 + count))
            writing = threading.Thread(target=lambda: (wire.process.stdin.write(data), wire.process.stdin.flush()))
            writing.start()
            wire.answer(10_000 + count - 1)
            writing.join(PATIENCE)
            wire.wait(lambda said: len(wire.heard) > count)
    with one(checks, "plain", modern=True) as (node, wire):
        with checks.check("of several beginnings at once one begins, and one server is left"):
            client = {"name": "c", "version": "1"}
            params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
            said = [wire.answer(number) for number in [wire.ask("initialize", params) for _ in range(8)]]
            same(["result" in one for one in said].count(True), 1, "the number that began")
            same(len(node.received("fs", "initialize")), 1, "the servers that were started")


@group("hostile: questions")
def questions(checks):
    asks = 'requests = ["elicitation"]'
    with one(checks, "asks-unreadable", asks, {"elicitation": {}}) as (node, wire):
        with checks.check("a question that cannot be read is not asked"):
            said = wire.call("look", {"a": "x"})
            assert "error" in json.loads(said["content"][0]["text"]), brief(said)
            assert not [one for one in wire.heard if one.get("method")], "it was asked"
    with one(checks, "asks", asks, {"elicitation": {}}) as (node, wire):
        with checks.check("a question says who asks, under an identifier that nobody guesses"):
            number = wire.ask("tools/call", {"name": "look", "arguments": {"a": "x"}})
            asked = wire.wait(lambda said: said.get("method") == "elicitation/create")
            same(asked["params"]["message"], "[fs] your password?", "the question")
            for guess in ["placet-1", "placet-0000000000000001", "q"]:
                wire.send({"id": guess, "result": {"action": "accept", "content": {"guessed": True}}})
            wire.send({"id": asked["id"], "result": {"action": "decline"}})
            told = json.loads(wire.answer(number)["result"]["content"][0]["text"])
            same(told["result"], {"action": "decline"}, "what the server was told")
    with one(checks, "needs-input", asks, modern=True) as (node, wire):
        able = {**META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
        call = {"name": "look", "arguments": {"a": "x"}}
        answer = {"inputResponses": {"k": {"action": "accept"}}, "requestState": "S"}
        with checks.check("a client that cannot be asked is not asked"):
            said = wire.request("tools/call", {**call, "_meta": META})
            assert "error" in said and "password" not in json.dumps(said), brief(said)
        with checks.check("an answer to nothing does not reach the server"):
            reached = len(node.received("fs", "tools/call"))
            assert "error" in wire.request("tools/call", {**call, **answer, "_meta": able})
            same(len(node.received("fs", "tools/call")), reached, "the calls")
        with checks.check("one that can be asked sees who asks, and answers once"):
            said = wire.request("tools/call", {**call, "_meta": able})["result"]
            same(said["inputRequests"]["k"]["params"]["message"], "[fs] your password?", "the question")
            for forged in [{"requestState": "T"}, {"inputResponses": {"other": {}}}, {"name": "other"}]:
                assert "error" in wire.request("tools/call", {**call, **answer, **forged, "_meta": able}), forged
            said = wire.request("tools/call", {**call, **answer, "_meta": able})["result"]
            same(json.loads(said["content"][0]["text"]), answer["inputResponses"], "what the server was told")
            assert "error" in wire.request("tools/call", {**call, **answer, "_meta": able}), "it was answered twice"
    with one(checks, "twice-input", asks, modern=True) as (node, wire):
        with checks.check("a result that says two things asks nothing"):
            said = wire.request("tools/call", {"name": "look", "arguments": {"a": "x"}, "_meta": META})
            assert "password" not in json.dumps(said), brief(said)


@group("hostile: clients of resources, and dry runs in disguise")
def clients(checks):
    globs = 'resources = ["file:///srv/docs/**"]'
    with one(checks, "plain", globs) as (node, wire):
        with checks.check("no URI but those of the globs reaches the server, wherever it stands"):
            read = ["file:///etc/passwd", ["file:///etc/passwd"], {"href": "file:///etc/passwd"}, None,
                    "file:///srv/docs/../../etc/passwd", "file:///srv/docs/%2e%2e/%2E%2e/etc/passwd",
                    "file:///srv/docs/..%2f..%2fetc", "file:///srv/docs/..\\..\\etc"]
            wrong = [(method, {"uri": uri}) for uri in read
                     for method in ["resources/read", "resources/subscribe", "resources/unsubscribe"]]
            wrong += [("resources/read", {}), ("completion/complete", {
                "ref": {"type": "ref/resource", "uri": "file:///etc/{x}"}, "argument": {"name": "x", "value": ""}})]
            for method, params in wrong:
                assert "error" in wire.request(method, params), f"{method} {params}"
                same(node.received("fs", method), [], f"what reached the server of {params}")
            assert "result" in wire.request("resources/read", {"uri": "file:///srv/docs/a"})
        with checks.check("a dry run runs nothing, however it is spelt"):
            for key in ["Dev.Placet/dry_run", "dev.placet.dry_run", " dev.placet/dry_run", "dry_run", "x.y/DryRun"]:
                assert "error" in wire.call("look", {"a": "x"}, _meta={key: True}), key
            same(node.received("fs", "tools/call"), [], "the calls")
        with checks.check("under a stop nothing that a client writes reaches the server"):
            same(node.run("stop", "--all")[0], 0, "the stop")
            for method, params in [("resources/list", {"cursor": "a letter"}), ("logging/setLevel", {"level": "debug"}),
                                   ("prompts/list", {"cursor": "a letter"})]:
                same(wire.request(method, params).get("error", {}).get("data", {}).get("code"), "stopped", method)
                same(node.received("fs", method), [], "what reached the server")
            same(node.run("resume", "--reason", "x")[0], 0, "the resume")
    with one(checks, "plain", globs, modern=True) as (node, wire):
        with checks.check("nor in a subscription of the newer era"):
            for uris in [["file:///etc/passwd"], ["file:///srv/docs/a", "file:///etc/passwd"], "file:///etc/passwd"]:
                params = {"notifications": {"resourceSubscriptions": uris}, "_meta": META}
                assert "error" in wire.request("subscriptions/listen", params), brief(uris)
            same(node.received("fs", "subscriptions/listen"), [], "what reached the server")
