"""The checks in their order, within one deadline."""

from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client.auth.utils import extract_field_from_www_auth
from mcp.client.streamable_http import streamable_http_client
from mcp_types import PARSE_ERROR, CallToolRequest, CallToolRequestParams, CallToolResult, Tool
from pydantic import ValidationError

from core.policy.errors import InvalidInput
from mcp_server.auth.discovery import only_encrypted
from mcp_server.contract import door
from mcp_server.contract.report import Broken, Failed, Report, Status, Unreachable
from mcp_server.contract.tools import check_answer, check_tools, listed

_FAULTS = (Failed, MCPError, ValidationError, RuntimeError, httpx2.HTTPError, ExceptionGroup)
"""What comes of an endpoint that fails; the SDK raises it alone or in a group."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    url: str
    token: str | None = field(default=None, repr=False)
    tool: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    expected: tuple[str, ...] = ()
    timeout: float = 30
    """Seconds, for all of it."""
    with_health: bool = True


async def report_on(asked: Asked) -> Report:
    """Raises nothing for what an endpoint does, and takes no longer than `asked.timeout`."""
    run = _Run(asked)
    try:
        with anyio.fail_after(asked.timeout):
            await run.all()
    except TimeoutError:
        run.report.timed_out = True
        run.failed(Unreachable(f"no answer within {asked.timeout:g} s"))
    except _FAULTS as error:
        run.failed(error)
    return run.report


class _Run:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.report = Report(door.shown(asked.url), asked.token)
        self._at = "health"
        self._tools: dict[str, Tool] = {}
        self._answer: httpx2.Response | None = None
        """The endpoint's last."""

    def failed(self, error: Exception) -> None:
        """The check that runs now has failed."""
        why = self._why(error)
        self.report.add(self._at, why.status, str(why))

    async def all(self) -> None:
        async with httpx2.AsyncClient(timeout=None) as http:
            if self.asked.with_health:
                await self._check("health", door.health(http, self.asked.url))
            await self._check("challenge", door.challenge(http, self.asked.url))
        headers = {"Authorization": f"Bearer {self.asked.token}"} if self.asked.token else {}
        hooks = {"response": [self._remember]}
        async with (
            httpx2.AsyncClient(timeout=None, headers=headers, event_hooks=hooks) as http,
            AsyncExitStack() as end,
        ):
            client = Client(streamable_http_client(self.asked.url, http_client=http), cache=None)
            if await self._check("connect", self._connect(client, end)):
                await self._check("tools", self._list(client))
                if self.asked.tool is not None:
                    await self._check("call", self._call(client, self.asked.tool))

    async def _check(self, name: str, check: Awaitable[str]) -> bool:
        self._at = name
        try:
            self.report.add(name, Status.PASSED, await check)
        except _FAULTS as error:
            self.failed(error)
            return False
        return True

    async def _remember(self, response: httpx2.Response) -> None:
        if response.request.method == "POST":  # a server may have no stream to GET
            self._answer = response

    async def _connect(self, client: Client, end: AsyncExitStack) -> str:
        """The newest revision that both know: `server/discover`, or else the handshake."""
        if self.asked.token is not None:
            try:
                only_encrypted(self.asked.url)
            except InvalidInput as error:
                raise Unreachable(str(error)) from error
        await end.enter_async_context(client)
        self.report.protocol_version = client.protocol_version
        about = client.server_info
        self.report.server = {"name": about.name, "version": about.version} if about else None
        who = f"{about.name} {about.version}" if about else "a server without a name"
        return f"{who} speaks MCP {client.protocol_version}"

    async def _list(self, client: Client) -> str:
        if client.server_capabilities.tools is None and not self.asked.expected and self.asked.tool is None:
            return "it offers none"
        tools = await listed(client)
        self._tools = {tool.name: tool for tool in tools}
        self.report.tools = list(self._tools)
        return check_tools(tools, self.asked.expected)

    async def _call(self, client: Client, name: str) -> str:
        if name not in self._tools:
            raise Broken(f"{name} is not offered")
        request = CallToolRequest(params=CallToolRequestParams(name=name, arguments=self.asked.arguments))
        return check_answer(self._tools[name], await client.session.send_request(request, CallToolResult))

    def _why(self, error: BaseException) -> Failed:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, Failed):
            return error
        if isinstance(error, httpx2.HTTPError):
            return Unreachable(f"the connection failed: {error or type(error).__name__}")
        if self._answer is not None and _is_refusal(self._answer.status_code, connecting=self._at == "connect"):
            return Unreachable(_refused(self._answer))
        if isinstance(error, ValidationError):
            return Broken(f"a message is not as MCP {self.report.protocol_version or ''} has it: {_first(error)}")
        if isinstance(error, MCPError) and error.code == PARSE_ERROR:
            return Broken("what it answers is no message of MCP")
        if isinstance(error, MCPError | RuntimeError):
            return Broken(str(error))
        raise error


def _is_refusal(status: int, *, connecting: bool) -> bool:
    """No answer of MCP: 400 and, to a method that is not known, 404 can be one."""
    return status in (401, 403, 429) or status >= 500 or (connecting and status >= 300 and status != 400)


def _refused(answer: httpx2.Response) -> str:
    said = extract_field_from_www_auth(answer, "error_description") or ""
    asked = answer.status_code == httpx2.codes.UNAUTHORIZED and "Authorization" not in answer.request.headers
    return f"it answers {answer.status_code}{': ' * bool(said)}{said}" + (
        " (give it a token in JHE_MCP_TOKEN)" if asked else ""
    )


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
