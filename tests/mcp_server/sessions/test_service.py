"""Sessions in the service as it runs: with its guard, its tools and its database."""

import httpx2
import pytest
from oauth2_provider.models import AccessToken

from core.models import User
from mcp_server.sessions import streams
from mcp_server.settings import HttpService
from mcp_server.transports.http import http_app
from tests.factories import MembershipFactory
from tests.mcp_server.features.inbox import written
from tests.mcp_server.service import standing_token
from tests.mcp_server.sessions.client import Client, request
from tests.mcp_server.sessions.worker import listening


@pytest.fixture
def practitioner(transactional_db: None) -> User:
    return MembershipFactory().practitioner.user


async def test_a_practitioner_lists_studies_in_a_session_and_a_revoked_token_ends_what_it_opened(
    settings: HttpService, practitioner: User, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await written(lambda: standing_token(practitioner))
    monkeypatch.setattr(streams, "LOOK_SECONDS", 0.02)
    with_sessions = settings.model_copy(update={"sessions": True, "sse": True})
    async with listening(http_app(with_sessions)) as url:
        mary = Client(http, url, token)
        assert "Mcp-Session-Id" in (await mary.initialize()).headers
        asked = request(1, "tools/call", {"name": "list_studies", "arguments": {}})
        assert (await mary.post(asked)).json()["result"]["structuredContent"]["total"] == 0
        assert (await http.get(f"{url}/messages", headers=mary.headers())).status_code == 405
        async with mary.listening() as standalone:
            await standalone.next()
            async with http.stream("GET", f"{url}/sse", headers=mary.headers()) as old:
                lines = old.aiter_lines()
                assert await anext(lines) == "event: endpoint"
                await written(AccessToken.objects.filter(token=token).delete)
                assert await standalone.rest() == []
                assert not [line async for line in lines if line.startswith("event")]
        assert (await mary.post(asked)).status_code == 401
        session_id = mary.session_id
        again = mary.headers(**{"Last-Event-ID": "0.0"})
        refused = [
            await http.get(f"{url}/mcp", headers=again),
            await http.get(f"{url}/sse", headers=again),
            await mary.delete(),
            await mary.initialize(),
        ]
        assert [answer.status_code for answer in refused] == [401] * 4
        assert all("no longer stands" in answer.headers["WWW-Authenticate"] for answer in refused)
        mary.token = await written(lambda: standing_token(practitioner, nonce="another"))
        mary.session_id = session_id
        assert (await mary.post(asked)).status_code == 200
