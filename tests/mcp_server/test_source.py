"""Which address a call leaves in the audit trail, whatever its headers claim."""

import httpx2
import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from core.models import User
from mcp_server.settings import HttpService
from mcp_server.transports.http import http_app
from tests.factories import UserFactory
from tests.mcp_server.service import called, standing_token
from tests.mcp_server.trail import trail

PROXY = "172.16.0.1"


@pytest.fixture
def token(transactional_db: None) -> str:
    user: User = UserFactory()
    return standing_token(user)


async def source(settings: HttpService, token: str, headers: list[tuple[str, str]]) -> str:
    """What one call leaves when it comes from the proxy, behind uvicorn as `FORWARDED_ALLOW_IPS` sets it up."""
    app = http_app(settings)
    behind = ProxyHeadersMiddleware(app, trusted_hosts="172.16.0.0/12")  # type: ignore[arg-type]
    transport = httpx2.ASGITransport(behind, client=(PROXY, 1))  # type: ignore[arg-type]
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, headers=headers) as http,
    ):
        assert (await called(http, "get_study_count", token=token)).status_code == 200
    [row] = await trail(settings)
    return str(row["source"])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], PROXY),
        ([("X-Forwarded-For", "192.0.2.7")], "192.0.2.7"),
        ([("X-Forwarded-For", "203.0.113.9, 192.0.2.7")], "192.0.2.7"),  # the client's claim, then the proxy's word
        ([("X-Forwarded-For", "<script>")], ""),
        ([("X-Forwarded-For", "9" * 60_000)], ""),
        ([("X-Forwarded-For", "fe80::1%<script>")], "fe80::1"),
        ([("Fly-Client-IP", "203.0.113.9")], PROXY),
    ],
)
async def test_only_what_a_trusted_proxy_appended_counts(
    settings: HttpService, token: str, headers: list[tuple[str, str]], expected: str
) -> None:
    assert await source(settings, token, headers) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("Fly-Client-IP", "192.0.2.7")], "192.0.2.7"),
        ([("Fly-Client-IP", "192.0.2.7"), ("X-Forwarded-For", "203.0.113.9")], "192.0.2.7"),
        ([("X-Forwarded-For", "203.0.113.9")], ""),
        ([("Fly-Client-IP", "203.0.113.9"), ("Fly-Client-IP", "192.0.2.7")], ""),
        ([("Fly-Client-IP", "<script>")], ""),
        ([], ""),
    ],
)
async def test_the_header_of_the_proxy_counts_alone_where_it_is_named(
    settings: HttpService, token: str, headers: list[tuple[str, str]], expected: str
) -> None:
    behind_fly = settings.model_copy(update={"client_ip_header": "Fly-Client-IP"})
    assert await source(behind_fly, token, headers) == expected
