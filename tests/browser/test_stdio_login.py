"""Our own stdio server's logins, with a browser: on this machine, on another device, and their end."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import anyio
import pytest
from playwright.async_api import expect

from demo.services import ROOT, Exchange
from tests.browser.person import Person
from tests.e2e.stdio import environment, started
from tests.personas import BP

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True)
class Laptop:
    """Somebody's own computer, without a keyring."""

    exchange: Exchange
    home: Path

    @asynccontextmanager
    async def logging_in(self, *arguments: str, status: int = 0) -> AsyncIterator[list[str]]:
        """`login`; inside, somebody reads the words that ask them and answers in a browser. It ends with `status`."""
        command = [sys.executable, "-m", "mcp_server", "login", *arguments]
        process = await anyio.open_process(
            command, stdout=subprocess.DEVNULL, env=environment(self.exchange, self.home), cwd=ROOT
        )
        async with process:
            assert process.stderr is not None
            said = ""
            while "Log in here" not in said or not said.endswith("\n"):
                said += (await process.stderr.receive()).decode()
            yield said.split()
            assert await process.wait() == status

    async def run(self, *arguments: str) -> CompletedProcess[bytes]:
        command = [sys.executable, "-m", "mcp_server", *arguments]
        return await anyio.run_process(command, env=environment(self.exchange, self.home), cwd=ROOT, check=False)


@pytest.fixture
def laptop(exchange: Exchange, tmp_path: Path) -> Laptop:
    return Laptop(exchange, tmp_path)


def address_in(words: list[str]) -> str:
    return next(word for word in words if word.startswith("http"))


async def withdraw(person: Person, exchange: Exchange) -> None:
    await person.page.goto(f"{exchange.web_url}/account/apps/")
    name = "Withdraw all access of JupyterHealth MCP on this computer"
    await person.press(name)
    await expect(person.page.get_by_role("button", name=name)).to_have_count(0)


async def test_megan_gives_one_study_and_takes_it_back(exchange: Exchange, at_browser, laptop: Laptop) -> None:
    megan = await at_browser("member_megan")
    async with laptop.logging_in() as words:
        await megan.open(address_in(words))
        await megan.allow(studies=[BP])
        await megan.page.get_by_role("heading", name="You are logged in").wait_for()
    who = json.loads((await laptop.run("whoami", "-o", "json")).stdout)
    assert (who["email"], len(who["studies"])) == (megan.email, 1)
    async with started(exchange, laptop.home) as client:
        seen = await client.call_tool("list_studies", {})
        assert [study["name"] for study in seen.structured_content["studies"]] == [BP]
        await withdraw(megan, exchange)
        refused = await client.call_tool("list_studies", {})
    assert refused.is_error
    assert "You need to log in first." in refused.content[0].text
    assert (await laptop.run("whoami")).returncode == 1


async def test_tom_logs_in_on_another_device_and_out(exchange: Exchange, at_browser, laptop: Laptop) -> None:
    tom = await at_browser("three_org_tom")
    async with laptop.logging_in("--device") as words:
        await tom.open(address_in(words).partition("?")[0])
        await tom.fill("Code", words[-1].strip("()"))
        await tom.press("Continue")
        await tom.allow()
        await tom.page.get_by_text("Go back to your program").wait_for()
    async with started(exchange, laptop.home) as client:
        assert not (await client.call_tool("get_study_count", {})).is_error
    assert (await laptop.run("logout")).stdout == b"Logged out.\n"
    assert (await laptop.run("whoami")).returncode == 1


async def test_victor_cancels_and_is_not_logged_in(exchange: Exchange, at_browser, laptop: Laptop) -> None:
    victor = await at_browser("viewer_victor")
    async with laptop.logging_in(status=1) as words:
        await victor.open(address_in(words))
        await victor.cancel()
        await victor.page.get_by_role("heading", name="You are not logged in").wait_for()
    assert (await laptop.run("whoami")).returncode == 1
