"""The client that the conformance suite examines without a login: `python -m mcp_server test`, and what stdio forwards.

The suite's last argument is the URL of its server; what is to be called is in the environment.
"""

import asyncio
import json
import os
import sys
from typing import Any

import mcp_types as types
from mcp import Client
from mcp.client.context import ClientRequestContext

from mcp_server.app import build_server
from mcp_server.backends.forward import Forward
from mcp_server.contract.run import Asked, report_on
from mcp_server.tool import Answer, Arguments, Ask, Output, Tool

CALLS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "tools_call": [("add_numbers", {"a": 5, "b": 3})],
    "http-invalid-tool-headers": [("valid_tool", {"region": "eu"})],
}
"""By scenario; the others say themselves what to call, or only want the list."""
FORWARDED = {
    "http-standard-headers": ("test_headers",),
    "request-metadata": ("anything",),
    "sep-2322-client-request-state": (
        "test_mrtr_echo_state",
        "test_mrtr_no_state",
        "test_mrtr_unrelated",
        "test_mrtr_no_result_type",
    ),
}
"""What the host of a stdio server calls."""


async def check(url: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
    for tool, arguments in calls or [(None, {})]:
        report = await report_on(Asked(url, tool=tool, arguments=arguments, with_health=False))
        sys.stderr.write(f"{report}\n")


class NoLogin:
    async def access_token(self, refused: str = "") -> str:  # noqa: ARG002
        return "none"


async def yes(_: ClientRequestContext, __: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"ok": True, "confirmed": True, "name": "Alice"})


async def write(_: ClientRequestContext, __: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    return types.CreateMessageResult(role="assistant", content=types.TextContent(text="Words."), model="m")


async def roots(_: ClientRequestContext) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[])


async def unused(_: Arguments, __: Ask) -> Answer:
    raise NotImplementedError


async def forward(url: str, names: tuple[str, ...]) -> None:
    """A host of a handshake revision at one end, the suite's server at the other."""
    tools = {name: Tool(name, name, name, Arguments, Output, unused) for name in names}
    callbacks = {"elicitation_callback": yes, "sampling_callback": write, "list_roots_callback": roots}
    async with (
        Forward(url, NoLogin()) as answers,
        Client(build_server(answers, tools), mode="legacy", **callbacks) as host,
    ):
        await asyncio.gather(*(call(host, name) for name in names), return_exceptions=True)


async def call(host: Client, name: str) -> None:
    request = types.CallToolRequest(params=types.CallToolRequestParams(name=name, arguments={}))
    await host.session.send_request(request, types.CallToolResult)


async def main(url: str) -> None:
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    if scenario in FORWARDED:
        await forward(url, FORWARDED[scenario])
        return
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    named = [(call["name"], call["arguments"]) for call in context.get("toolCalls", ())]
    await check(url, named or CALLS.get(scenario, []))


asyncio.run(main(sys.argv[-1]))
