"""The official Python SDK, driven by a script.

Reads {"command", "env", "cwd", "mode", "steps"} from stdin, does the steps in order over one connection, and
writes a report to stdout: {"connected": {...} or {"error": ...}, "steps": [...], "asked": [...]}. The two other
clients take the same scripts and write the same reports.

Modes: "legacy" begins with `initialize`, "auto" asks `server/discover` first, "modern" takes 2026-07-28 for
granted.
"""

import json
import sys
import warnings

import anyio
import mcp_types as types
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError

MODES = {"legacy": "legacy", "auto": "auto", "modern": "2026-07-28"}
PATIENCE = 60


def plain(model):
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


def said(error):
    if isinstance(error, BaseExceptionGroup):
        return said(error.exceptions[0])
    if isinstance(error, MCPError):
        return {"error": {"code": error.error.code, "message": error.error.message, "data": error.error.data}}
    return {"error": {"code": None, "message": f"{type(error).__name__}: {error}", "data": None}}


class Run:
    def __init__(self, script):
        self.script = script
        self.asked = []
        self.news = {"message": [], "updated": []}
        self.heard = {"message": anyio.Event(), "updated": anyio.Event()}

    async def on_log(self, params):
        self.news["message"].append(plain(params))
        self.heard["message"].set()

    async def on_news(self, message):
        if isinstance(message, types.ResourceUpdatedNotification):
            self.news["updated"].append(plain(message.params))
            self.heard["updated"].set()

    async def elicited(self, context, params):
        self.asked.append("elicitation/create")
        return types.ElicitResult(action="decline")

    async def sampled(self, context, params):
        self.asked.append("sampling/createMessage")
        content = types.TextContent(type="text", text="no")
        return types.CreateMessageResult(role="assistant", content=content, model="none")

    async def rooted(self, context):
        self.asked.append("roots/list")
        return types.ListRootsResult(roots=[])

    async def call(self, client, step):
        seen = []
        cancel_after = step.get("cancel_after")
        with anyio.CancelScope() as scope:

            async def progress(done, total, message):
                seen.append([done, total])
                if len(seen) == cancel_after:
                    scope.cancel()

            wanted = bool(step.get("progress") or cancel_after)
            result = await client.call_tool(
                step["name"],
                step.get("arguments"),
                PATIENCE,
                progress if wanted else None,
                meta=step.get("meta"),
            )
            return {"result": plain(result), "progress": seen}
        return {"cancelled": True, "progress": seen}

    async def step(self, client, step):
        match step["do"]:
            case "tools":
                return {"result": [plain(tool) for tool in (await client.list_tools()).tools]}
            case "call":
                return await self.call(client, step)
            case "resources":
                return {"result": [plain(one) for one in (await client.list_resources()).resources]}
            case "templates":
                listed = await client.list_resource_templates()
                return {"result": [plain(one) for one in listed.resource_templates]}
            case "read":
                return {"result": plain(await client.read_resource(step["uri"]))}
            case "prompts":
                return {"result": [plain(prompt) for prompt in (await client.list_prompts()).prompts]}
            case "prompt":
                return {"result": plain(await client.get_prompt(step["name"], step.get("arguments")))}
            case "complete":
                kinds = {"ref/prompt": types.PromptReference, "ref/resource": types.ResourceTemplateReference}
                ref = kinds[step["ref"]["type"]].model_validate(step["ref"])
                return {"result": plain(await client.complete(ref, step["argument"], step.get("context")))}
            case "ping":
                return {"result": plain(await client.send_ping())}
            case "level":
                return {"result": plain(await client.set_logging_level(step["level"]))}
            case "subscribe":
                return {"result": plain(await client.subscribe_resource(step["uri"]))}
            case "await":
                with anyio.fail_after(PATIENCE):
                    await self.heard[step["news"]].wait()
                return {"result": self.news[step["news"]][0]}
        raise ValueError(f"no step {step['do']}")

    async def all(self):
        script = self.script
        command, *arguments = script["command"]
        server = StdioServerParameters(command=command, args=arguments, env=script["env"], cwd=script.get("cwd"))
        report = {"connected": None, "steps": [], "asked": self.asked}
        try:
            async with Client(
                server,
                mode=MODES[script["mode"]],
                read_timeout_seconds=PATIENCE,
                elicitation_callback=self.elicited,
                sampling_callback=self.sampled,
                list_roots_callback=self.rooted,
                logging_callback=self.on_log,
                message_handler=self.on_news,
                client_info=types.Implementation(name="interop-python", version="1"),
            ) as client:
                report["connected"] = {
                    "version": client.protocol_version,
                    "server": plain(client.server_info) if client.server_info else None,
                    "capabilities": plain(client.server_capabilities),
                    "instructions": client.instructions,
                }
                for step in script["steps"]:
                    try:
                        report["steps"].append(await self.step(client, step))
                    except Exception as error:
                        report["steps"].append(said(error))
        except Exception as error:
            if report["connected"] is None:
                report["connected"] = said(error)
            else:
                report["closing"] = said(error)
        return report


async def main():
    print(json.dumps(await Run(json.load(sys.stdin)).all()))


warnings.simplefilter("ignore")
anyio.run(main)
