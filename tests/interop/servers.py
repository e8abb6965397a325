"""The official servers, through the official clients."""

import json
import re
import subprocess
from dataclasses import dataclass

from harness import (
    BIN,
    CLIENTS,
    LEGACY,
    META,
    MODERN,
    MODULES,
    brief,
    by_name,
    group,
    ours_in,
    placet,
    refused,
    result_of,
    same,
    sdk,
    snapshot,
)


@dataclass
class Server:
    """An official server, what is granted of it, and what is done with it."""

    name: str
    # Both eras, or the older one only.
    dual: bool
    # Makes a world in a folder; the command that serves it.
    prepare: object
    # What is seen of the world.
    world: object
    levels: dict
    # The names that these levels match.
    granted: set
    # Read steps, made directly and through the boundary: the answers must be equal.
    reads: object
    # A call with an argument too many, and one with a wrong type.
    undeclared: object
    mistyped: object
    # Steps that no level allows.
    hidden: object
    # A write that is allowed where its tool is, and how one sees that it happened.
    write: object = None
    written: object = None
    mask: object = lambda value: value
    # What it asks of a client that can be asked.
    asks: tuple = ()


def call(name, /, **arguments):
    return {"do": "call", "name": name, "arguments": arguments}


def node(package, *arguments):
    return ["node", str(MODULES / package / "dist" / "index.js"), *arguments]


# --- filesystem

def filesystem_world(checks):
    folder = checks.file("files")
    (folder / "sub").mkdir(parents=True)
    (folder / "note.txt").write_text("one\ntwo — “three”, \U0001f50d\n")
    (folder / "sub" / "data.json").write_text(json.dumps({"a": [1, 2.5, None]}))
    (folder / "pixel.png").write_bytes(bytes(range(256)))
    return node("server-filesystem", str(folder))


def in_files(checks, *path):
    return str(checks.file("files").joinpath(*path))


FILESYSTEM = Server(
    name="filesystem",
    dual=False,
    prepare=filesystem_world,
    world=lambda checks: snapshot(checks.file("files")),
    levels={"read": ["read_*", "list_*", "get_file_info", "search_files"], "write": ["write_file"]},
    granted={
        "read_file", "read_text_file", "read_media_file", "read_multiple_files", "list_directory",
        "list_directory_with_sizes", "list_allowed_directories", "get_file_info", "search_files", "write_file",
    },
    reads=lambda checks: [
        call("read_text_file", path=in_files(checks, "note.txt")),
        call("read_text_file", path=in_files(checks, "note.txt"), head=1),
        call("read_media_file", path=in_files(checks, "pixel.png")),
        call("read_multiple_files", paths=[in_files(checks, "note.txt"), in_files(checks, "sub", "data.json")]),
        call("list_directory", path=in_files(checks)),
        call("get_file_info", path=in_files(checks, "note.txt")),
        call("search_files", path=in_files(checks), pattern="**/*.json"),
        # The tool's own refusal is the tool's own.
        call("read_text_file", path="/etc/passwd"),
    ],
    undeclared=lambda checks: call("read_text_file", path=in_files(checks, "note.txt"), follow=True),
    mistyped=lambda checks: call("read_text_file", path=in_files(checks, "note.txt"), head="1"),
    hidden=lambda checks: [
        call("create_directory", path=in_files(checks, "refused")),
        call("move_file", source=in_files(checks, "note.txt"), destination=in_files(checks, "moved.txt")),
        call("edit_file", path=in_files(checks, "note.txt"), edits=[{"oldText": "one", "newText": "1"}]),
    ],
    write=lambda checks: call("write_file", path=in_files(checks, "new.txt"), content="hello\n"),
    written=lambda checks: checks.file("files/new.txt").read_text() == "hello\n",
    asks=("roots/list",),
)


# --- memory

def memory_world(checks):
    checks.file("memory").mkdir()
    entity = {"type": "entity", "name": "Ada", "entityType": "person", "observations": ["writes programs"]}
    checks.file("memory/graph.jsonl").write_text(json.dumps(entity) + "\n")
    checks.env["MEMORY_FILE_PATH"] = str(checks.file("memory/graph.jsonl"))
    return node("server-memory")


MEMORY = Server(
    name="memory",
    dual=False,
    prepare=memory_world,
    world=lambda checks: snapshot(checks.file("memory")),
    levels={"read": ["read_graph", "search_*", "open_nodes"], "write": ["create_entities"]},
    granted={"read_graph", "search_nodes", "open_nodes", "create_entities"},
    reads=lambda checks: [
        call("read_graph"),
        call("search_nodes", query="programs"),
        call("open_nodes", names=["Ada", "Nobody"]),
    ],
    undeclared=lambda checks: call("search_nodes", query="programs", limit=1),
    mistyped=lambda checks: call("open_nodes", names="Ada"),
    hidden=lambda checks: [
        call("delete_entities", entityNames=["Ada"]),
        call("add_observations", observations=[{"entityName": "Ada", "contents": ["changed"]}]),
    ],
    write=lambda checks: call(
        "create_entities", entities=[{"name": "Bob", "entityType": "person", "observations": ["new"]}]
    ),
    written=lambda checks: '"Bob"' in checks.file("memory/graph.jsonl").read_text(),
)


# --- git

def git(checks, *arguments):
    command = ["git", "-C", str(checks.file("repo")), *arguments]
    return subprocess.run(command, env=checks.env, check=True, capture_output=True, text=True).stdout


def git_world(checks):
    checks.file("repo").mkdir()
    git(checks, "init", "--quiet", "--initial-branch", "main")
    checks.file("repo/file.txt").write_text("first\n")
    git(checks, "add", ".")
    git(checks, "commit", "--quiet", "-m", "The first commit")
    checks.file("repo/file.txt").write_text("second\n")
    git(checks, "add", ".")
    git(checks, "commit", "--quiet", "-m", "The second — commit")
    checks.file("repo/file.txt").write_text("third\n")
    return [str(BIN / "mcp-server-git"), "--repository", str(checks.file("repo"))]


def in_repo(checks, name, /, **arguments):
    return call(name, repo_path=str(checks.file("repo")), **arguments)


GIT = Server(
    name="git",
    dual=True,
    prepare=git_world,
    world=lambda checks: [git(checks, "for-each-ref"), git(checks, "status", "--porcelain", "--branch")],
    levels={
        "read": ["git_status", "git_log", "git_show", "git_diff*", "git_branch"],
        "write": ["git_create_branch"],
    },
    granted={
        "git_status", "git_log", "git_show", "git_diff", "git_diff_staged", "git_diff_unstaged", "git_branch",
        "git_create_branch",
    },
    reads=lambda checks: [
        in_repo(checks, "git_status"),
        in_repo(checks, "git_log", max_count=1),
        in_repo(checks, "git_show", revision="HEAD"),
        in_repo(checks, "git_diff_unstaged"),
        # The tool fails by itself.
        in_repo(checks, "git_show", revision="no-such-revision"),
    ],
    undeclared=lambda checks: in_repo(checks, "git_status", verbose=True),
    mistyped=lambda checks: in_repo(checks, "git_log", max_count="1"),
    hidden=lambda checks: [
        in_repo(checks, "git_reset"),
        in_repo(checks, "git_checkout", branch_name="HEAD~1"),
        in_repo(checks, "git_commit", message="refused"),
        in_repo(checks, "git_add", files=["."]),
    ],
    write=lambda checks: in_repo(checks, "git_create_branch", branch_name="allowed"),
    written=lambda checks: "allowed" in git(checks, "branch", "--list"),
)


# --- time

def without_dates(value):
    return json.loads(re.sub(r"\d{4}-\d{2}-\d{2}|\b(Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b", "DAY", json.dumps(value)))


TIME = Server(
    name="time",
    dual=True,
    prepare=lambda checks: [str(BIN / "mcp-server-time"), "--local-timezone", "Etc/UTC"],
    world=lambda checks: None,
    levels={"read": ["convert_time"]},
    granted={"convert_time"},
    reads=lambda checks: [
        call("convert_time", source_timezone="Etc/UTC", time="12:00", target_timezone="Asia/Tokyo"),
        call("convert_time", source_timezone="No/Where", time="12:00", target_timezone="Asia/Tokyo"),
    ],
    undeclared=lambda checks: call(
        "convert_time", source_timezone="Etc/UTC", time="12:00", target_timezone="Asia/Tokyo", precise=True
    ),
    mistyped=lambda checks: call("convert_time", source_timezone="Etc/UTC", time=1200, target_timezone="Asia/Tokyo"),
    hidden=lambda checks: [call("get_current_time", timezone="Etc/UTC")],
    mask=without_dates,
)


# --- everything

EVERYTHING_GRANTED = {
    "echo", "get-sum", "get-structured-content", "get-tiny-image", "get-resource-links", "get-resource-reference",
    "get-annotated-message", "trigger-long-running-operation", "toggle-simulated-logging",
    "toggle-subscriber-updates",
}

EVERYTHING = Server(
    name="everything",
    dual=False,
    prepare=lambda checks: node("server-everything", "stdio"),
    world=lambda checks: None,
    levels={
        "read": ["echo", "get-*", "trigger-long-running-operation"],
        "write": ["toggle-*"],
        # What matches globs of two levels does not exist.
        "execute": ["get-env"],
    },
    granted=EVERYTHING_GRANTED,
    reads=lambda checks: [
        call("echo", message="hello \u2028 \U0001f50d \"quoted\" \\ \u0001"),
        call("get-sum", a=0.1, b=1e-7),
        call("get-sum", a=-5, b=9007199254740991),
        call("get-structured-content", location="New York"),
        call("get-tiny-image"),
        call("get-resource-links", count=3),
        call("get-annotated-message", messageType="error", includeImage=True),
        {"do": "resources"},
        {"do": "templates"},
        {"do": "read", "uri": "demo://resource/static/document/architecture.md"},
        {"do": "read", "uri": "demo://resource/no-such"},
        {"do": "prompts"},
        {"do": "prompt", "name": "simple-prompt"},
        {"do": "prompt", "name": "args-prompt", "arguments": {"city": "Bern", "state": "BE"}},
        {"do": "prompt", "name": "no-such-prompt"},
        {
            "do": "complete",
            "ref": {"type": "ref/prompt", "name": "completable-prompt"},
            "argument": {"name": "department", "value": "S"},
        },
        {
            "do": "complete",
            "ref": {"type": "ref/prompt", "name": "completable-prompt"},
            "argument": {"name": "name", "value": "A"},
            "context": {"department": "Engineering"},
        },
        {
            "do": "complete",
            "ref": {"type": "ref/resource", "uri": "demo://resource/dynamic/text/{resourceId}"},
            "argument": {"name": "resourceId", "value": "7"},
        },
        {"do": "ping"},
    ],
    undeclared=lambda checks: call("echo", message="hello", volume=11),
    mistyped=lambda checks: call("get-sum", a="1", b=2),
    hidden=lambda checks: [call("get-env"), call("gzip-file-as-resource", name="x", data="data:,x")],
)

SERVERS = [FILESYSTEM, MEMORY, GIT, TIME, EVERYTHING]


def title(step):
    return step.get("name") or step.get("uri") or step["do"]


def first_contact(checks, server, client, command):
    """List, reads, refusals, on one connection; the same directly."""
    reads = server.reads(checks)
    direct = sdk(checks, client, command, [{"do": "tools"}, *reads])
    assert "error" not in direct["connected"], f"{client} cannot use {server.name} directly: {direct['connected']}"
    before = server.world(checks)
    wrong = [server.undeclared(checks), server.mistyped(checks), call("no_such_tool", x=1)]
    hidden = server.hidden(checks)
    writes = [server.write(checks)] if server.write else []
    # Without a level for writing there is no tool that writes.
    reading = {level: globs for level, globs in server.levels.items() if level != "write"}
    steps = [{"do": "tools"}, *reads, *wrong, *hidden, *writes, reads[0]]
    through = sdk(checks, client, placet(reading, command), steps)

    with checks.check("connects in its era, and learns what the server is"):
        modern = server.dual and client in ("python-auto", "python-modern", "typescript-auto", "typescript-modern")
        same(through["connected"].get("version"), MODERN if modern else LEGACY, "the revision")
        for part in ["server", "instructions"]:
            same(through["connected"][part], direct["connected"][part], part)
        wanted = {key: can for key, can in (direct["connected"]["capabilities"] or {}).items()
                  if key not in ("tasks", "extensions")}
        same(through["connected"]["capabilities"] or {}, wanted, "what the server can do")
    if "error" in through["connected"]:
        return

    answers = iter(zip(steps, through["steps"]))
    with checks.check("lists the tools with a level, each as the server defines it"):
        listed, own = by_name(result_of(next(answers)[1])), by_name(result_of(direct["steps"][0]))
        assert server.granted < set(own), f"the server has no {server.granted - set(own)}"
        same(sorted(listed), sorted(name for name in server.granted if name not in write_tools(server)), "the list")
        for name, tool in listed.items():
            same(tool, own[name], f"the definition of {name}")
    with checks.check("reads are allowed, and answered as by the server itself"):
        pairs = [next(answers) for _ in reads]
        for (step, got), wanted in zip(pairs, direct["steps"][1:]):
            same(server.mask(got), server.mask(wanted), title(step))
            assert not ours_in(got), f"{title(step)} carries a mark of ours"
    for what, code in [
        ("an undeclared argument is refused", "bad_arguments"),
        ("an argument of a wrong type is refused", "bad_arguments"),
        ("an unknown tool is refused", "unknown_tool"),
    ]:
        with checks.check(what):
            refused(result_of(next(answers)[1]), code)
    with checks.check("tools without a level are refused, and nothing changes"):
        for step, got in [next(answers) for _ in [*hidden, *writes]]:
            said = refused(result_of(got), "unknown_tool")
            assert step["name"] in said, f"the refusal does not name the tool: {said}"
        same(server.world(checks), before, "the world")
    with checks.check("the connection goes on after refusals"):
        same(server.mask(next(answers)[1]), server.mask(direct["steps"][1]), "the first read again")
    if server.asks:
        with checks.check("what the server asks of the client does not reach it"):
            same(sorted(set(direct["asked"])), sorted(server.asks), "what the server asks directly")
            same(through["asked"], [], "what was asked")


def write_tools(server):
    return {"toggle-simulated-logging", "toggle-subscriber-updates"} if server is EVERYTHING else (
        {"write_file", "create_entities", "git_create_branch"} & server.granted
    )


def second_contact(checks, server, client, command):
    """The same with the write level given."""
    if server.write is None:
        return
    before = server.world(checks)
    steps = [{"do": "tools"}, *server.hidden(checks), server.write(checks)]
    through = sdk(checks, client, placet(server.levels, command), steps)
    with checks.check("with the level, a write is listed and allowed, and only it happens"):
        same(set(by_name(result_of(through["steps"][0]))), server.granted, "the list")
        for got in through["steps"][1:-1]:
            refused(result_of(got), "unknown_tool")
        result = result_of(through["steps"][-1])
        assert not result.get("isError"), f"the write is refused: {brief(result)}"
        assert server.written(checks), "the write did not happen"
        assert server.world(checks) != before, "the world is as before"


def official(server, client):
    def run(checks):
        command = server.prepare(checks)
        first_contact(checks, server, client, command)
        second_contact(checks, server, client, command)

    group(f"{server.name}, {client}")(run)


for one in SERVERS:
    for other in CLIENTS:
        if one.dual or not other.endswith("-modern"):
            official(one, other)


# --- what takes longer: progress, cancelling, news

def alive(client):
    def run(checks):
        command = EVERYTHING.prepare(checks)
        steps = [
            {**call("trigger-long-running-operation", duration=0.5, steps=5), "progress": True},
            {**call("trigger-long-running-operation", duration=3, steps=30), "cancel_after": 2},
            call("echo", message="still here"),
            {"do": "level", "level": "debug"},
            call("toggle-simulated-logging"),
            {"do": "await", "news": "message"},
            {"do": "subscribe", "uri": "demo://resource/static/document/architecture.md"},
            call("toggle-subscriber-updates"),
            {"do": "await", "news": "updated"},
        ]
        through = sdk(checks, client, placet(EVERYTHING.levels, command), steps)
        got = iter(through["steps"])
        with checks.check("progress of a long call arrives under the client's own token"):
            step = next(got)
            assert not result_of(step).get("isError"), brief(step)
            # The last one may meet the answer on its way, and SDKs then drop it.
            same(step["progress"][:4], [[1, 5], [2, 5], [3, 5], [4, 5]], "the progress")
        with checks.check("a long call can be cancelled"):
            step = next(got)
            assert step.get("cancelled") is True, f"it was not cancelled: {brief(step)}"
        with checks.check("the connection goes on after a cancelled call"):
            same(result_of(next(got))["content"], [{"type": "text", "text": "Echo: still here"}], "the answer")
        with checks.check("log messages arrive"):
            result_of(next(got))
            assert not result_of(next(got)).get("isError")
            assert "message" in json.dumps(result_of(next(got))["data"]).lower()
        with checks.check("news of a subscribed resource arrives"):
            result_of(next(got))
            assert not result_of(next(got)).get("isError")
            same(result_of(next(got))["uri"], "demo://resource/static/document/architecture.md", "the resource")

    group(f"everything, long calls and news, {client}")(run)


for other in CLIENTS:
    if not other.endswith("-modern"):
        alive(other)


# --- eras

def modern_only(client):
    def run(checks):
        command = MEMORY.prepare(checks)
        through = sdk(checks, client, placet(MEMORY.levels, command), [{"do": "tools"}, call("read_graph")])
        with checks.check("a client of the newer era only is told that the server speaks the older"):
            failed = [through["connected"], *through["steps"]]
            assert failed[-1].get("error"), f"it got an answer: {brief(failed)}"
            said = json.dumps([step["error"] for step in failed if "error" in step])
            # In our words, by the revisions that are spoken, or in the client's own words after our answer.
            assert "initialize" in said or LEGACY in said or "-32601" in said or MODERN in said, said

    group(f"memory, {client}")(run)


for other in CLIENTS:
    if other.endswith("-modern"):
        modern_only(other)


# --- definitions, to the last member

def exact(server):
    def run(checks):
        command = server.prepare(checks)
        eras = ["legacy", "modern"] if server.dual else ["legacy"]
        for era in eras:
            with checks.check(f"every listed definition is the server's own to the last member ({era})"):
                params = {"_meta": META} if era == "modern" else None
                lists = []
                for line in [command, placet(server.levels, command)]:
                    with checks.wire(line) as wire:
                        if era == "legacy":
                            assert "result" in wire.initialize()
                        else:
                            assert "result" in wire.request("server/discover", params)
                        lists.append(wire.tools(params))
                        wire.close()
                direct, through = lists
                same(set(through), server.granted, "the list")
                for name, tool in through.items():
                    same(tool, direct[name], f"the definition of {name}")

    group(f"{server.name}, definitions")(run)


for one in SERVERS:
    exact(one)
