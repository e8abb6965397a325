"""A tool server that does nothing: it offers the tools of a file, and says of each call that it is done.

    python3 examples/server.py TOOLS.json SERVER
"""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    tools = json.load(file)[sys.argv[2]]

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message or "method" not in message:
        continue
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        result = {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": sys.argv[2], "version": "1"},
        }
    elif method == "tools/list":
        result = {"tools": tools}
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": f"{params.get('name')}: done"}]}
    else:
        result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
