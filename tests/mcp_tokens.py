"""MCP tokens of personas, made as people make them."""

from typing import Any

from django.test import Client

from core.actions.mcp_tokens import create_token
from core.models import McpToken
from tests.personas import user_of


def made_for(name: str, **fields: Any) -> tuple[McpToken, Client]:
    """A persona's token, and Django's test client with it on every request; `fields` are those of `create_token`."""
    row, token = create_token(actor=None, door="command", user=user_of(name), **fields)
    return row, bearer(token)


def bearer(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)
