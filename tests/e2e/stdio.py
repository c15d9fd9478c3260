"""The stdio server as a host starts it, on a machine of its own: no tokens yet, no keyring, no display."""

import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import anyio
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from demo.person import Person, forms_in
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


async def enter(person: Person, url: str, code: str) -> str:
    """Log in at `url`, enter the code of a program on another device, and agree; returns the last page."""
    async with httpx2.AsyncClient(follow_redirects=True) as browser:
        page = await browser.get(url)
        while answered := _answered(person, page.text, code):
            action, fields = answered
            target = urljoin(str(page.url), action)
            page = await browser.post(target, data=fields, headers={"Referer": str(page.url)})
    return page.text


def _answered(person: Person, page: str, code: str) -> tuple[str, dict[str, list[str]]] | None:
    for action, fields in forms_in(page):
        if "password" in fields:
            return action, {**fields, "login": [person.email], "password": [person.password]}
        if "allow" in fields:
            return action, {name: values for name, values in fields.items() if name != "deny"}
        if "user_code" in fields:
            return action, {**fields, "user_code": [code]}
    return None
