"""A host built with the MCP SDK 1.x, as a program: it lists the tools, calls them and tells what it got, as JSON.

Usage: older_sdk.py http URL TOKEN | stdio COMMAND…, with the calls (name to arguments) as JSON on stdin.
"""

import asyncio
import json
import os
import sys
from contextlib import AbstractAsyncContextManager
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client


def transport(kind: str, *target: str) -> AbstractAsyncContextManager[Any]:
    if kind == "http":
        url, token = target
        return streamablehttp_client(url, headers={"Authorization": f"Bearer {token}"})
    command, *arguments = target
    return stdio_client(StdioServerParameters(command=command, args=arguments, env=dict(os.environ)))


async def main(calls: dict[str, dict[str, Any]]) -> None:
    messages: list[str] = []

    async def progress(_: float, __: float | None, message: str | None) -> None:
        messages.append(message or "")

    async with transport(*sys.argv[1:]) as streams, ClientSession(streams[0], streams[1]) as session:
        hello = await session.initialize()
        listed = await session.list_tools()
        resources = await session.list_resources()
        answers = {name: await session.call_tool(name, arguments) for name, arguments in calls.items()}
        await session.call_tool("get_study_count", {}, progress_callback=progress)
    told = {
        "revision": hello.protocolVersion,
        "tools": [tool.name for tool in listed.tools],
        "resources": len(resources.resources),
        "failed": [name for name, answer in answers.items() if answer.isError or not answer.structuredContent],
        "progress": messages,
    }
    sys.stdout.write(json.dumps(told))


asyncio.run(main(json.load(sys.stdin)))
