"""prompts/list and prompts/get. They hold no data, so they are the same for everybody whose token stands."""

from typing import Any

import mcp_types as types
from mcp import MCPError
from mcp.server.context import ServerRequestContext

from core.policy.errors import InvalidInput
from mcp_server.backends import Backend
from mcp_server.features.answers import admitted, refused
from mcp_server.prompts import PROMPTS


class Prompts:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._listing = types.ListPromptsResult(prompts=[prompt.listed() for prompt in PROMPTS.values()])

    async def list(
        self, context: ServerRequestContext[Any], _: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        await admitted(self._backend, context)
        return self._listing

    async def get(
        self, context: ServerRequestContext[Any], params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        await admitted(self._backend, context)
        prompt = PROMPTS.get(params.name)
        if prompt is None:
            raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown prompt. There are: {', '.join(PROMPTS)}.")
        try:
            text = prompt.filled_in(params.arguments)
        except InvalidInput as error:
            raise refused(error) from None
        message = types.PromptMessage(role="user", content=types.TextContent(text=text))
        return types.GetPromptResult(description=prompt.description, messages=[message])
