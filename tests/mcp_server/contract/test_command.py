"""The command `test`: what it prints, and what it ends with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_server.__main__ import main
from tests.mcp_server.contract.endpoints import TOKEN, Endpoint, Scripted

ROOT = Path(__file__).parents[3]


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch):
    """`ended(*arguments)` runs the command and says what it ended with."""
    monkeypatch.delenv("JHE_MCP_TOKEN", raising=False)
    monkeypatch.setattr("mcp_server.logs.configure", lambda: None)  # it would take the log from pytest

    def ended(*arguments: str) -> int | str | None:
        monkeypatch.setattr(sys, "argv", ["mcp_server", "test", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code

    return ended


def test_a_good_endpoint_ends_it_with_0_and_a_line_for_each_check(server: Scripted, ended, capsys) -> None:
    assert ended(server.url, "--tool", "echo", "--args", '{"text": "hello"}', "--expect-tools", "echo, ") == 0
    *lines, verdict = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", "health"],
        ["ok", "challenge"],
        ["ok", "connect"],
        ["ok", "tools"],
        ["ok", "call"],
    ]
    assert verdict == f"{server.url}: passed."


def test_what_cannot_be_asked_ends_it_with_1(server: Scripted, ended, capsys) -> None:
    server.endpoint = Endpoint(token=TOKEN)
    assert ended(server.url) == 1
    assert "FAILED  connect" in capsys.readouterr().out


def test_a_broken_contract_ends_it_with_2(server: Scripted, ended, capsys) -> None:
    assert ended(server.url, "--expect-tools", "sing") == 2
    assert "FAILED  tools      sing is not offered" in capsys.readouterr().out


def test_programs_read_the_same_as_json(server: Scripted, ended, capsys) -> None:
    assert ended(server.url + "?key=secret", "-o", "json", "--no-health") == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report) == ["url", "passed", "status", "protocol_version", "server", "tools", "checks"]
    assert (report["url"], report["passed"], report["status"]) == (server.url, True, 0)
    assert report["checks"][-1] == {
        "check": "tools",
        "result": "passed",
        "status": 0,
        "detail": "1 offered, with valid names and schemas",
    }


@pytest.mark.parametrize("by", ["--token", "JHE_MCP_TOKEN"])
def test_a_token_of_any_server_is_taken_and_not_shown(server: Scripted, ended, monkeypatch, capsys, by: str) -> None:
    server.endpoint = Endpoint(token=TOKEN)
    if by == "JHE_MCP_TOKEN":
        monkeypatch.setenv(by, f"{TOKEN}\n")
    assert ended(server.url, *(["--token", TOKEN] if by == "--token" else [])) == 0
    assert TOKEN not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["http://localhost/mcp", "--args", "[1]"], "--args must be a JSON object"),
        (["http://localhost/mcp", "--args", "{"], "--args must be a JSON object"),
        (["http://localhost/mcp", "--timeout", "0"], "--timeout is in seconds"),
        (["http://localhost/mcp", "--timeout", "nan"], "--timeout is in seconds"),
        (["localhost/mcp"], "URL must be"),
        (["https://me:secret@localhost/mcp"], "URL must be"),
        (["http://localhost/mcp", "--token", "one two"], "The token holds a character"),
        (["http://localhost/mcp", "--token", "one\r\nX-Other: two"], "The token holds a character"),
    ],
)
def test_a_command_line_that_cannot_be_meant_ends_it_with_2_and_a_sentence(
    ended, capsys, arguments: list[str], sentence: str
) -> None:
    assert ended(*arguments) == 2
    out, said = capsys.readouterr()
    assert (out, said[: len(sentence)]) == ("", sentence)
    assert "secret" not in said
    assert "two" not in said


def test_the_help_says_that_a_token_on_the_command_line_can_be_seen(ended, capsys) -> None:
    assert ended("--help") == 0
    assert "prefer $JHE_MCP_TOKEN" in " ".join(capsys.readouterr().out.split())


_NO_NAME_SERVER = """
import socket, sys, threading
socket.getaddrinfo = lambda *_, **__: threading.Event().wait()
sys.argv = ["mcp_server", "test", "https://mcp.example/mcp", "--timeout", "0.5"]
from mcp_server.__main__ import main
main()
"""


def test_a_name_server_that_never_answers_does_not_hold_it() -> None:
    command = [sys.executable, "-c", _NO_NAME_SERVER]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 1
    assert "no answer within 0.5 s" in done.stdout
