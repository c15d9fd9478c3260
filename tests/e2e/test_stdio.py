"""stdio as Claude Desktop starts it, against a whole exchange: login in the browser, both backends, one answer."""

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from core.policy.mcp_tokens import new_token
from demo.person import Person
from demo.services import ROOT, Exchange
from demo.welcome import PASSWORD
from jhe import embedded
from tests.e2e.stdio import answer, enter, environment, started, url_in
from tests.e2e.test_inspector import CALLS, mcp_token

MARY = Person("manager_mary@example.com", PASSWORD)


async def log_in(exchange: Exchange, home: Path, *arguments: str) -> str:
    """`python -m mcp_server login`; returns what it says in the end."""
    stderr = home / "login-stderr"
    with stderr.open("w") as errors:
        command = [sys.executable, "-m", "mcp_server", "login", *arguments]
        process = await anyio.open_process(
            command, stdout=subprocess.PIPE, stderr=errors, env=environment(exchange, home), cwd=ROOT
        )
        async with process:
            page = await answer(MARY, await url_in(stderr))
            assert "You are logged in" in page.text
            assert process.stdout is not None
            said = await process.stdout.receive()
            assert await process.wait() == 0
    return said.decode()


async def command(
    exchange: Exchange, home: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    return await anyio.run_process(
        [sys.executable, "-m", "mcp_server", *arguments],
        env=environment(exchange, home, **variables),
        cwd=ROOT,
        check=False,
    )


@pytest.fixture(scope="module")
def home(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine on which manager_mary is logged in, for both backends."""
    home = tmp_path_factory.mktemp("mary")

    async def log_in_twice() -> None:
        await log_in(exchange, home)
        await log_in(exchange, home, *database_of(exchange))

    anyio.run(log_in_twice)
    return home


def database_of(exchange: Exchange) -> tuple[str, str]:
    return "--database-url", embedded.database_url(exchange.data_dir, user="jhe_mcp")


async def test_a_login_is_kept_and_serves_a_host_that_starts_the_server(exchange: Exchange, home: Path) -> None:
    async with started(exchange, home) as client:
        listed = await client.list_tools()
        count = await client.call_tool("get_study_count", {})
    assert "list_studies" in {tool.name for tool in listed.tools}
    assert count.structured_content["total"] == 2  # type: ignore[index]


def test_the_file_of_tokens_is_for_its_owner_only(home: Path) -> None:
    [kept] = home.rglob("tokens.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("asks", ["endpoint", "database"])
async def test_a_question_leads_to_the_login_waits_for_it_and_is_answered(
    exchange: Exchange, tmp_path: Path, asks: str
) -> None:
    counts: list[Any] = []
    messages: list[str] = []

    async def ask(client: Client) -> None:
        async def progress(_: float, __: float | None, message: str | None) -> None:
            messages.append(str(message))

        answered = await client.call_tool("get_study_count", {}, progress_callback=progress)
        counts.append((answered.structured_content or {}).get("total"))

    arguments = database_of(exchange) if asks == "database" else ()
    async with started(exchange, tmp_path, *arguments, JHE_LOGIN_WAIT="300") as client:
        assert (await client.list_tools()).tools
        assert (tmp_path / "stderr").read_text() == ""
        async with anyio.create_task_group() as questions:
            for _ in range(3):
                questions.start_soon(ask, client)
            url = await url_in(tmp_path / "stderr")
            while not messages:
                await anyio.sleep(0.05)
            await answer(MARY, url)
    assert counts == [2, 2, 2]
    assert url in messages[0]
    assert (tmp_path / "stderr").read_text().count("Log in here") == 1


async def test_a_question_that_has_waited_long_enough_says_where_to_log_in_and_the_next_is_answered(
    exchange: Exchange, tmp_path: Path
) -> None:
    async with started(exchange, tmp_path) as client:
        before = await client.call_tool("get_study_count", {})
        url = await url_in(tmp_path / "stderr")
        assert before.is_error
        assert url in before.content[0].text  # type: ignore[union-attr]
        page = await answer(MARY, url)
        assert "You are logged in" in page.text
        after = await client.call_tool("get_study_count", {})
    assert after.structured_content["total"] == 2  # type: ignore[index]


async def test_an_agent_asks_with_an_mcp_token_and_no_browser(exchange: Exchange, tmp_path: Path) -> None:
    token = mcp_token(exchange, MARY.email)
    async with started(exchange, tmp_path, JHE_MCP_TOKEN=token) as client:
        count = await client.call_tool("get_study_count", {})
    assert count.structured_content["total"] == 2  # type: ignore[index]
    who = await command(exchange, tmp_path, "whoami", JHE_MCP_TOKEN=token)
    assert who.stdout.startswith(b"Whoever made the MCP token in JHE_MCP_TOKEN\n")
    assert b"2: 30001" in who.stdout
    assert not list(tmp_path.rglob("tokens.json"))
    async with started(exchange, tmp_path, JHE_MCP_TOKEN=new_token()) as client:
        refused = await client.call_tool("get_study_count", {})
    assert "refuses the MCP token" in refused.content[0].text  # type: ignore[union-attr]
    nobody = await command(exchange, tmp_path, "whoami", JHE_MCP_TOKEN=new_token())
    assert nobody.returncode == 1
    assert b"refuses the MCP token" in nobody.stderr


async def test_a_person_without_a_browser_logs_in_on_another_device(exchange: Exchange, tmp_path: Path) -> None:
    process = await anyio.open_process(
        [sys.executable, "-m", "mcp_server", "login", "--device"], env=environment(exchange, tmp_path), cwd=ROOT
    )
    async with process:
        assert process.stderr is not None
        assert process.stdout is not None
        asked = re.search(rb"(http\S+) \(code ([A-Z]{4}-[A-Z]{4})\)\n", await process.stderr.receive())
        assert asked is not None
        await enter(MARY, asked[1].decode(), asked[2].decode())
        said = await process.stdout.receive()
        assert await process.wait() == 0
    assert said.startswith(b"manager_mary@example.com")
    async with started(exchange, tmp_path) as client:
        assert not (await client.call_tool("get_study_count", {})).is_error


async def test_both_backends_answer_the_same(exchange: Exchange, home: Path) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        *CALLS.items(),
        ("list_studies", {"query": "BP"}),
        ("get_study_metadata", {"study_id": 999}),
        ("get_study_metadata", {"study_id": "x", "study": 1}),
        ("list_studies", {"cursor": "nonsense"}),
    ]
    async with started(exchange, home) as forwarding, started(exchange, home, *database_of(exchange)) as direct:
        assert (await forwarding.list_tools()).tools == (await direct.list_tools()).tools
        assert {tool.name for tool in (await direct.list_tools()).tools} == set(CALLS)
        assert forwarding.instructions == direct.instructions
        for tool, arguments in calls:
            one, other = await forwarding.call_tool(tool, arguments), await direct.call_tool(tool, arguments)
            assert one.is_error == other.is_error
            if tool not in TELLS_OF_ITSELF:
                assert (one.content, one.structured_content) == (other.content, other.structured_content), tool
        resources = (await forwarding.list_resources()).resources
        assert resources == (await direct.list_resources()).resources
        for resource in resources:
            assert await forwarding.read_resource(resource.uri) == await direct.read_resource(resource.uri)
        assert (await forwarding.list_prompts()).prompts == (await direct.list_prompts()).prompts


TELLS_OF_ITSELF = {"get_access_log", "get_my_access", "get_server_capabilities"}
"""The trail has a row more by the second call; and a token's own limits, and a server's own abilities, are its own."""


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_hosts_of_every_era_are_served(exchange: Exchange, home: Path, mode: str) -> None:
    async with started(exchange, home, mode=mode) as client:
        assert not (await client.call_tool("get_study_count", {})).is_error


HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
GARBAGE = (
    b"this is not JSON",
    b"",
    b"[]",
    b"null",
    b'{"jsonrpc": "2.0"}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b"x" * 5_000_000,
)


@pytest.mark.parametrize("opening", ["initialize", "server/discover"])
async def test_stdout_carries_the_protocol_and_nothing_else_whatever_comes_in(
    exchange: Exchange, tmp_path: Path, opening: str
) -> None:
    meta = {"_meta": META} if opening == "server/discover" else {}
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": opening, "params": meta or HELLO},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": meta},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "get_study_count", **meta}},
        {"jsonrpc": "2.0", "id": 4, "method": "no/such", "params": meta},
    ]
    process = await anyio.open_process(
        [sys.executable, "-X", "dev", "-m", "mcp_server", "stdio"],
        env={**environment(exchange, tmp_path), "PYTHONWARNINGS": "always"},
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    written = b""
    async with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message, garbage in zip(messages, [GARBAGE, (), GARBAGE, ()], strict=True):
            for line in (*garbage, json.dumps(message).encode()):
                await process.stdin.send(line + b"\n")
            while b'"id":%d' % message["id"] not in written:
                written += await process.stdout.receive()
        await process.stdin.aclose()
        assert await process.wait() == 0
    lines = [json.loads(line) for line in written.splitlines()]
    assert {line["id"] for line in lines if "id" in line} >= {1, 2, 3, 4}
    assert all(line["jsonrpc"] == "2.0" for line in lines)


async def test_whoami_and_logout(exchange: Exchange, tmp_path: Path) -> None:
    nobody = await command(exchange, tmp_path, "whoami")
    assert nobody.returncode == 1
    assert b"Nobody is logged in" in nobody.stderr
    said = await log_in(exchange, tmp_path)
    assert said.startswith("manager_mary@example.com")
    assert "(practitioner)" in said
    assert f"exchange  {exchange.mcp_url}" in said
    found = json.loads((await command(exchange, tmp_path, "whoami", "-o", "json")).stdout)
    assert [study["study_id"] for study in found["studies"]] == [30001, 30002]
    assert (found["studies_total"], found["problem"], found["narrowed"]) == (2, None, False)
    assert (await command(exchange, tmp_path, "logout")).stdout == b"Logged out.\n"
    assert (await command(exchange, tmp_path, "logout")).stdout == b"Nobody was logged in.\n"
    assert (await command(exchange, tmp_path, "whoami")).returncode == 1


async def test_a_login_that_was_revoked_at_the_exchange_is_asked_for_again(exchange: Exchange, tmp_path: Path) -> None:
    await log_in(exchange, tmp_path)
    async with started(exchange, tmp_path) as client:
        assert not (await client.call_tool("get_study_count", {})).is_error
        copy = (tmp_path / "jupyterhealth-exchange" / "tokens.json").read_text()
        await command(exchange, tmp_path, "logout")
        (tmp_path / "jupyterhealth-exchange" / "tokens.json").write_text(copy)
        refused = await client.call_tool("get_study_count", {})
    assert refused.is_error
    assert "log in" in refused.content[0].text  # type: ignore[union-attr]


async def test_an_exchange_that_cannot_be_reached_is_said_to_be(exchange: Exchange, tmp_path: Path) -> None:
    away = await command(exchange, tmp_path, "login", "--url", "http://127.0.0.1:1/mcp")
    assert away.returncode == 1
    assert away.stderr.strip().endswith(b"127.0.0.1:1 cannot be reached: check the address and the network.")
    async with started(exchange, tmp_path, "--url", "http://127.0.0.1:1/mcp") as client:
        answered = await client.call_tool("get_study_count", {})
    assert "cannot be reached" in answered.content[0].text  # type: ignore[union-attr]


async def test_an_address_without_encryption_gets_no_token(exchange: Exchange, tmp_path: Path) -> None:
    plain = await command(exchange, tmp_path, "login", "--url", "http://exchange.example/mcp")
    assert b"tokens are sent over https only" in plain.stderr
