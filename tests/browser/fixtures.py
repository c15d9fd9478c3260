"""A whole exchange for clients that log in with a browser, and headless Chromium. For tests/browser and conformance."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from demo.services import Exchange, migrate, running, wait_until_healthy
from jhe import embedded
from tests.browser.person import Person
from tests.ports import free_ports

if TYPE_CHECKING:
    from playwright.async_api import Browser

SECONDS = 15
"""That a page may take on a busy machine."""


class ClientsExchange(Exchange):
    """With the settings of tests/browser."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "DJANGO_SETTINGS_MODULE": "tests.browser.settings"}


@pytest.fixture(scope="session")
def exchange() -> Iterator[Exchange]:
    with embedded.throw_away() as data_dir:
        made = Exchange(data_dir, *free_ports())
        migrate(made)
        made.manage("seed")
        exchange = ClientsExchange(data_dir, made.web_port, made.mcp_port)
        with running(exchange) as processes:
            wait_until_healthy(exchange, processes)
            yield exchange


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator["Browser"]:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("make test could not install chromium")
    from playwright.async_api import async_playwright, expect

    expect.set_options(timeout=SECONDS * 1000)
    # As root it starts without its sandbox only; the pages it opens are ours.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=sandbox)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def at_browser(chromium: "Browser") -> AsyncIterator[Callable[[str], Awaitable[Person]]]:
    """Somebody of the demo world at a browser of their own. What a page's own policy forbids it fails the test."""
    complaints: list[str] = []
    async with AsyncExitStack() as stack:

        async def at_browser(name: str) -> Person:
            context = await chromium.new_context()
            stack.push_async_callback(context.close)
            context.set_default_timeout(SECONDS * 1000)
            context.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            context.on("weberror", lambda error: complaints.append(error.error.message))
            return Person(await context.new_page(), name)

        yield at_browser
    assert [said for said in complaints if not said.startswith("Failed to load resource")] == []
