"""What all checks stand on: groups of checks, scratch folders, the boundary's command line, the SDK clients."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path

from wire import Wire

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ["PLACET_INTEROP_CACHE"])
PLACET = os.environ["PLACET_BIN"]
MODULES = CACHE / "node_modules" / "@modelcontextprotocol"
BIN = CACHE / "venv" / "bin"

DECISION = "dev.placet/decision"
MODERN = "2026-07-28"
LEGACY = "2025-11-25"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "interop-wire", "version": "1"},
}

GROUPS = {}


def group(name):
    """Registers a function that makes checks under a common name."""

    def take(function):
        assert name not in GROUPS, name
        GROUPS[name] = function
        return function

    return take


class Checks:
    """One group's checks, with a folder of their own."""

    def __init__(self, name):
        self.name = name
        self.results = []
        self.scratch = Path(tempfile.mkdtemp(prefix="placet-interop-"))
        self.home = self.scratch / "home"
        self.home.mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            # Python's own environment in a server would be a difference between runs.
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "interop",
            "GIT_AUTHOR_EMAIL": "interop@example.org",
            "GIT_COMMITTER_NAME": "interop",
            "GIT_COMMITTER_EMAIL": "interop@example.org",
        }

    @contextmanager
    def check(self, what):
        try:
            yield
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = str(error) or type(error).__name__
            self.results.append((what, f"{said} ({Path(where.filename).name}:{where.lineno})"))
        else:
            self.results.append((what, None))

    def run(self):
        try:
            GROUPS[self.name](self)
        except Exception as error:
            trace = traceback.extract_tb(error.__traceback__)
            at = next(frame for frame in reversed(trace) if frame.filename.startswith(str(HERE)))
            self.results.append(("the group ran to its end", f"{error!r} ({Path(at.filename).name}:{at.lineno})"))
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
        if not self.results:
            self.results.append(("the group made checks", "it made none"))
        return self.results

    def file(self, name):
        return self.scratch / name

    def wire(self, command):
        return Wire(command, self.env, self.scratch)


def placet(levels, command, state=None):
    """The command line of a boundary before `command`; `levels` are globs by level."""
    line = [PLACET, "mcp"]
    for level, globs in levels.items():
        for glob in globs:
            line += [f"--{level}", glob]
    if state:
        line += ["--state", str(state)]
    return [*line, "--", *command]


# Which of the SDK clients begins how. Only the newest two know the newer era.
CLIENTS = {
    "python-auto": (["python", "client.py"], "auto"),
    "python-legacy": (["python", "client.py"], "legacy"),
    "python-modern": (["python", "client.py"], "modern"),
    "typescript-auto": (["node", "client.mjs"], "auto"),
    "typescript-legacy": (["node", "client.mjs"], "legacy"),
    "typescript-modern": (["node", "client.mjs"], "modern"),
    "typescript-v1": (["node", "client_v1.mjs"], "legacy"),
}


def sdk(checks, client, command, steps):
    """Runs a script in one of the SDK clients; its report."""
    (runtime, file), mode = CLIENTS[client]
    program = [sys.executable, str(HERE / file)] if runtime == "python" else ["node", str(CACHE / file)]
    script = {"command": command, "env": checks.env, "cwd": str(checks.scratch), "mode": mode, "steps": steps}
    done = subprocess.run(
        program,
        input=json.dumps(script).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=300,
        env=checks.env,
        cwd=checks.scratch,
    )
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"{client} made no report: {done.stderr[-2000:].decode(errors='replace')}") from None
    report["stderr"] = done.stderr
    return report


def same(got, wanted, what="it"):
    if got != wanted:
        raise AssertionError(f"{what} is {brief(got)}, not {brief(wanted)}")


def brief(value):
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True, default=repr)
    return text if len(text) <= 400 else f"{text[:300]} … {text[-80:]}"


def refused(result, code=None, decision="deny"):
    """Holds a result against the shape of a refusal, of this code if one is given; its text."""
    if not isinstance(result, dict) or result.get("isError") is not True:
        raise AssertionError(f"it is no refusal: {brief(result)}")
    told = (result.get("_meta") or {}).get(DECISION)
    if not isinstance(told, dict):
        raise AssertionError(f"it carries no decision: {brief(result)}")
    assert isinstance(told.get("code"), str) and told["code"], f"it carries no code: {brief(result)}"
    same((told.get("decision"), told["code"]), (decision, code or told["code"]), "the decision")
    assert result.get("structuredContent") is None, "a refusal has structured content"
    texts = [item["text"] for item in result["content"] if item["type"] == "text"]
    assert texts and texts[0].strip(), "a refusal says nothing"
    if told.get("decision_id"):
        assert told["decision_id"] in texts[0], "the text does not name the decision"
    return texts[0]


def result_of(step):
    if "result" not in step:
        raise AssertionError(f"no result: {brief(step)}")
    return step["result"]


def snapshot(folder):
    """Everything in a folder."""
    folder = Path(folder)
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def by_name(tools):
    return {tool["name"]: tool for tool in tools}


def ours_in(value):
    """Whether a key with the boundary's prefix is anywhere in a message."""
    if isinstance(value, dict):
        return any(key.startswith("dev.placet/") or ours_in(below) for key, below in value.items())
    if isinstance(value, list):
        return any(ours_in(below) for below in value)
    return False
