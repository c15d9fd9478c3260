"""The HTTP door: who is let in, and what everybody else is told."""

import time
from collections.abc import Callable

import httpx2
import pytest
from starlette.responses import JSONResponse

from core.policy.errors import NotAuthenticated
from mcp_server.auth.bearer import BearerGuard
from mcp_server.auth.mcp_tokens import McpTokens
from mcp_server.auth.metadata import Resource, metadata_route
from mcp_server.auth.step_up import StepUp
from mcp_server.auth.tokens import Tokens
from mcp_server.auth.verifier import Verifier
from mcp_server.database import Database
from mcp_server.settings import HttpService
from tests import tokens
from tests.mcp_server.conftest import KeyServer
from tests.mcp_server.service import called, served

ORIGIN = "http://localhost:8001"
METADATA = f"{ORIGIN}/.well-known/oauth-protected-resource/mcp"
CHALLENGE = f'Bearer resource_metadata="{METADATA}", scope="mcp"'
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,mcp-method"}


async def test_a_request_without_a_token_is_told_where_to_get_one_and_not_that_one_was_wrong(
    settings_without_database: HttpService,
) -> None:
    async with served(settings_without_database) as http:
        response = await called(http, "get_study_count", token=None)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == CHALLENGE


@pytest.mark.parametrize("header", ["Basic bWFyeTpwdw==", "Bearer", "Bearer ", "bearer   ", "Token abc", ""])
async def test_what_is_no_bearer_token_counts_as_no_token(settings_without_database: HttpService, header: str) -> None:
    async with served(settings_without_database) as http:
        response = await called(http, "get_study_count", token=None, Authorization=header)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == CHALLENGE


async def test_a_wrong_token_is_told_why(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        response = await called(http, "get_study_count", token=tokens.access_token(aud="https://elsewhere.example"))
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == (
        f'{CHALLENGE}, error="invalid_token", error_description="The token is meant for another resource."'
    )
    assert response.json()["error"] == "invalid_token"


async def test_a_token_that_expires_while_it_is_kept_in_mind_is_answered_401(
    settings_without_database: HttpService, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tokens.access_token()
    async with served(settings_without_database) as http:
        assert (await called(http, "nothing", token=token)).status_code != 401
        later = time.time() + 3_631
        monkeypatch.setattr("mcp_server.auth.verifier.time.time", lambda: later)
        response = await called(http, "nothing", token=token)
    assert response.status_code == 401
    assert 'error="invalid_token", error_description="The token has expired."' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("scope", ["openid profile", "openid mcp.read", "", None])
@pytest.mark.parametrize("token", [tokens.access_token, tokens.id_token])
async def test_a_token_without_the_scope_is_told_which_scope_to_ask_for(
    settings_without_database: HttpService, token: Callable[..., str], scope: str | None
) -> None:
    async with served(settings_without_database) as http:
        response = await called(http, "get_study_count", token=token(scope=scope))
    assert response.status_code == 403
    assert response.headers["WWW-Authenticate"] == (
        f'{CHALLENGE}, error="insufficient_scope", error_description="The token lacks the scope mcp."'
    )


async def test_a_token_in_the_url_is_no_token(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        response = await http.post(f"{tokens.RESOURCE}?access_token={tokens.access_token()}", json={})
    assert response.status_code == 401
    assert "error=" not in response.headers["WWW-Authenticate"]


async def test_spaces_around_a_token_do_no_harm(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        response = await called(http, "nothing", token=None, Authorization=f"bearer   {tokens.access_token()}  ")
    assert response.status_code != 401


async def test_nobody_is_let_in_while_the_keys_cannot_be_had(
    settings_without_database: HttpService, issuer: KeyServer
) -> None:
    issuer.status = 500
    async with served(settings_without_database) as http:
        response = await called(http, "get_study_count", token=tokens.access_token())
    assert response.status_code == 503
    assert response.headers["Retry-After"]


async def test_the_addresses_told_come_from_the_settings_and_not_from_the_request(
    settings_without_database: HttpService,
) -> None:
    async with served(settings_without_database) as http:
        forwarded = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
        refused = await called(http, "get_study_count", token=None, **forwarded)
        metadata = await http.get(METADATA, headers=forwarded)
    assert "evil" not in refused.headers["WWW-Authenticate"]
    assert "evil" not in metadata.text


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"])
async def test_the_resource_says_what_it_is_at_both_well_known_places(
    settings_without_database: HttpService, path: str
) -> None:
    async with served(settings_without_database) as http:
        response = await http.get(f"{ORIGIN}{path}", headers={"Origin": "https://any.example"})
    assert response.json()["resource"] == tokens.RESOURCE
    assert response.json()["authorization_servers"] == [tokens.ISSUER]
    assert response.json()["scopes_supported"] == ["mcp"]
    assert response.json()["bearer_methods_supported"] == ["header"]
    assert response.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("public", [f"{ORIGIN}/mcp", f"{ORIGIN}/mcp/"])
@pytest.mark.parametrize("asked", [f"{ORIGIN}/mcp", f"{ORIGIN}/mcp/"])
async def test_a_client_finds_metadata_that_spell_the_resource_as_it_does(
    settings_without_database: HttpService, public: str, asked: str
) -> None:
    """RFC 9728 §3.3: it may believe no other. The token is for the one spelling that the authorization server knows."""
    settings = settings_without_database.model_copy(update={"given_url": public})
    async with served(settings) as http:
        refused = await http.post(asked, json={})
        named = refused.headers["WWW-Authenticate"].partition('resource_metadata="')[2].partition('"')[0]
        metadata = await http.get(named)
        at_the_root = await http.get(f"{ORIGIN}/.well-known/oauth-protected-resource")
        token = {"Authorization": f"Bearer {tokens.access_token(aud=public)}"}
        let_in = await http.post(asked, json={}, headers=token)
    assert metadata.json()["resource"] == asked
    assert at_the_root.json()["resource"] == public
    assert let_in.status_code == 400  # a body that says nothing


def test_another_endpoint_has_metadata_and_a_challenge_of_its_own() -> None:
    study = Resource(
        "https://mcp.example/studies/1/mcp", "https://mcp.example/studies/1/mcp", (tokens.ISSUER,), ("mcp",)
    )
    assert study.metadata_url == "https://mcp.example/.well-known/oauth-protected-resource/studies/1/mcp"
    assert study.document["resource"] == study.url
    assert metadata_route("/x", study).path == "/x"


async def test_the_guard_of_another_endpoint_names_its_metadata_and_takes_only_its_tokens(
    settings_without_database: HttpService,
) -> None:
    url = f"{ORIGIN}/studies/1/mcp"
    study = Resource(url, url, (tokens.ISSUER,), ("mcp",))
    database = Database.of(settings_without_database)
    guard = BearerGuard(
        JSONResponse({"let": "in"}),
        resource=study,
        tokens=Tokens(Verifier.of(settings_without_database), McpTokens(database, tokens.ISSUER)),
        step_up=StepUp({}),
        client_ip_header="",
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(guard)) as http:
        unasked = await http.post(url)
        answers = {
            aud: await http.post(url, headers={"Authorization": f"Bearer {tokens.access_token(aud=aud)}"})
            for aud in (url, tokens.RESOURCE, f"{ORIGIN}/studies/2/mcp")
        }
    assert f'resource_metadata="{study.metadata_url}"' in unasked.headers["WWW-Authenticate"]
    assert [answer.status_code for answer in answers.values()] == [200, 401, 401]


async def test_a_token_that_was_checked_for_one_endpoint_is_checked_again_for_another(
    settings_without_database: HttpService,
) -> None:
    verifier, token = Verifier.of(settings_without_database), tokens.access_token()
    assert await verifier.verify(token)
    with pytest.raises(NotAuthenticated, match="meant for another resource"):
        await verifier.verify(token, f"{ORIGIN}/studies/1/mcp")


async def test_the_service_says_that_it_is_alive_without_a_database_and_without_a_token(
    settings_without_database: HttpService,
) -> None:
    async with served(settings_without_database) as http:
        response = await http.get(f"{ORIGIN}/healthz")
    assert response.json() == {"status": "ok"}


@pytest.mark.parametrize("origin", ["http://localhost:6274", "http://127.0.0.1:3000", tokens.ISSUER, ORIGIN])
async def test_a_page_on_this_machine_or_of_the_exchange_may_call_from_a_browser(
    settings_without_database: HttpService, origin: str
) -> None:
    async with served(settings_without_database) as http:
        preflight = await http.options(tokens.RESOURCE, headers={"Origin": origin, **PREFLIGHT})
        refused = await called(http, "get_study_count", token=None, Origin=origin)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == origin
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    exposed = refused.headers["Access-Control-Expose-Headers"]
    assert "WWW-Authenticate" in exposed
    assert "Mcp-Session-Id" in exposed
    assert "Retry-After" in exposed


async def test_a_foreign_page_may_not_call_from_a_browser(settings_without_database: HttpService) -> None:
    foreign = {"Origin": "https://evil.example"}
    async with served(settings_without_database) as http:
        preflight = await http.options(tokens.RESOURCE, headers={**foreign, **PREFLIGHT})
        call = await called(http, "get_study_count", token=tokens.access_token(), **foreign)
    assert preflight.status_code == 400
    assert "Access-Control-Allow-Origin" not in call.headers
    assert call.status_code == 403


async def test_a_page_that_the_settings_name_may_call_from_a_browser(settings_without_database: HttpService) -> None:
    allowed = settings_without_database.model_copy(update={"allowed_origins": frozenset({"https://notes.example"})})
    async with served(allowed) as http:
        call = await called(http, "nothing", token=tokens.access_token(), Origin="https://notes.example")
    assert call.headers["Access-Control-Allow-Origin"] == "https://notes.example"


async def test_options_that_is_no_preflight_says_what_is_allowed(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        response = await http.options(tokens.RESOURCE)
    assert response.status_code == 204
    assert response.headers["Allow"] == "GET, POST, DELETE, OPTIONS"


@pytest.mark.parametrize("host", ["localhost:8001", "127.0.0.1:8001", "[::1]:9", "mcp.exchange.example"])
async def test_the_configured_host_and_this_machine_are_served(
    settings_without_database: HttpService, host: str
) -> None:
    public = settings_without_database.model_copy(update={"given_url": "https://mcp.exchange.example/mcp"})
    async with served(public) as http:
        token = tokens.access_token(aud="https://mcp.exchange.example/mcp")
        response = await called(http, "nothing", token=token, Host=host)
    assert response.status_code == 400
    assert "Unknown tool" in response.json()["error"]["message"]


async def test_another_host_is_not_served(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        response = await called(http, "nothing", token=tokens.access_token(), Host="rebound.example")
    assert response.status_code == 421


async def test_a_body_that_is_too_large_is_refused(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        response = await called(http, "nothing", {"x": "y" * 2_000_000}, token=tokens.access_token())
    assert response.status_code == 413


@pytest.mark.parametrize("path", ["/admin", "/mcp/x", "/mcp//", "/healthz/", "/.well-known/oauth-protected-resource/"])
async def test_another_path_is_not_found_and_leads_nowhere(settings_without_database: HttpService, path: str) -> None:
    async with served(settings_without_database) as http:
        response: httpx2.Response = await http.get(f"{ORIGIN}{path}", headers={"Host": "evil.example"})
    assert response.status_code == 404
    assert "Location" not in response.headers


@pytest.mark.parametrize("url", [f"{ORIGIN}/mcp", f"{ORIGIN}/mcp/", ORIGIN, f"{ORIGIN}/"])
@pytest.mark.parametrize("ending", ["", "/"])
async def test_a_final_slash_changes_nothing(settings_without_database: HttpService, url: str, ending: str) -> None:
    public = settings_without_database.model_copy(update={"given_url": url})
    async with served(public) as http:
        endpoint, evil = url.rstrip("/") + ending, {"Host": "evil.example"}
        refused = await http.post(endpoint, json={}, headers=evil)
        token = {"Authorization": f"Bearer {tokens.access_token(aud=url)}"}
        foreign = await http.post(endpoint, json={}, headers={**evil, **token})
    assert (refused.status_code, foreign.status_code) == (401, 421)
    assert "evil" not in refused.headers["WWW-Authenticate"]


async def test_the_endpoint_is_at_the_path_of_its_public_url(settings_without_database: HttpService) -> None:
    elsewhere = settings_without_database.model_copy(update={"given_url": f"{ORIGIN}/exchange/mcp"})
    async with served(elsewhere) as http:
        refused = await http.post(f"{ORIGIN}/exchange/mcp")
        metadata = await http.get(f"{ORIGIN}/.well-known/oauth-protected-resource/exchange/mcp")
    assert refused.status_code == 401
    assert metadata.json()["resource"] == f"{ORIGIN}/exchange/mcp"
