"""mcp-remote, as a host that knows stdio only starts it: it bridges to our HTTP endpoint, and logs in on the way."""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from demo.services import ROOT, Exchange
from tests.browser.person import Person
from tests.ports import free_ports

MCP_REMOTE = ROOT / "tests/npm/node_modules/.bin/mcp-remote"
PROMPT = re.compile(r"Please authorize this client by visiting:\s+(\S+)")

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(not MCP_REMOTE.exists(), reason="make test could not install tests/npm"),
]


@asynccontextmanager
async def bridge(exchange: Exchange, home: Path, port: int) -> AsyncIterator[Client]:
    """The SDK's client on the bridge. It finds no program that opens a browser, and prints the URL instead."""
    server = StdioServerParameters(
        command=str(Path(sys.executable).with_name("node")),
        args=[
            str(MCP_REMOTE),
            exchange.mcp_url,
            str(port),
            "--host",
            "127.0.0.1",
            "--callback-path",
            "/callback",
            "--static-oauth-client-info",
            chr(123) + '"client_id":"jhe-mcp-stdio"}',
        ],
        env={"PATH": str(Path(sys.executable).parent), "HOME": str(home), "MCP_REMOTE_CONFIG_DIR": str(home)},
    )
    with (home / "stderr").open("w") as stderr:
        async with Client(stdio_client(server, errlog=stderr), mode="legacy") as client:
            yield client


async def prompted(stderr: Path) -> str:
    """Where the person is asked to log in, once they are."""
    while not (found := PROMPT.findall(stderr.read_text() if stderr.exists() else "")):
        await anyio.sleep(0.02)
    return str(found[-1])


async def in_browser(person: Person, home: Path) -> None:
    await person.open(await prompted(home / "stderr"))
    await person.allow()


async def test_it_lists_and_calls_tools_for_tom_and_logs_in_once(
    exchange: Exchange, at_browser, tmp_path: Path
) -> None:
    tom = await at_browser("three_org_tom")
    port, _ = free_ports()
    async with anyio.create_task_group() as login:
        login.start_soon(in_browser, tom, tmp_path)
        async with bridge(exchange, tmp_path, port) as client:
            assert "list_studies" in {tool.name for tool in (await client.list_tools()).tools}
            studies = await client.call_tool("list_studies", {})
    assert studies.structured_content is not None
    total = studies.structured_content["total"]
    assert total > 0
    (tmp_path / "stderr").unlink()
    async with bridge(exchange, tmp_path, port) as client:
        again = await client.call_tool("get_study_count", {})
    assert again.structured_content == {**again.structured_content, "total": total}
    assert PROMPT.search((tmp_path / "stderr").read_text()) is None
