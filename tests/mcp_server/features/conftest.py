"""Somebody at the server's resources, prompts, completions and subscriptions, through the SDK's own client."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import CompleteResult, PromptReference, ResourceTemplateReference
from mcp_types.version import LATEST_MODERN_VERSION

from core.models import User
from mcp_server.app import build_server
from tests.mcp_server.tools.conftest import Person, as_user, audit

__all__ = ["as_user", "audit"]

MODES = (LATEST_MODERN_VERSION, "legacy")


class Host:
    """What one person's host asks, in the revision of `mode`."""

    def __init__(self, person: Person, mode: str = LATEST_MODERN_VERSION) -> None:
        self.person = person
        self._mode = mode

    @asynccontextmanager
    async def connected(self, **options: Any) -> AsyncIterator[Client]:
        async with Client(build_server(self.person.backend), mode=self._mode, **options) as client:
            yield client

    def asked(self, ask: Callable[[Client], Awaitable[Any]]) -> Any:
        async def one() -> Any:
            async with self.connected() as client:
                return await ask(client)

        return self.person.run(one())

    def read(self, uri: str) -> dict[str, Any]:
        [contents] = self.asked(lambda client: client.read_resource(uri)).contents
        assert (contents.uri, contents.mime_type) == (uri, "application/json")
        body: dict[str, Any] = json.loads(contents.text)
        return body

    def refused(self, ask: Callable[[Client], Awaitable[Any]]) -> tuple[int, str]:
        """Code and sentence."""

        async def refused() -> tuple[int, str]:
            async with self.connected() as client:
                try:
                    answer = await ask(client)
                except MCPError as error:
                    return error.error.code, error.error.message
            raise AssertionError(f"It was answered: {answer}")

        return self.person.run(refused())  # type: ignore[no-any-return]

    def not_read(self, uri: str) -> tuple[int, str]:
        return self.refused(lambda client: client.read_resource(uri))

    def completed(self, ref: str, argument: str, value: str, **filled_in: str) -> CompleteResult:
        """`ref` is a URI template, or the name of a prompt."""
        reference = ResourceTemplateReference(uri=ref) if "://" in ref else PromptReference(name=ref)
        result: CompleteResult = self.asked(
            lambda client: client.complete(reference, {"name": argument, "value": value}, filled_in or None)
        )
        return result


@pytest.fixture
def host(as_user: Callable[[User], Person]) -> Callable[..., Host]:
    """`host(user)` asks as the user; `host(user, "legacy")` in a handshake revision."""
    return lambda user, mode=LATEST_MODERN_VERSION: Host(as_user(user), mode)
