"""A tool call within a session of the 2025-11-25 revision, beside the SDK's echo within one.

Login, policy, query and audit are in ours and not in the echo; the same server options, one worker each.
"""

import json
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

from benchmarks.exchange import Measured, free_ports
from benchmarks.load import Generator, Request, request
from benchmarks.rounds import Effort
from benchmarks.tool_calls import CONNECTIONS, compare, echo_server, refuse_failures

VERSION = "2025-11-25"
ECHO = "the SDK's echo in a session, no login"
LIST_STUDIES = "list_studies in a session, all of that included"
GOALS = {LIST_STUDIES: 0.5}


def measure(measured: Measured, generator: Generator, effort: Effort) -> None:
    [sdk] = free_ports(1)
    with echo_server("stateful", sdk):
        requests = {
            ECHO: _in_sessions(sdk, "echo", {"text": "hello"}),
            LIST_STUDIES: _in_sessions(
                measured.exchange.mcp_port, "list_studies", {}, authorization=f"Bearer {measured.access_token}"
            ),
        }
        refuse_failures(generator, *(each for [each, *_] in requests.values()))
        compare("A tool call in a session", requests, ECHO, GOALS, generator, effort)


def _in_sessions(port: int, name: str, arguments: dict[str, Any], **headers: str) -> list[Request]:
    """One for each connection: a client has one request with an id under way, and so has its session."""
    call = _message("tools/call", {"name": name, "arguments": arguments}, 2)
    own = {**_headers(**headers), "mcp_protocol_version": VERSION}
    sessions = [open_session(port, **headers) for _ in range(CONNECTIONS)]
    return [request(port, "/mcp", call, **own, mcp_session_id=session) for session in sessions]


def open_session(port: int, **headers: str) -> str:
    """Its id. The client says who it is, and that it has understood."""
    client = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "benchmark", "version": "1"}}
    session = _posted(port, _message("initialize", client, 1), **headers)
    if session is None:
        raise RuntimeError(f"The server on port {port} keeps no sessions.")
    _posted(
        port,
        _message("notifications/initialized"),
        **headers,
        mcp_session_id=session,
        mcp_protocol_version=VERSION,
    )
    return session


def _posted(port: int, body: bytes, **headers: str) -> str | None:
    named = {name.replace("_", "-"): value for name, value in _headers(**headers).items()}
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("POST", "/mcp", body, named)
        answer = connection.getresponse()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{answer.status}: {answer.read().decode()}")
        return answer.headers.get("Mcp-Session-Id")


def _headers(**others: str) -> dict[str, str]:
    return {"content_type": "application/json", "accept": "application/json, text/event-stream", **others}


def _message(method: str, params: dict[str, Any] | None = None, number: int | None = None) -> bytes:
    members = {"id": number, "params": params}
    given = {name: value for name, value in members.items() if value is not None}
    return json.dumps({"jsonrpc": "2.0", "method": method, **given}).encode()
