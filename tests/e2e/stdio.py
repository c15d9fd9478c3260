"""The stdio server as a host starts it, on a machine of its own: no tokens yet, no keyring, no display."""

import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import anyio
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from demo.person import Person
from demo.services import ROOT, Exchange

_URL = re.compile(r"Log in here: (\S+)")


def environment(exchange: Exchange, home: Path, **variables: str) -> dict[str, str]:
    """What the process finds. Nothing that tells of the exchange but the URL of its MCP endpoint."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_DATA_HOME": str(home),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "PYTHONWARNINGS": "error",
        "JHE_MCP_URL": exchange.mcp_url,
        "JHE_BASE_URL": exchange.web_url,
        "JHE_LOGIN_WAIT": "1",
        **variables,
    }


@asynccontextmanager
async def started(
    exchange: Exchange, home: Path, *arguments: str, mode: str = "auto", **variables: str
) -> AsyncIterator[Client]:
    """The SDK's client on a stdio server. What the server writes to stderr is in `home/stderr`."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_server", "stdio", *arguments],
        env=environment(exchange, home, **variables),
        cwd=ROOT,
    )
    with (home / "stderr").open("w") as stderr:
        async with Client(stdio_client(server, errlog=stderr), mode=mode) as client:
            yield client


async def url_in(stderr: Path) -> str:
    """Where the person is asked to log in, once they are."""
    while not (found := _URL.findall(stderr.read_text() if stderr.exists() else "")):
        await anyio.sleep(0.02)
    return str(found[-1])


async def answer(person: Person, url: str) -> httpx2.Response:
    """Log in at `url` and follow the redirect back to the program that asked."""
    [redirect_uri] = parse_qs(urlsplit(url).query)["redirect_uri"]
    said = await person.authorize(url, redirect_uri)
    query = {name: value for name, value in said.model_dump().items() if value is not None}
    async with httpx2.AsyncClient() as browser:
        return await browser.get(f"{redirect_uri}?{urlencode(query)}")
