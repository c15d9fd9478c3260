"""Whose word is believed on where a request comes from, by the service as its command starts it."""

from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from mcp_server.settings import HttpService
from mcp_server.transports.serving import serve


@pytest.mark.parametrize(
    ("proxies", "address"),
    [(None, "127.0.0.1"), ("", "127.0.0.1"), ("10.0.0.0/8", "127.0.0.1"), ("127.0.0.1", "6.6.6.6")],
    ids=["no proxy is named", "none", "another one", "this one"],
)
async def test_an_address_that_is_told_is_believed_of_a_proxy_that_is_named_and_of_nobody_else(
    settings_without_database: HttpService, monkeypatch: pytest.MonkeyPatch, proxies: str | None, address: str
) -> None:
    monkeypatch.setenv("MCP_STATE_KEY", "k" * 64)
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    if proxies is not None:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", proxies)
    options: dict[str, Any] = {}
    monkeypatch.setattr(uvicorn, "run", lambda _, **given: options.update(given))
    serve(settings_without_database)
    seen = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope["client"][0])

    config = uvicorn.Config(app, **{**options, "factory": False, "workers": 1})
    config.load()
    scope: Any = {"type": "http", "client": ("127.0.0.1", 50_000), "headers": [(b"x-forwarded-for", b"6.6.6.6")]}
    await config.loaded_app(scope, None, None)
    assert seen == [address]
