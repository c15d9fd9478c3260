"""A client of a handshake revision, message by message, so that a test sees what goes over the wire."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx2

from tests import tokens

BOTH = "application/json, text/event-stream"


class Event(NamedTuple):
    id: str
    message: dict[str, Any]
    """Empty in an event without data."""
    retry: str


class Stream:
    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> Event:
        """Raises StopAsyncIteration when the stream is over."""
        fields: dict[str, str] = {}
        while True:
            line = await anext(self._lines)
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif "data" in fields:
                return Event(fields.get("id", ""), json.loads(fields["data"] or "{}"), fields.get("retry", ""))
            else:
                fields = {}

    async def rest(self) -> list[Event]:
        events = []
        while True:
            try:
                events.append(await self.next())
            except StopAsyncIteration:
                return events


class Client:
    """`url` can be changed on the way: the next request goes to another worker."""

    def __init__(self, http: httpx2.AsyncClient, url: str, token: str | None = None) -> None:
        self.http, self.url = http, url
        self.token = tokens.access_token() if token is None else token
        self.session_id: str | None = None
        self.version = "2025-11-25"

    def headers(self, **others: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": BOTH, "MCP-Protocol-Version": self.version}
        if self.session_id is not None:
            headers["Mcp-Session-Id"] = self.session_id
        return headers | others

    async def initialize(self, version: str = "2025-11-25", **capabilities: Any) -> httpx2.Response:
        self.version = version
        info = {"name": "test", "version": "1"}
        params = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": info}
        response = await self.post(request(0, "initialize", params))
        self.session_id = response.headers.get("Mcp-Session-Id")
        return response

    async def post(self, message: Any, **headers: str) -> httpx2.Response:
        return await self.http.post(f"{self.url}/mcp", json=message, headers=self.headers(**headers))

    async def call(self, tool: str, arguments: dict[str, Any] | None = None, **headers: str) -> httpx2.Response:
        return await self.post(call(1, tool, arguments), **headers)

    async def delete(self) -> httpx2.Response:
        return await self.http.delete(f"{self.url}/mcp", headers=self.headers())

    @asynccontextmanager
    async def streaming(self, message: dict[str, Any], **headers: str) -> AsyncIterator[Stream]:
        sent = self.headers(**headers)
        async with self.http.stream("POST", f"{self.url}/mcp", json=message, headers=sent) as response:
            yield Stream(response)

    @asynccontextmanager
    async def listening(self, after: str | None = None, **headers: str) -> AsyncIterator[Stream]:
        sent = self.headers(**headers) | ({} if after is None else {"Last-Event-ID": after})
        async with self.http.stream("GET", f"{self.url}/mcp", headers=sent) as response:
            yield Stream(response)


def request(request_id: int | str, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}


def notification(method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params or {}}


def call(request_id: int | str, tool: str, arguments: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    meta = {"progressToken": "token", **meta}
    return request(request_id, "tools/call", {"name": tool, "arguments": arguments or {}, "_meta": meta})


def text(message: dict[str, Any]) -> str:
    """What a tool answered."""
    answer: str = message["result"]["content"][0]["text"]
    return answer


def session_not_found(response: httpx2.Response) -> bool:
    return response.status_code == 404 and response.json()["error"]["message"].startswith("Session not found")
