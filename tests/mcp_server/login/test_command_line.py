"""The command line on a person's own machine: log in, look, log out, for several exchanges and people."""

import asyncio
import json
import logging
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from core.policy.mcp_tokens import new_token
from mcp_server.__main__ import main
from mcp_server.auth.prompt import Prompt
from tests.mcp_server.login.authorization_server import AuthorizationServer, authorization_server

ROOT = Path(__file__).parents[3]


class Machine:
    """A machine of its own, without keyring and display. Commands run here; as processes where that matters."""

    def __init__(self, home: Path, server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = home
        self.server = server
        self._monkeypatch = monkeypatch
        for variable in ("JHE_MCP_URL", "JHE_PROFILE", "JHE_MCP_TOKEN", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "DISPLAY"):
            monkeypatch.delenv(variable, raising=False)
        self.set("HOME", str(home))

    def set(self, variable: str, value: str) -> None:
        self._monkeypatch.setenv(variable, value)

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        environment = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mcp_server", *arguments),
            env={**environment, "PYTHONWARNINGS": "error"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    async def run(self, *arguments: str, answer: bool = False) -> tuple[int, str, str]:
        """Status, stdout and stderr. `answer`: a person follows the address that is printed."""
        said, warned = StringIO(), StringIO()
        self._monkeypatch.setattr(sys, "argv", ["mcp_server", *arguments])
        with redirect_stdout(said), redirect_stderr(warned):
            command = asyncio.create_task(asyncio.to_thread(_status, warned))
            if answer:
                await self.server.person(Prompt(await _address(warned)))
            status = await command
        if answer:
            await self.server.page()
        return status, said.getvalue(), warned.getvalue()

    async def log_in(self, *arguments: str) -> tuple[int, str]:
        status, said, _ = await self.run("login", *arguments, answer=True)
        return status, said

    def kept(self) -> list[str]:
        [*files] = self.home.rglob("tokens.json")
        return sorted(json.loads(files[0].read_text())) if files else []


def _status(warned: StringIO) -> int:
    try:
        main()
    except SystemExit as ended:
        if isinstance(ended.code, int):
            return ended.code
        warned.write(f"{ended.code}\n")
        return 1
    return 0


async def _address(warned: StringIO) -> str:
    while not (found := re.findall(r"Log in here: (\S+)\n", warned.getvalue())):
        await asyncio.sleep(0.01)
    return str(found[0])


@pytest.fixture
def machine(tmp_path: Path, server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield Machine(tmp_path, server, monkeypatch)
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_a_person_logs_in_looks_and_logs_out(machine: Machine, server: AuthorizationServer) -> None:
    at = ("--url", server.mcp_url)
    status, _, warned = await machine.run("whoami", *at)
    assert status == 1
    assert warned == f"Nobody is logged in at {server.mcp_url}: python -m mcp_server login\n"
    status, said = await machine.log_in(*at)
    assert status == 0
    assert said.startswith("user 10001 (practitioner)\n")
    assert server.mcp_url in said
    status, said, _ = await machine.run("whoami", *at, "-o", "json")
    found = json.loads(said)
    assert status == 0
    assert (found["profile"], found["exchange"], found["user_id"]) == ("default", server.mcp_url, 10001)
    assert found["narrowed"] is False
    assert (await machine.run("logout", *at))[1] == "Logged out.\n"
    assert [request.get("token") for request in server.token_requests[-2:]] == ["first", "access-1"]
    assert (await machine.run("logout", *at))[1] == "Nobody was logged in.\n"
    assert (await machine.run("whoami", *at))[0] == 1


async def test_whoami_falls_back_on_what_the_login_said_and_tells_why(
    machine: Machine, server: AuthorizationServer
) -> None:
    server.id_token = {
        "narrowing": -7,
        "name": "Mary\x1b[2J",
        "jhe_permissions": {"studies": [30001, 30002], "organizations": [], "truncated": False},
    }
    await machine.log_in("--url", server.mcp_url)
    status, said, _ = await machine.run("whoami", "--url", server.mcp_url, "-o", "json")
    found = json.loads(said)
    assert status == 0
    assert found["studies"] == [{"study_id": 30001}, {"study_id": 30002}]
    assert found["studies_total"] == 2
    assert found["narrowed"] is True
    assert "try again" in found["problem"]
    said = (await machine.run("whoami", "--url", server.mcp_url))[1]
    assert "narrowed  to the studies below" in said
    assert "2: 30001, 30002 (at the last renewal; now: " in said
    assert "\x1b" not in said


async def test_a_login_that_the_exchange_has_ended_is_not_said_to_stand(
    machine: Machine, server: AuthorizationServer
) -> None:
    server.expires_in = 30
    await machine.log_in("--url", server.mcp_url)
    server.refresh_token = "revoked"
    status, _, warned = await machine.run("whoami", "--url", server.mcp_url)
    assert status == 1
    assert "Nobody is logged in" in warned
    assert machine.kept() == []


async def test_a_person_who_says_no_ends_the_login_with_a_sentence(
    machine: Machine, server: AuthorizationServer
) -> None:
    server.answer = {"code": None, "error": "access_denied"}
    status, _, warned = await machine.run("login", "--url", server.mcp_url, answer=True)
    assert status == 1
    assert warned.endswith("You did not agree that this program may read on your behalf.\n")
    assert (await server.page()).status_code == 400
    assert machine.kept() == []


async def test_control_c_leaves_nothing_behind(machine: Machine, server: AuthorizationServer) -> None:
    process = await machine.start("login", "--url", server.mcp_url)
    assert process.stderr is not None
    assert b"login --device" in await process.stderr.readline()  # for a machine without a display
    asked = (await process.stderr.readline()).decode().removeprefix("Log in here: ").strip()
    [redirect] = parse_qs(urlsplit(asked).query)["redirect_uri"]
    process.send_signal(signal.SIGINT)
    said, warned = await process.communicate()
    assert (process.returncode, said, warned) == (130, b"", b"")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(redirect).port or 0)) != 0
    assert [path for path in machine.home.rglob("*") if path.is_file()] == []


async def test_a_person_logs_in_on_another_device(machine: Machine, server: AuthorizationServer) -> None:
    server.device = {"interval": 1}
    status, said, warned = await machine.run("login", "--device", "--url", server.mcp_url)
    assert status == 0
    assert f"{server.url}/device?user_code=WDJB-MJHT (code WDJB-MJHT)" in warned
    assert said.startswith("user 10001 (practitioner)\n")
    assert machine.kept() == [server.mcp_url]


async def test_a_profile_needs_its_exchange_once(machine: Machine, server: AuthorizationServer) -> None:
    status, _, warned = await machine.run("login", "--profile", "lab")
    assert (status, warned) == (1, "The profile lab is new: say once where its exchange is, with --url.\n")
    status, said = await machine.log_in("--profile", "lab", "--url", server.mcp_url)
    assert status == 0
    assert "(profile lab)" in said
    assert (await machine.run("whoami", "--profile", "lab"))[0] == 0
    assert (await machine.run("whoami", "--url", server.mcp_url))[0] == 1
    machine.set("JHE_PROFILE", "lab")
    assert "(profile lab)" in (await machine.run("whoami"))[1]
    assert (await machine.run("logout"))[1] == "Logged out.\n"
    assert (await machine.log_in())[0] == 0
    [file] = machine.home.rglob("profiles.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_profile_asks_no_other_exchange_until_it_has_moved(
    machine: Machine, server: AuthorizationServer
) -> None:
    await machine.log_in("--profile", "lab", "--url", server.mcp_url)
    elsewhere = ("--profile", "lab", "--url", "http://127.0.0.1:1/mcp")
    for command in ("whoami", "logout", "stdio"):
        status, _, warned = await machine.run(command, *elsewhere)
        assert status == 1
        assert f"The profile lab is for {server.mcp_url}" in warned
    assert "cannot be reached" in (await machine.run("login", *elsewhere))[2]
    assert (await machine.run("whoami", "--profile", "lab"))[0] == 0


async def test_a_profile_that_moves_leaves_no_login_behind(machine: Machine, server: AuthorizationServer) -> None:
    with authorization_server() as other:
        await machine.log_in("--profile", "lab", "--url", server.mcp_url)
        machine.server = other
        status, said = await machine.log_in("--profile", "lab", "--url", other.mcp_url)
        assert status == 0
        assert other.mcp_url in said
        assert machine.kept() == [f"lab {other.mcp_url}"]
        assert [request.get("token") for request in server.token_requests[1:]] == ["first", "access-1"]
        assert all("token" not in request for request in other.token_requests)


@pytest.mark.parametrize("name", ["../lab", "two words", ""])
async def test_a_name_that_is_none_is_refused(machine: Machine, name: str) -> None:
    status, _, warned = await machine.run("whoami", "--profile", name)
    assert status == 1
    assert warned.startswith("A profile's name is")


async def test_profiles_are_listed_with_who_is_logged_in(machine: Machine, server: AuthorizationServer) -> None:
    server.id_token = {"email": "mary@example.com"}
    await machine.log_in("--profile", "lab", "--url", server.mcp_url)
    machine.set("JHE_MCP_URL", "https://jhe.example.org/mcp")
    said = (await machine.run("profiles"))[1].splitlines()
    assert said == [
        "default      https://jhe.example.org/mcp  nobody is logged in",
        f"lab          {server.mcp_url}  mary@example.com",
    ]
    listed = json.loads((await machine.run("profiles", "-o", "json"))[1])
    assert listed[1] == {"profile": "lab", "exchange": server.mcp_url, "logged_in": "mary@example.com"}


async def test_all_logins_of_a_machine_are_ended_at_once(machine: Machine, server: AuthorizationServer) -> None:
    await machine.log_in("--profile", "lab", "--url", server.mcp_url)
    await machine.log_in("--url", server.mcp_url)
    said = (await machine.run("logout", "--all"))[1]
    assert said == f"default {server.mcp_url}: Logged out.\nlab {server.mcp_url}: Logged out.\n"
    assert machine.kept() == []
    assert len([request for request in server.token_requests if "token_type_hint" in request]) == 4
    assert (await machine.run("logout", "--all"))[1] == "Nobody was logged in.\n"


async def test_logging_out_while_the_exchange_is_away_says_so(machine: Machine, server: AuthorizationServer) -> None:
    await machine.log_in("--url", server.mcp_url)
    server.status = 503
    status, said, _ = await machine.run("logout", "--url", server.mcp_url)
    assert status == 0
    assert said.startswith("Logged out on this machine. The exchange could not be told: ")
    assert machine.kept() == []


@pytest.mark.parametrize(
    "token", ["jhe_pat_short", "secret-of-mine", new_token()[:-1] + "?"], ids=["short", "another kind", "mistyped"]
)
async def test_an_mcp_token_that_is_none_is_refused_and_not_repeated(machine: Machine, token: str) -> None:
    machine.set("JHE_MCP_TOKEN", token)
    for command in ("whoami", "stdio"):
        status, said, warned = await machine.run(command, "--url", "http://127.0.0.1:1/mcp")
        assert status == 1
        assert "JHE_MCP_TOKEN: is not an MCP token" in warned
        assert token not in said + warned


async def test_an_mcp_token_is_not_kept_and_not_printed(machine: Machine) -> None:
    token = new_token()
    machine.set("JHE_MCP_TOKEN", token)
    status, said, warned = await machine.run("whoami", "--url", "http://127.0.0.1:1/mcp")
    assert status == 0
    assert said.startswith("Whoever made the MCP token in JHE_MCP_TOKEN\n")
    assert "cannot be reached" in said
    assert token not in said + warned
    assert machine.kept() == []


@pytest.mark.parametrize(
    ("plant", "sentence"),
    [
        (lambda file: file.write_text("{damaged"), "is damaged and is not used: log in again"),
        (lambda file: (file.write_text("{}"), os.chown(file, 12345, 12345)), "belongs to another user"),
    ],
)
async def test_a_store_that_is_damaged_or_not_ones_own_is_told_in_a_sentence(
    machine: Machine, server: AuthorizationServer, plant: Callable[[Path], Any], sentence: str
) -> None:
    file = machine.home / ".local" / "share" / "jupyterhealth-exchange" / "tokens.json"
    file.parent.mkdir(parents=True)
    plant(file)
    status, _, warned = await machine.run("whoami", "--url", server.mcp_url)
    assert status == 1
    assert sentence in warned
    assert "Traceback" not in warned
