"""Our authorization server under the conformance suite. It has two scenarios, and both apply."""

import re
import subprocess
from pathlib import Path

import anyio
import pytest

from core.actions.clients import STDIO_CLIENT_ID
from demo.services import Exchange
from tests.conformance.suite import MISSING, SUITE, command, environment, faults
from tests.ports import free_ports

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(not SUITE.exists(), reason=MISSING),
]


async def test_every_scenario_passes(exchange: Exchange, at_browser, tmp_path: Path) -> None:
    mary = await at_browser("manager_mary")
    port, _ = free_ports()
    process = await anyio.open_process(
        command(
            "authorization",
            f"--url={exchange.web_url}",
            f"--client-id={STDIO_CLIENT_ID}",
            f"--resource={exchange.mcp_url}",
            f"--port={port}",
            f"--output-dir={tmp_path}",
        ),
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    async with process:
        assert process.stdout is not None
        said = ""
        while not (asked := re.search(rf"{exchange.web_url}/o/authorize/\S+", said)):
            said += (await process.stdout.receive()).decode()
        await mary.open(asked[0])
        await mary.allow()
        await process.wait()
    assert faults(tmp_path) == {
        "authorization-server-authorization-server-metadata-endpoint": set(),
        "authorization-server-authorization-code-grant": set(),
    }
