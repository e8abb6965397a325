"""A server that writes down every byte it gets, and misbehaves: what reaches it, and what of it reaches a client."""

import json
import os
import select
import signal
import sys
from pathlib import Path

from harness import DECISION, META, MODERN, brief, group, ours_in, placet, refused, same
from wire import PATIENCE, Silence

LEVELS = {
    "read": ["look*", "hold", "release", "progress", "forge*", "stray", "twice", "garbage", "die", "die_half", "ask",
             "need_input", "morph", "big", "deep", "broken"],
    "write": ["put", "hold_write", "die_write"],
}
GRANTED = {"look", "hold", "release", "progress", "forge", "forge_error", "stray", "twice", "garbage", "die",
           "die_half", "ask", "need_input", "morph", "big", "deep", "broken", "put", "hold_write", "die_write"}


class Spied:
    """A connection to the spy through the boundary."""

    def __init__(self, checks, *options, levels=None, state=None, name="spy"):
        self.log = checks.file(f"{name}.log")
        self.world = checks.file(f"{name}.world")
        command = [sys.executable, "-I", "-S", str(SPY), "--log", str(self.log), "--world", str(self.world), *options]
        self.wire = checks.wire(placet(LEVELS if levels is None else levels, command, state))

    def __enter__(self):
        self.wire.__enter__()
        return self.wire, self

    def __exit__(self, *error):
        self.wire.__exit__(*error)

    def received(self):
        """Every message that reached the server."""

        def read(line):
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                message = None
            return message if isinstance(message, dict) else {"no message": line[:100].decode(errors="replace")}

        if not self.log.exists():
            return []
        return [read(line) for line in self.log.read_bytes().split(b"\n") if line]

    def calls(self, name=None):
        """The calls that reached it."""
        calls = [message["params"] for message in self.received() if message.get("method") == "tools/call"]
        return [call for call in calls if name in (None, call["name"])]


SPY = None


def place_of(here):
    global SPY
    SPY = here / "spy.py"


def text_of(result):
    if result.get("isError") or "content" not in result:
        raise AssertionError(f"no answer of the tool: {brief(result)}")
    return result["content"][0]["text"]


def arguments_of(result):
    return json.loads(text_of(result))


# --- what may not pass

def bad_lines():
    """Lines that are no proper call of `look`, by what is wrong with them; `ID` stands for the identifier."""

    def call(params, more=""):
        return f'{{"jsonrpc":"2.0","id":ID,"method":"tools/call","params":{params}{more}}}'

    def look(arguments):
        return call(f'{{"name":"look","arguments":{arguments}}}')

    fine = '{"name":"look","arguments":{"what":"x"}}'
    meta = '{"name":"look","arguments":{"what":"x"},"_meta":%s}'
    return {
        "a duplicate argument": look('{"what":"a","what":"b"}'),
        "a duplicate argument, escaped": look('{"what":"a","wh\\u0061t":"b"}'),
        "a duplicate argument, deep": look('{"what":"a","beside":{"x":[{"y":1,"y":2}]}}'),
        "a duplicate name": call('{"name":"look","name":"put","arguments":{"what":"x"}}'),
        "duplicate arguments": call('{"name":"look","arguments":{"what":"x"},"arguments":{"what":"y"}}'),
        "duplicate params": call(fine, f',"params":{fine}'),
        "a duplicate method": call(fine, ',"method":"ping"'),
        "a duplicate identifier": call(fine, ',"id":ID'),
        "10 MiB": look(json.dumps({"what": "x" * (10 << 20)})),
        "100,000 levels of arrays": look('{"what":' + "[" * 100_000 + "]" * 100_000 + "}"),
        "100,000 levels of objects": look('{"what":' + '{"a":' * 100_000 + "1" + "}" * 100_000 + "}"),
        "100,000 brackets left open": "[" * 100_000,
        "a batch": f"[{call(fine)}]",
        "an empty batch": "[]",
        "`Params`": f'{{"jsonrpc":"2.0","id":ID,"method":"tools/call","Params":{fine}}}',
        "`Params` beside `params`": call(fine, f',"Params":{fine}'),
        "`Method`": f'{{"jsonrpc":"2.0","id":ID,"Method":"tools/call","params":{fine}}}',
        "`METHOD` beside `method`": call(fine, ',"METHOD":"tools/list"'),
        "`Name`": call('{"Name":"look","arguments":{"what":"x"}}'),
        "`Name` beside `name`": call('{"name":"look","Name":"put","arguments":{"what":"x"}}'),
        "`Arguments`": call('{"name":"look","Arguments":{"what":"x"}}'),
        "`Arguments` beside `arguments`": call('{"name":"look","arguments":{"what":"x"},"Arguments":{"what":"y"}}'),
        "`What` for `what`": look('{"What":"x"}'),
        "`What` beside `what`": look('{"what":"x","What":"y"}'),
        "a tool's name in other letters": call('{"name":"Look","arguments":{"what":"x"}}'),
        "a tool's name with a space": call('{"name":"look ","arguments":{"what":"x"}}'),
        "a tool's name with a NUL": call('{"name":"look\\u0000","arguments":{"what":"x"}}'),
        "a tool's name with its server's": call('{"name":"spy/look","arguments":{"what":"x"}}'),
        "a tool's name in full-width letters": call('{"name":"\uff4c\uff4f\uff4f\uff4b","arguments":{"what":"x"}}'),
        "a tool's name that is a number": call('{"name":7,"arguments":{"what":"x"}}'),
        "a tool's name that is a list": call('{"name":["look"],"arguments":{"what":"x"}}'),
        "no name": call('{"arguments":{"what":"x"}}'),
        "the name of a method": call('{"name":"resources/read","arguments":{"what":"x"}}'),
        "`params` that are a list": call('["look",{"what":"x"}]'),
        "`params` that are a text": call('"look"'),
        "`params` that are null": call("null"),
        "no params": '{"jsonrpc":"2.0","id":ID,"method":"tools/call"}',
        "`parameters`": f'{{"jsonrpc":"2.0","id":ID,"method":"tools/call","parameters":{fine}}}',
        "a member of params that nobody knows": call('{"name":"look","arguments":{"what":"x"},"extra":1}'),
        "`arguments` that are a list": look('["x"]'),
        "`arguments` that are a text": look('"{\\"what\\":\\"x\\"}"'),
        "`arguments` that are a number": look("7"),
        "no arguments": call('{"name":"look"}'),
        "`arguments` that are null": look("null"),
        "an undeclared argument": look('{"what":"x","whatever":1}'),
        "a missing argument": look('{"n":1}'),
        "a number for a text": look('{"what":1}'),
        "null for a text": look('{"what":null}'),
        "a text for an integer": look('{"what":"x","n":"3"}'),
        "a fraction for an integer": look('{"what":"x","n":1.5}'),
        "a boolean for an integer": look('{"what":"x","n":true}'),
        "null for an integer": look('{"what":"x","n":null}'),
        "a number for a boolean": look('{"what":"x","flag":1}'),
        "a text for a boolean": look('{"what":"x","flag":"false"}'),
        "a list for an object": look('{"what":"x","beside":[]}'),
        "a lone surrogate": look('{"what":"\\ud800"}'),
        "a lone surrogate in a key": look('{"what":"x","beside":{"\\udc00":1}}'),
        "bytes that are no UTF-8": look('{"what":"\xff\xfe"}').encode("latin-1"),
        "an overlong encoding": look('{"what":"\xc0\xaf"}').encode("latin-1"),
        "a byte order mark": b"\xef\xbb\xbf" + look('{"what":"x"}').encode(),
        "a control character in a text": look('{"what":"\x01"}'),
        "NaN": look('{"what":"x","beside":{"a":NaN}}'),
        "Infinity": look('{"what":"x","beside":{"a":-Infinity}}'),
        "a number beyond all bounds": look('{"what":"x","beside":{"a":1e999}}'),
        "a number with a leading zero": look('{"what":"x","n":007}'),
        "a hexadecimal number": look('{"what":"x","n":0x7}'),
        "a comma at the end": look('{"what":"x",}'),
        "a comment": look('{"what":"x"/* y */}'),
        "single quotes": look("{'what':'x'}"),
        "two messages on a line": call(fine) + call(fine),
        "something after the message": call(fine) + " x",
        "an object left open": call(fine)[:-1],
        "another `jsonrpc`": call(fine).replace('"2.0"', '"1.0"'),
        "no `jsonrpc`": call(fine).replace('"jsonrpc":"2.0",', ""),
        "`jsonrpc` that is a number": call(fine).replace('"2.0"', "2.0"),
        "a null identifier": call(fine).replace("ID", "null"),
        "a fraction as identifier": call(fine).replace("ID", "1.5"),
        "an object as identifier": call(fine).replace("ID", "{}"),
        "an identifier beyond all bounds": call(fine).replace("ID", "1" + "0" * 400),
        "a method in other letters": call(fine).replace("tools/call", "Tools/Call"),
        "a method with a space": call(fine).replace("tools/call", "tools/call "),
        "a method that nobody knows": call(fine).replace("tools/call", "tools/run"),
        "a method that is a number": call(fine).replace('"tools/call"', "1"),
        "a request that is an answer too": call(fine, ',"result":{}'),
        "`_meta` that is a list": call(meta % "[]"),
        "`_meta` with an unknown member of ours": call(meta % '{"dev.placet/allow":true}'),
        "`_meta` with a decision": call(meta % '{"dev.placet/decision":{"decision":"allow"}}'),
        "`_meta` with a misspelt dry run": call(meta % '{"dev.placet/dry_run":"yes"}'),
        "`_meta` with a duplicate": call(meta % '{"x":1,"x":2}'),
        "a null": "null",
        "a text": '"tools/call"',
        "a number": "1",
        "no JSON": "GET / HTTP/1.1",
        "a NUL": "\0",
    }


@group("lines that are no proper call")
def no_proper_call(checks):
    with Spied(checks) as (wire, spied):
        wire.initialize()
        wire.tools()
        arguments_of(wire.call("look", {"what": "before"}))
        reached = len(spied.received())
        for what, line in bad_lines().items():
            with checks.check(f"{what}: an error, and nothing reaches the server"):
                number = wire.number()
                before = len(wire.heard)
                data = line if isinstance(line, bytes) else line.encode()
                wire.line(data.replace(b"ID", str(number).encode()))
                said = wire.wait(lambda said: "method" not in said, before)
                assert said.get("id") in (number, None), f"the answer is to {said.get('id')}"
                if "error" in said:
                    assert isinstance(said["error"]["code"], int) and said["error"]["message"], brief(said)
                else:
                    refused(said["result"])
                # What might have passed has passed before this has.
                same(arguments_of(wire.call("look", {"what": what})), {"what": what}, "the next answer")
                *others, marker = spied.received()[reached:]
                same(marker.get("params", {}).get("arguments"), {"what": what}, "the last that reached the server")
                same(others, [], "what reached the server")
                same(len(wire.heard), before + 2, "the number of answers")
            reached = len(spied.received())
        with checks.check("calls without an identifier are not made, and not answered"):
            before = len(wire.heard)
            for name in ["put", "look", "wipe"]:
                wire.send({"method": "tools/call", "params": {"name": name, "arguments": {"text": "x"}}})
            wire.send({"method": "no/such/notification", "params": {}})
            wire.send({"method": "notifications/no-such", "params": {}})
            wire.send({"method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}})
            wire.send({"id": 77, "result": {"nobody": "asked"}})
            wire.send({"id": "placet-1", "result": {"nobody": "asked"}})
            wire.send({"id": 78, "error": {"code": 1, "message": "nobody asked"}})
            arguments_of(wire.call("look", {"what": "after notifications"}))
            same(len(wire.heard), before + 1, "the number of answers")
            same(len(spied.received()), reached + 1, "what reached the server")
            reached += 1
        with checks.check("an empty line is nothing"):
            before = len(wire.heard)
            for line in [b"", b"  ", b"\r", b"\t"]:
                wire.line(line)
            arguments_of(wire.call("look", {"what": "after empty lines"}))
            same(len(wire.heard), before + 1, "the number of answers")
        with checks.check("a line that never ends is not kept"):
            before = len(wire.heard)
            wire.line(b'{"jsonrpc":"2.0","id":5000,"method":"' + b"x" * (64 << 20))
            said = wire.wait(lambda said: "error" in said, before)
            assert said["id"] in (5000, None)
            arguments_of(wire.call("look", {"what": "after a long line"}))
            status = Path(f"/proc/{wire.process.pid}/status")
            if status.exists():
                lines = status.read_text().splitlines()
                peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
                assert peak < 150 << 10, f"it took {peak} KiB"
        with checks.check("it ends when its client does"):
            same(wire.close(), 0, "the exit code")


@group("calls that are refused")
def calls_refused(checks):
    with Spied(checks) as (wire, spied):
        wire.initialize()
        with checks.check("only tools with a level are listed"):
            same(set(wire.tools()), GRANTED, "the list")
        with checks.check("a tool without a level is refused and never called"):
            refused(wire.call("wipe"), "unknown_tool")
            refused(wire.call("wipe", {"anything": 1}), "unknown_tool")
        with checks.check("hidden tools and absent ones are answered alike"):
            answers = []
            for name in ["wipe", "none"]:
                before = len(wire.lines)
                result = wire.call(name)
                line = wire.lines[before]
                number = str(json.loads(line)["id"]).encode()
                line = line.replace(b'"id":' + number, b'"id":0').replace(name.encode(), b"NAME")
                answers.append(line.replace(result["_meta"][DECISION]["decision_id"].encode(), b"DECISION"))
            same(answers[0].decode(), answers[1].decode(), "the answer to a hidden tool")
        with checks.check("nothing of it reached the server"):
            arguments_of(wire.call("look", {"what": "marker"}))
            same([call["name"] for call in spied.calls()], ["look"], "the calls")
            assert not spied.world.exists(), "the world was changed"
        with checks.check("what is allowed happens, once"):
            same(text_of(wire.call("put", {"text": "one"})), "done", "the answer")
            same(spied.world.read_text(), '{"text": "one"}\n', "the world")
    with Spied(checks, levels={"read": ["look"]}, name="reader") as (wire, spied):
        with checks.check("a write without its level is refused, and the world stays as it is"):
            wire.initialize()
            refused(wire.call("put", {"text": "refused"}), "unknown_tool")
            wire.close()
            assert not spied.world.exists(), "the world was changed"
            same(spied.calls(), [], "the calls")
    with Spied(checks, levels={}, name="nothing") as (wire, spied):
        with checks.check("without a glob there is nothing"):
            wire.initialize()
            same(wire.tools(), {}, "the list")
            refused(wire.call("look", {"what": "x"}), "unknown_tool")
            wire.close()
            same(spied.calls(), [], "the calls")
    with Spied(checks, levels={"read": ["*"], "delete": ["wipe"]}, name="both") as (wire, spied):
        with checks.check("a tool that matches globs of two levels does not exist"):
            wire.initialize()
            assert "wipe" not in wire.tools() and "look" in wire.tools()
            refused(wire.call("wipe"), "unknown_tool")
            wire.close()
            same(spied.calls(), [], "the calls")
            assert b"wipe" in wire.complaints(), "nobody is told why"


@group("methods that read")
def methods_that_read(checks):
    reads = {
        "resources/read": {"uri": "file:///x"},
        "prompts/get": {"name": "x"},
        "completion/complete": {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": ""}},
    }
    with Spied(checks, levels={"write": ["put"]}, name="writer") as (wire, spied):
        with checks.check("without the level of reading they are refused, in errors that carry the decision"):
            wire.initialize()
            for method, params in reads.items():
                said = wire.request(method, params)
                same(said.get("error", {}).get("data", {}).get("decision"), "deny", method)
                assert not -32768 <= said["error"]["code"] <= -32000, f"a reserved code: {brief(said)}"
            text_of(wire.call("put", {"text": "marker"}))
            same([said["method"] for said in spied.received() if said["method"] in reads], [], "what reached the server")
    with Spied(checks, levels={"read": ["look"]}, name="reader") as (wire, spied):
        with checks.check("with it they are answered as by the server itself"):
            wire.initialize()
            for method, params in reads.items():
                assert "result" in wire.request(method, params), method
            same([(said["method"], said["params"]) for said in spied.received() if said["method"] in reads],
                 list(reads.items()), "what reached the server")
        with checks.check("a member of their params that nobody knows is refused"):
            reached = len(spied.received())
            for method, params in reads.items():
                assert "error" in wire.request(method, {**params, "extra": 1}), method
                assert "error" in wire.request(method, {**params, "URI": "file:///y"}), method
            arguments_of(wire.call("look", {"what": "marker"}))
            same(spied.received()[reached:][-1]["method"], "tools/call", "the last that reached it")
            same([said["method"] for said in spied.received()[reached:] if said["method"] in reads], [],
                 "what reached the server")


@group("what goes to the server")
def toward_server(checks):
    with Spied(checks) as (wire, spied):
        wire.initialize({"elicitation": {}, "sampling": {}, "roots": {"listChanged": True}, "experimental": {"x": {}}})
        with checks.check("the server is not told of ways to the client that it may not use"):
            same(spied.received()[0]["params"]["capabilities"], {}, "the capabilities")
        with checks.check("arguments arrive as they were meant"):
            for beside in [
                {"text": "\u2028\u2029 \U0001f50d \"\\/\b\f\n\r\t \u0001\u007f\u0000 é e\u0301"},
                {"": 1, " ": 2, "a.b": 3, "__proto__": {"x": 1}, "\U0001f50d": 4},
                {"numbers": [0, -0.0, 1, -1, 1.5, 1e15, 1e-7, 9007199254740991, -9007199254740991, 0.1, 100]},
                {"nothing": [None, True, False, {}, [], ""]},
                {"long": "x" * 100_000},
            ]:
                arguments = {"what": "exactly", "n": 3, "flag": False, "beside": beside}
                same(arguments_of(wire.call("look", arguments)), arguments, "what arrived")
        with checks.check("a large integer that is declared as one arrives to the digit"):
            for n in [9007199254740993, 9223372036854775807, -9223372036854775808]:
                same(arguments_of(wire.call("look", {"what": "x", "n": n})), {"what": "x", "n": n}, "what arrived")
        with checks.check("a number that somebody would round is refused, not rounded"):
            reached = len(spied.calls())
            for number in ["9007199254740993", "-9007199254740993", "9223372036854775807", "1e21",
                           "0.1000000000000000055511151231257827", "18446744073709551616"]:
                line = ('{"jsonrpc":"2.0","id":"N","method":"tools/call","params":{"name":"look","arguments":'
                        '{"what":"x","beside":{"a":N}}}}').replace("N", number)
                wire.line(line.encode())
                said = wire.answer(number)
                assert "error" in said or said["result"]["isError"] is True, brief(said)
            same(len(spied.calls()), reached, "the number of calls")
        with checks.check("an integer written as a fraction is one"):
            line = '{"jsonrpc":"2.0","id":"int","method":"tools/call","params":{"name":"look","arguments":{"what":"x","n":3.0}}}'
            wire.line(line.encode())
            same(arguments_of(wire.answer("int")["result"]), {"what": "x", "n": 3}, "what arrived")
        with checks.check("identifiers of clients come back as they are"):
            for number in ["a text", "", "7", 0, -5, 2**53, "\u2028\"\\"]:
                wire.ask("tools/call", {"name": "look", "arguments": {"what": "x"}}, number)
                arguments_of(wire.answer(number)["result"])
            numbers = [message.get("id") for message in spied.received() if "id" in message]
            same(len(numbers), len(set(numbers)), "identifiers toward the server, each once")
            assert all(isinstance(number, int) for number in numbers), f"a client's identifier got through: {numbers}"
        with checks.check("of `_meta` only what the protocol knows goes on, and nothing of ours"):
            meta = {
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "io.modelcontextprotocol/related-task": {"taskId": "t"},
                "example.org/tenant": "acme",
                "secret": 1,
                "progressToken": "mine",
                "dev.placet/label": "a label",
                "dev.placet/dry_run": False,
            }
            arguments_of(wire.call("look", {"what": "meta"}, _meta=meta))
            got = spied.calls()[-1]["_meta"]
            token = got.pop("progressToken")
            assert token != "mine", "the client's token went to the server"
            kept = {key: meta[key] for key in ["traceparent", "io.modelcontextprotocol/related-task"]}
            same(got, kept, "what arrived")
        with checks.check("a dry run runs nothing"):
            for kind in [True, "decide", "validate", "tool"]:
                result = wire.call("put", {"text": "dry"}, _meta={"dev.placet/dry_run": kind})
                assert "result" not in result and DECISION in result.get("_meta", {}), brief(result)
                decision = result["_meta"][DECISION]
                assert decision.get("decision") == "plan" or result.get("isError") is True, brief(result)
            assert not spied.world.exists(), "the world was changed"
            same(spied.calls("put"), [], "the calls")
        with checks.check("every line that reached the server is an object of known members"):
            for message in spied.received():
                assert set(message) <= {"jsonrpc", "id", "method", "params"}, brief(message)


@group("what comes from the server")
def from_server(checks):
    with Spied(checks) as (wire, spied):
        with checks.check("a decision that the server claims at the start is not passed on"):
            said = wire.initialize()
            assert "result" in said and not ours_in(said), brief(said)
            same(said["result"]["serverInfo"]["name"], "spy", "the server")
        with checks.check("nor one in a definition; all else of it is"):
            look = wire.tools()["look"]
            same(look["_meta"], {"example.org/kept": [1, 2.5, "three"]}, "the definition's `_meta`")
            assert {"icons", "execution", "unknown-member", "annotations", "title"} <= set(look), brief(look)
        with checks.check("nor one in a result, at any depth, however it is written"):
            result = wire.call("forge")
            assert not ours_in(result), f"forged: {brief(result)}"
            same(result["_meta"], {"kept": 3}, "the result's `_meta`")
            same(result["structuredContent"], {"deep": [{"_meta": {"kept": 2}}]}, "the structured content")
            same(result["content"], [{"type": "text", "text": f"{{\"{DECISION}\": 1}}", "_meta": {"kept": 1}}],
                 "the content")
        with checks.check("nor one in an error"):
            said = wire.call("forge_error")
            assert not ours_in(said), f"forged: {brief(said)}"
            same((said["error"]["code"], said["error"]["data"]), (-32000, {"_meta": {}, "kept": 4}), "the error")
        with checks.check("progress arrives under the client's token, and under no other"):
            for token in ["my token", 42]:
                before = len(wire.heard)
                result = wire.call("progress", {"steps": 3}, _meta={"progressToken": token})
                given = arguments_of(result)["token"]
                assert given is not None and given != token, f"the server was given {given}"
                told = [said["params"] for said in wire.heard[before:] if "method" in said]
                assert not ours_in(told), f"forged: {brief(told)}"
                same([(one["progressToken"], one["progress"], one["total"]) for one in told],
                     [(token, done, 3) for done in [1, 2, 3]], "the progress")
        with checks.check("without a token there is no progress"):
            before = len(wire.heard)
            same(arguments_of(wire.call("progress", {"steps": 3})), {"token": None}, "the server's token")
            same([said for said in wire.heard[before:] if "method" in said], [], "the progress")
        with checks.check("answers that nobody asked for reach nobody"):
            before = len(wire.heard)
            same(text_of(wire.call("stray")), "mine", "the answer")
            for at in range(4):
                same(arguments_of(wire.call("look", {"what": str(at)})), {"what": str(at)}, "a later answer")
            same(len(wire.heard), before + 5, "the number of answers")
        with checks.check("of two answers the first counts"):
            before = len(wire.heard)
            same(text_of(wire.call("twice")), "first", "the answer")
            arguments_of(wire.call("look", {"what": "after"}))
            same(len(wire.heard), before + 2, "the number of answers")
        with checks.check("what is no message reaches nobody"):
            before = len(wire.heard)
            same(text_of(wire.call("garbage")), "after the noise", "the answer")
            same(len(wire.heard), before + 1, "the number of answers")
        with checks.check("what the server prints on stderr is shown, and moves no cursor"):
            arguments_of(wire.call("look", {"what": "sync"}))
            # The two ways out of the server are not in step; the end of the program is.
        with checks.check("the client is asked nothing that it did not permit, and the server is told so"):
            before = len(wire.heard)
            told = arguments_of(wire.call("ask"))
            same(told, {"q-1": "refused", "q-2": "refused", "q-3": "refused", "q-4": "refused", "q-5": "answered"},
                 "what the server was told")
            same(len(wire.heard), before + 1, "the number of messages")
            same([call["name"] for call in spied.calls("put")], [], "calls of the server's own")
        with checks.check("a large answer arrives"):
            result = wire.call("big", {"items": 20_000})
            same(len(result["structuredContent"]["items"]), 20_000, "the number of items")
        with checks.check("it ends when its client does"):
            same(wire.close(), 0, "the exit code")
        with checks.check("nothing on stderr moves a cursor"):
            shown = wire.complaints()
            assert b"red on stderr" in shown, f"the server's words are not shown: {shown!r}"
            controls = {byte for byte in shown if (byte < 32 and byte != 10) or byte == 127}
            assert not controls, f"control characters {controls} in {shown!r}"
    with Spied(checks, name="asked") as (wire, spied):
        with checks.check("a client that can be asked is not asked either"):
            wire.initialize({"elicitation": {}, "sampling": {}, "roots": {}})
            before = len(wire.heard)
            told = arguments_of(wire.call("ask"))
            same(set(told.values()), {"refused", "answered"}, "what the server was told")
            same(len(wire.heard), before + 1, "the number of messages")


@group("answers that cannot be read")
def unreadable(checks):
    """None of these may leave a call without an answer."""

    def answered(what, tool, arguments):
        with Spied(checks, name=what.replace(" ", "-")) as (wire, spied):
            with checks.check(f"{what}: the call is answered, and the connection goes on"):
                wire.initialize()
                said = wire.request("tools/call", {"name": tool, "arguments": arguments}, patience=15)
                assert "result" in said or "error" in said
                assert "NaN" not in wire.lines[-1].decode(), f"it is passed on: {brief(said)}"
                same(arguments_of(wire.call("look", {"what": "after"})), {"what": "after"}, "the next answer")

    answered("more than 100,000 members", "big", {"items": 150_000})
    answered("more levels than one would like", "deep", {"levels": 1_000})
    answered("far more levels", "deep", {"levels": 200_000})
    for how in ["not-utf8", "duplicate", "inner-duplicate", "both", "surrogate", "nan", "no-object", "extra",
                "huge-number"]:
        answered(f"broken, {how}", "broken", {"how": how})


@group("answers late and out of order")
def order(checks):
    with Spied(checks) as (wire, spied):
        wire.initialize()
        wire.tools()

        def hold(key, tool="hold", number=None, **beside):
            asked = wire.ask("tools/call", {"name": tool, "arguments": {"key": key}, **beside}, number)
            reaches(tool, key)
            return asked

        def reaches(tool, key):
            """Until the server has it: a call that comes after it may not come before it."""
            for _ in range(1_000):
                arguments_of(wire.call("look", {"what": f"has {key} come?"}))
                if any(call["arguments"] == {"key": key} for call in spied.calls(tool)):
                    return
            raise Silence(f"{tool} {key} never reached the server")

        def number_of(tool, key):
            return next(message["id"] for message in spied.received()
                        if message.get("method") == "tools/call" and message["params"]["name"] == tool
                        and message["params"]["arguments"] == {"key": key})

        with checks.check("answers out of order reach whom they are for"):
            asked = {key: hold(key) for key in "abc"}
            wire.call("release", {"keys": ["c", "a", "b"]})
            for key, number in asked.items():
                same(text_of(wire.answer(number)["result"]), f"the answer to {key}", "the answer")
        with checks.check("answers that the server swaps are one each, and harm nobody else"):
            asked = {key: hold(key) for key in "de"}
            wire.call("release", {"keys": ["d", "e"], "swapped": True})
            same(text_of(wire.answer(asked["d"])["result"]), "the answer to e", "the answer")
            same(text_of(wire.answer(asked["e"])["result"]), "the answer to d", "the answer")
            arguments_of(wire.call("look", {"what": "after"}))
        for tool in ["hold", "hold_write"]:
            with checks.check(f"a cancelled call ({tool}) is cancelled at the server, and its late answer dropped"):
                before = len(wire.heard)
                key = f"late {tool}"
                number = hold(key, tool)
                wire.send({"method": "notifications/cancelled", "params": {"requestId": number, "reason": "\x1b"}})
                told = arguments_of(wire.call("release", {"keys": [key]}))
                same(told["cancelled"][-1:], [number_of(tool, key)], "what the server heard")
                arguments_of(wire.call("look", {"what": "after"}))
                answers = [said for said in wire.heard[before:] if said.get("id") == number]
                same(answers, [], "answers to the cancelled call")
        with checks.check("the identifier of a cancelled call is free again"):
            hold("again", number="reused")
            wire.send({"method": "notifications/cancelled", "params": {"requestId": "reused"}})
            wire.call("release", {"keys": ["again"]})
            wire.ask("tools/call", {"name": "look", "arguments": {"what": "reused"}}, "reused")
            same(arguments_of(wire.answer("reused")["result"]), {"what": "reused"}, "the answer")
        with checks.check("cancelling what is not there does nothing"):
            before = len(wire.heard)
            reached = len(spied.received())
            for gone in [99999, "no such", None, {}, [1]]:
                wire.send({"method": "notifications/cancelled", "params": {"requestId": gone}})
            wire.send({"method": "notifications/cancelled"})
            arguments_of(wire.call("look", {"what": "after"}))
            same(len(wire.heard), before + 1, "the number of messages")
            same(len(spied.received()), reached + 1, "what reached the server")
        with checks.check("an identifier in use is refused, and its first call goes on"):
            number = hold("first", number="same")
            before = len(wire.heard)
            wire.ask("tools/call", {"name": "put", "arguments": {"text": "second"}}, "same")
            said = wire.wait(lambda said: said.get("id") == "same", before)
            assert "error" in said, f"it was taken: {brief(said)}"
            same(spied.calls("put"), [], "the calls")
            before = len(wire.heard)
            wire.call("release", {"keys": ["first"]})
            said = wire.wait(lambda said: said.get("id") == number, before, patience=5)
            same(text_of(said["result"]), "the answer to first", "the first call's answer")
        with checks.check("it can still be cancelled after that"):
            hold("second", number="same")
            before = len(wire.heard)
            wire.ask("tools/call", {"name": "put", "arguments": {"text": "third"}}, "same")
            wire.wait(lambda said: said.get("id") == "same", before)
            before = len(wire.heard)
            wire.send({"method": "notifications/cancelled", "params": {"requestId": "same"}})
            told = arguments_of(wire.call("release", {"keys": ["second"]}))
            same(told["cancelled"][-1:], [number_of("hold", "second")], "what the server heard")
            same([said for said in wire.heard[before:] if said.get("id") == "same"], [], "answers to it")
        with checks.check("it ends when its client does, with calls in flight"):
            hold("for ever")
            hold("for ever too", "hold_write")
            same(wire.close(), 0, "the exit code")


@group("a server that ends")
def ends(checks):
    for tool, write in [("die", False), ("die_write", True), ("die_half", False)]:
        with Spied(checks, name=tool) as (wire, spied):
            with checks.check(f"in the middle of {tool}: the client is told that the outcome is unknown"):
                wire.initialize()
                said = refused(wire.call(tool), "outcome_unknown", "allow")
                assert "may or may not have happened" in said, said
                same(len(spied.calls(tool)), 1, "the number of calls")
            with checks.check(f"after {tool}: further calls are refused in words"):
                said = refused(wire.call("look", {"what": "x"}), "upstream_unavailable")
                assert "reconnect" in said, said
                same(len(spied.calls()), 1, "the number of calls")
            with checks.check(f"after {tool}: the client can begin again on the same connection"):
                assert "result" in wire.initialize()
                same(arguments_of(wire.call("look", {"what": "anew"})), {"what": "anew"}, "the answer")
                same(len(spied.calls(tool)), 1, "the number of calls")
    with Spied(checks, name="others") as (wire, spied):
        with checks.check("all calls in flight learn of it"):
            wire.initialize()
            wire.tools()
            asked = [wire.ask("tools/call", {"name": tool, "arguments": {"key": tool}}) for tool in ["hold", "hold_write"]]
            for _ in range(1_000):
                arguments_of(wire.call("look", {"what": "have they come?"}))
                if {"hold", "hold_write"} <= {call["name"] for call in spied.calls()}:
                    break
            wire.call("die")
            for number in asked:
                refused(wire.answer(number)["result"], "outcome_unknown", "allow")
    with Spied(checks, name="modern") as (wire, spied):
        with checks.check("in the newer era it is started again for the next call"):
            said = wire.call("die_write", _meta=META)
            refused(said, "outcome_unknown", "allow")
            same(said.get("resultType"), "complete", "the kind of result")
            same(arguments_of(wire.call("look", {"what": "anew"}, _meta=META)), {"what": "anew"}, "the answer")
            same(len(spied.calls("die_write")), 1, "the number of calls")
    for what, command in [("that is not there", ["/no/such/program"]), ("that ends at once", ["false"]),
                          ("that is silent and ends", ["sh", "-c", "read line; exit 3"])]:
        with checks.check(f"a server {what} is an error in words"):
            with checks.wire(placet(LEVELS, command)) as wire:
                said = wire.initialize()
                assert said.get("error", {}).get("message"), brief(said)
                said = wire.request("tools/call", {"name": "put", "arguments": {"text": "x"}})
                assert "error" in said or said["result"]["isError"] is True, brief(said)
                same(wire.close(), 0, "the exit code")


@group("processes")
def processes(checks):
    """Nothing is left behind, whoever goes first."""

    def lives(what, end):
        pipe = checks.file(f"{what}.pipe")
        os.mkfifo(pipe)
        reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            with Spied(checks, "--alive", str(pipe), name=what) as (wire, spied):
                wire.initialize()
                arguments_of(wire.call("look", {"what": "alive"}))
                os.set_blocking(reading, True)
                same(select.select([reading], [], [], 0)[0], [], "a sign of the server's end")
                end(wire)
                # The pipe ends when the last process that holds it does.
                assert select.select([reading], [], [], PATIENCE)[0], "the server lives on"
                same(os.read(reading, 1), b"", "the end of the pipe")
                wire.process.wait(PATIENCE)
        finally:
            os.close(reading)

    with checks.check("the server ends when the client leaves"):
        lives("left", lambda wire: wire.process.stdin.close())
    with checks.check("the server ends when the boundary is told to"):
        lives("told", lambda wire: wire.process.send_signal(signal.SIGTERM))
    with checks.check("the server ends when the boundary is killed"):
        lives("killed", lambda wire: wire.process.kill())

    with checks.check("a state folder is used again by the next run"):
        for run in ["first", "second"]:
            with Spied(checks, state=checks.file("state"), name=run) as (wire, spied):
                assert "result" in wire.initialize(), wire.complaints()
                same(text_of(wire.call("put", {"text": run})), "done", "the answer")
                refused(wire.call("wipe"), "unknown_tool")
                same(wire.close(), 0, "the exit code")
        assert any(checks.file("state").iterdir()), "the folder is empty"
    with checks.check("a run that is killed with a call in flight is remembered"):
        with Spied(checks, state=checks.file("killed-state"), name="before") as (wire, spied):
            wire.initialize()
            wire.tools()
            wire.ask("tools/call", {"name": "hold_write", "arguments": {"key": "k"}})
            for _ in range(1_000):
                arguments_of(wire.call("look", {"what": "has it come?"}))
                if spied.calls("hold_write"):
                    break
            wire.process.kill()
            wire.process.wait(PATIENCE)
        with Spied(checks, state=checks.file("killed-state"), name="after") as (wire, spied):
            assert "result" in wire.initialize()
            arguments_of(wire.call("look", {"what": "x"}))
            same(wire.close(), 0, "the exit code")
            assert b"unknown" in wire.complaints(), f"nobody is told: {wire.complaints()!r}"


@group("definitions that are hostile, doubled or changed")
def definitions(checks):
    with Spied(checks, "--list", "hostile", levels={"read": ["*"]}, name="hostile") as (wire, spied):
        with checks.check("names that are none are not listed, and their tools not called"):
            wire.initialize()
            tools = wire.tools()
            same(set(tools), {"look", "resources/read"}, "the list")
            for name in ["look\x1b[31mred", "", "look\"]\nread = [\"*", "look " * 60, "look\u00e9"]:
                refused(wire.call(name), "unknown_tool")
            arguments_of(wire.call("look", {"what": "marker"}))
            same([call["name"] for call in spied.calls()], ["look"], "the calls")
        with checks.check("a tool that is called like a method is that tool, and the method is the method"):
            same(text_of(wire.call("resources/read", {"uri": "file:///tool"})), "the tool", "the answer")
            wire.request("resources/read", {"uri": "file:///method"})
            got = [(said["method"], said["params"]) for said in spied.received()[-2:]]
            same(got, [("tools/call", {"name": "resources/read", "arguments": {"uri": "file:///tool"}}),
                       ("resources/read", {"uri": "file:///method"})], "what reached the server")
        with checks.check("a hostile description arrives as it is, as JSON"):
            assert tools["look"]["description"].startswith("\x1b[31mred"), brief(tools["look"])
            assert all(b"\x1b" not in line and b"\x07" not in line for line in wire.lines), "bare control characters"
        with checks.check("what a person is told of it moves no cursor"):
            wire.close()
            shown = wire.complaints()
            assert b"\\u{1b}" in shown, f"nobody is told: {shown!r}"
            controls = {byte for byte in shown if (byte < 32 and byte != 10) or byte == 127}
            assert not controls, f"control characters {controls} in {shown!r}"
            assert "\u202e" not in shown.decode() and "\u2028" not in shown.decode(), "it turns the line round"
            for line in shown.decode().splitlines():
                assert not line.startswith("[agents"), f"a line of the server's own: {line!r}"
    with Spied(checks, "--list", "twice", name="doubled") as (wire, spied):
        with checks.check("of two tools of one name neither is listed nor called"):
            wire.initialize()
            same(set(wire.tools()), {"put"}, "the list")
            said = wire.call("look", {"what": "x"})
            assert said.get("isError") is True and said["_meta"][DECISION]["decision"] == "deny", brief(said)
            same(text_of(wire.call("put", {"text": "x"})), "done", "the answer")
            same([call["name"] for call in spied.calls()], ["put"], "the calls")
    for how in ["endless", "error", "no-list"]:
        with Spied(checks, "--list", how, name=how) as (wire, spied):
            with checks.check(f"a list that is {how} makes no tool callable, and is an error in words"):
                wire.initialize()
                assert wire.request("tools/list", {}).get("error", {}).get("message")
                said = wire.call("put", {"text": "x"})
                assert said.get("isError") is True, brief(said)
                same(wire.request("ping").get("result"), {}, "the answer to a ping")
                same(spied.calls(), [], "the calls")
    for how in ["shape", "prose", "new"]:
        with Spied(checks, name=how) as (wire, spied):
            wire.initialize()
            accepted = wire.tools()
            before = len(wire.heard)
            text_of(wire.call("morph", {"how": how}))
            with checks.check(f"changed in {how}: the client hears that the list changed"):
                wire.wait(lambda said: said.get("method") == "notifications/tools/list_changed", before)
            now = wire.tools()
            if how == "shape":
                with checks.check("a tool of another shape is neither listed nor called"):
                    assert "look" not in now, "it is listed"
                    refused(wire.call("look", {"what": "x"}), "tool_changed")
                    refused(wire.call("look", {"what": "x", "secret": "y"}), "tool_changed")
                    text_of(wire.call("put", {"text": "marker"}))
                    same(spied.calls("look"), [], "the calls")
            elif how == "prose":
                with checks.check("other words for a tool reach nobody, and break nothing"):
                    same(now, accepted, "the list")
                    same(arguments_of(wire.call("look", {"what": "x"})), {"what": "x"}, "the answer")
            else:
                with checks.check("a tool that comes later is not taken, though a glob matches it"):
                    same(now, accepted, "the list")
                    refused(wire.call("look_new", {"what": "x"}), "unknown_tool")
                    text_of(wire.call("put", {"text": "marker"}))
                    same(spied.calls("look_new"), [], "the calls")


@group("the two eras, line by line")
def eras(checks):
    with Spied(checks, name="before") as (wire, spied):
        with checks.check("before a beginning there is nothing but a ping"):
            for method in ["tools/list", "resources/list", "prompts/list", "logging/setLevel"]:
                assert "error" in wire.request(method, {}), method
            said = wire.request("tools/call", {"name": "put", "arguments": {"text": "x"}})
            assert "error" in said or said["result"].get("isError") is True, brief(said)
            same(wire.request("ping").get("result"), {}, "the answer to a ping")
            same(spied.received(), [], "what reached the server")
    with Spied(checks, name="older") as (wire, spied):
        with checks.check("`initialize` never agrees on the newer era"):
            said = wire.initialize(version=MODERN)
            same(said["result"]["protocolVersion"], "2025-11-25", "the revision")
            same(spied.received()[0]["params"]["protocolVersion"], "2025-11-25", "the revision asked of the server")
        with checks.check("a second `initialize` is refused"):
            assert "error" in wire.initialize()
            same([said["method"] for said in spied.received()].count("initialize"), 1, "the number that reached it")
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]:
        with Spied(checks, name=version) as (wire, spied):
            with checks.check(f"revision {version} is spoken"):
                same(wire.initialize(version=version)["result"]["protocolVersion"], version, "the revision")
                assert "look" in wire.tools()
                same(arguments_of(wire.call("look", {"what": "x"})), {"what": "x"}, "the answer")
                refused(wire.call("wipe"), "unknown_tool")
    with Spied(checks, name="newer") as (wire, spied):
        with checks.check("the newer era is spoken to a server that speaks it"):
            said = wire.request("server/discover", {"_meta": META})["result"]
            same(said["supportedVersions"], [MODERN], "the revisions")
            same((said["cacheScope"], said["capabilities"]), ("private", {"tools": {}}), "what it can do")
        with checks.check("its lists are private"):
            said = wire.request("tools/list", {"_meta": META})["result"]
            same((said["resultType"], said["cacheScope"]), ("complete", "private"), "the list")
            assert isinstance(said["ttlMs"], int)
            same({tool["name"] for tool in said["tools"]}, GRANTED, "the list")
        with checks.check("its calls and refusals are results of its kind"):
            result = wire.call("look", {"what": "x"}, _meta=META)
            same((arguments_of(result), result.get("resultType")), ({"what": "x"}, "complete"), "the answer")
            result = wire.call("wipe", _meta=META)
            refused(result, "unknown_tool")
            same(result.get("resultType"), "complete", "the kind of the refusal")
            refused(wire.call("look", {"what": 1}, _meta=META), "bad_arguments")
        with checks.check("each request names its revision, toward the server too"):
            for message in spied.received():
                same(message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"], MODERN, message["method"])
        reached = len(spied.received())
        put = {"name": "put", "arguments": {"text": "x"}}
        odd = {**META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"}
        for method, params in [("tools/list", {}), ("tools/call", put), ("server/discover", {})]:
            with checks.check(f"{method} in a revision that nobody knows is refused with those that are spoken"):
                said = wire.request(method, {**params, "_meta": odd})
                assert "error" in said, f"it is answered: {brief(said)}"
                same((said["error"]["code"], said["error"]["data"]), (-32022, {"supported": [MODERN]}), method)
                same(len(spied.received()), reached, "what reached the server")
            reached = len(spied.received())
        for method, params in [("tools/list", {}), ("tools/call", put)]:
            with checks.check(f"{method} that names no revision is refused"):
                said = wire.request(method, params)
                assert "error" in said, f"it is answered: {brief(said)}"
                same(len(spied.received()), reached, "what reached the server")
            reached = len(spied.received())
        with checks.check("a method that nobody knows is refused"):
            said = wire.request("no/such/method", {"_meta": META})
            same(said["error"]["code"], -32601, "the code")
            same(len(spied.received()), reached, "what reached the server")
        for method, params in [("logging/setLevel", {"level": "debug"}), ("ping", {}),
                               ("resources/subscribe", {"uri": "file:///x"}),
                               ("resources/unsubscribe", {"uri": "file:///x"})]:
            with checks.check(f"{method}, which the newer era has no more, is refused"):
                said = wire.request(method, {**params, "_meta": META})
                same(said.get("error", {}).get("code"), -32601, f"the code for {method}")
                same(len(spied.received()), reached, "what reached the server")
            reached = len(spied.received())
        with checks.check("a question that the server may not ask does not reach the client"):
            said = wire.request("tools/call", {"name": "need_input", "arguments": {}, "_meta": META})
            assert "password" not in json.dumps(said), f"it is asked: {brief(said)}"
            assert "error" in said or said["result"].get("isError") is True, brief(said)
        with checks.check("progress and cancelling work in the newer era"):
            before = len(wire.heard)
            result = wire.call("progress", {"steps": 2}, _meta={**META, "progressToken": "mine"})
            assert arguments_of(result)["token"] is not None
            told = [said["params"] for said in wire.heard[before:] if said.get("method") == "notifications/progress"]
            same([(one["progressToken"], one["progress"]) for one in told], [("mine", 1), ("mine", 2)], "the progress")
            number = wire.ask("tools/call", {"name": "hold", "arguments": {"key": "k"}, "_meta": META})
            for _ in range(1_000):
                arguments_of(wire.call("look", {"what": "has it come?"}, _meta=META))
                if spied.calls("hold"):
                    break
            wire.send({"method": "notifications/cancelled", "params": {"requestId": number, "_meta": META}})
            told = arguments_of(wire.call("release", {"keys": ["k"]}, _meta=META))
            same(len(told["cancelled"]), 1, "what the server heard")
            arguments_of(wire.call("look", {"what": "after"}, _meta=META))
            same([said for said in wire.heard if said.get("id") == number], [], "answers to it")
    with Spied(checks, "--era", "legacy", name="only-older") as (wire, spied):
        with checks.check("an older server says so to `server/discover`, and the client begins again"):
            said = wire.request("server/discover", {"_meta": META})
            same(said["error"]["code"], -32601, "the code")
            assert "initialize" in said["error"]["message"], brief(said)
            assert "result" in wire.initialize()
            same(arguments_of(wire.call("look", {"what": "x"})), {"what": "x"}, "the answer")
    for era in ["legacy", "lenient"]:
        with Spied(checks, "--era", era, name=f"straight-{era}") as (wire, spied):
            with checks.check(f"a call of the newer era to an older server ({era}) is refused in words"):
                said = wire.request("tools/call", {"name": "put", "arguments": {"text": "x"}, "_meta": META})
                told = json.dumps(said)
                assert not spied.world.exists(), "the call was made"
                assert "error" in said or said["result"].get("isError") is True, brief(said)
                # In words, or by naming the revisions that it can be spoken to in.
                assert "initialize" in told or "2025-11-25" in told, f"it does not say what to do: {told}"
            with checks.check(f"and the client can begin again ({era})"):
                assert "result" in wire.initialize()
                same(arguments_of(wire.call("look", {"what": "x"})), {"what": "x"}, "the answer")
    with Spied(checks, "--era", "modern", name="only-newer") as (wire, spied):
        with checks.check("a newer server says so to `initialize`, and the client begins again"):
            said = wire.initialize()
            assert MODERN in said["error"]["message"], brief(said)
            assert "result" in wire.request("server/discover", {"_meta": META})
            same(arguments_of(wire.call("look", {"what": "x"}, _meta=META)), {"what": "x"}, "the answer")
