"""What attackers try at the HTTP door, one test each: a refusal with its reason, and no token in the log."""

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from jwt.algorithms import RSAAlgorithm
from oauth2_provider.generators import generate_client_secret

from core.policy.mcp_tokens import new_token
from mcp_server.settings import HttpService
from tests import tokens
from tests.mcp_server.conftest import KeyServer
from tests.mcp_server.service import called, served

NOT_OURS = "This is not a token of this exchange."
NOT_OUR_CLAIMS = "The token does not carry this exchange's claims: log in again."


@pytest.fixture(autouse=True)
def _log_tells_nothing(caplog: pytest.LogCaptureFixture, sent: list[str]) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    logged = "\n".join(record.getMessage() for record in caplog.records)
    for token in sent:
        assert not any(part in logged for part in token.split(".") if len(part) > 20)


@pytest.fixture
def sent() -> list[str]:
    """Every token that the test has sent."""
    return []


@pytest.fixture
def refused(settings_without_database: HttpService, sent: list[str]) -> Any:
    """`await refused(token)`: why it is refused, with 401. The database, which is away, is never asked."""

    async def ask(token: str) -> str:
        sent.append(token)
        async with served(settings_without_database) as http:
            response = await called(http, "list_studies", token=token)
        assert response.status_code == 401
        challenge = response.headers["WWW-Authenticate"]
        assert 'error="invalid_token"' in challenge
        assert "resource_metadata=" in challenge
        assert token[:40] not in challenge + response.text
        sentence = challenge.partition('error_description="')[2].removesuffix('"')
        assert sentence == response.json()["error_description"].replace('"', "?")
        return str(sentence)

    return ask


def header(**changes: Any) -> dict[str, Any]:
    return {"alg": "RS256", "typ": "at+jwt", "kid": tokens.KID, **changes}


def forged(header: object, payload: object = None) -> str:
    """With a signature that fits nothing."""
    claims = tokens.access_claims() if payload is None else payload
    return f"{tokens.encoded(json.dumps(header))}.{tokens.encoded(json.dumps(claims))}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "alg", ["none", "None", "nOnE", "", None, "HS256", "HS512", "RS384", "PS256", "EdDSA", ["RS256"]]
)
async def test_another_algorithm(refused: Any, issuer: KeyServer, alg: Any) -> None:
    assert "must be signed with" in await refused(forged(header(alg=alg)))
    assert issuer.asked == 0


async def test_no_signature(refused: Any) -> None:
    head, payload, _ = tokens.access_token().split(".")
    assert await refused(f"{head}.{payload}.") in ("The token's signature is wrong.", "This is not a valid token.")


async def test_a_foreign_key(refused: Any) -> None:
    foreign = tokens.signed(tokens.access_claims(), key=tokens.rsa_key("attacker's"))
    assert await refused(foreign) == "The token's signature is wrong."


async def test_a_foreign_issuer(refused: Any, issuer: KeyServer) -> None:
    foreign = tokens.signed(tokens.access_claims(iss="https://evil.example"), key=tokens.rsa_key("attacker's"))
    assert await refused(foreign) == "The token comes from another issuer."
    assert issuer.asked == 0


@pytest.mark.parametrize("aud", ["https://elsewhere.example/mcp", tokens.ISSUER, "some-client", [tokens.ISSUER]])
async def test_an_access_token_meant_for_another_resource(refused: Any, aud: Any) -> None:
    assert await refused(tokens.access_token(aud=aud)) == "The token is meant for another resource."


async def test_an_id_token_of_a_client_that_is_not_trusted(refused: Any) -> None:
    assert await refused(tokens.id_token(aud="some-app")) == "The token is meant for another resource."


@pytest.mark.parametrize(
    "kid",
    ["../../../dev/null", "x' UNION SELECT 'k", "", "\x00", "kid\r\nX-Injected: 1", "k" * 9_000, "http://evil.example"],
)
async def test_a_key_id_that_is_more_than_a_name(refused: Any, issuer: KeyServer, kid: str) -> None:
    assert await refused(forged(header(kid=kid))) == "The token is signed with a key that the issuer does not have."
    assert issuer.asked == 1


@pytest.mark.parametrize("kid", [None, 5, True, ["test-key"], {"kid": "test-key"}])
async def test_a_key_id_that_is_no_text(refused: Any, issuer: KeyServer, kid: Any) -> None:
    assert await refused(forged(header(kid=kid))) == "The token does not name its key (kid)."
    assert issuer.asked == 0


async def test_a_key_that_the_token_brings_along(refused: Any, issuer: KeyServer) -> None:
    own = tokens.rsa_key("attacker's")
    for brought in (
        {"jku": issuer.jwks_url + "?evil"},
        {"x5u": "http://127.0.0.1:1/cert.pem"},
        {"x5c": ["MIIB"]},
        {"jwk": json.loads(RSAAlgorithm.to_jwk(own.public_key()))},
    ):
        foreign = tokens.signed(tokens.access_claims(), key=own, **brought)
        assert await refused(foreign) == "The token's signature is wrong."
    assert issuer.paths == {"/jwks.json"}


async def test_an_extension_that_is_critical(refused: Any) -> None:
    token = tokens.sealed(json.dumps(header(crit=["exp"], exp=1)), json.dumps(tokens.access_claims()))
    assert await refused(token) == "The token asks for extensions (crit) that are not known here."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exp": 1}, "The token has expired."),
        ({"exp": int(time.time()) + 86_400, "nbf": int(time.time()) + 80_000}, "The token is not valid yet."),
        ({"iat": int(time.time()) + 80_000}, "The token is not valid yet."),
        ({"exp": "tomorrow"}, "This is not a valid token."),
        ({"exp": [1]}, "This is not a valid token."),
        ({"exp": None}, "The token lacks the claim exp."),
        ({"iat": None}, "The token lacks the claim iat."),
        ({"aud": []}, "The token lacks the claim aud."),
        ({"sub": 10001}, "This is not a valid token."),
    ],
)
async def test_another_time_or_claims_that_are_not_there(refused: Any, changes: dict[str, Any], sentence: str) -> None:
    assert await refused(tokens.access_token(**changes)) == sentence


@pytest.mark.parametrize("number", ["1e400", "Infinity", "NaN", "9" * 5_000])
async def test_a_number_that_is_none(refused: Any, number: str) -> None:
    payload = json.dumps(tokens.access_claims(exp=0)).replace('"exp": 0', f'"exp": {number}')
    assert await refused(tokens.sealed(json.dumps(header()), payload)) in (NOT_OURS, "This is not a valid token.")


async def test_a_token_that_is_too_long(refused: Any, issuer: KeyServer) -> None:
    assert await refused(tokens.access_token(padding="x" * 20_000)) == "The token is too long."
    assert issuer.asked == 0


@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
async def test_a_header_that_says_a_thing_twice(refused: Any, name: str) -> None:
    twice = json.dumps(header())[:-1] + f', "{name}": "{header()[name]}"}}'
    assert await refused(tokens.sealed(twice, json.dumps(tokens.access_claims()))) == NOT_OURS


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "user_id", "scope"])
async def test_claims_that_say_a_thing_twice(refused: Any, name: str) -> None:
    claims = tokens.access_claims()
    twice = json.dumps(claims)[:-1] + f', "{name}": {json.dumps(claims[name])}}}'
    assert await refused(tokens.sealed(json.dumps(header()), twice)) == NOT_OURS


@pytest.mark.parametrize("deep", ["[" * 5_000 + "]" * 5_000, '{"a":' * 1_800 + "1" + "}" * 1_800, "[" * 9_000])
@pytest.mark.parametrize("part", ["header", "payload"])
async def test_json_that_is_too_deep(refused: Any, issuer: KeyServer, deep: str, part: str) -> None:
    texts = {"header": json.dumps(header()), "payload": json.dumps(tokens.access_claims()), part: f'{{"x": {deep}}}'}
    assert await refused(tokens.sealed(texts["header"], texts["payload"])) == NOT_OURS
    assert issuer.asked == 0


@pytest.mark.parametrize("payload", ["null", "[]", '"text"', "1", "", "\ufeff{}", "{", "\x00"])
async def test_claims_that_are_none(refused: Any, payload: str) -> None:
    assert await refused(tokens.sealed(json.dumps(header()), payload)) == NOT_OURS


@pytest.mark.parametrize(
    "token",
    [
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        "..",
        "....",
        "a b.c.d",
        "\x01.\x02.\x03",
        "a\tb",
        "%00",
        "=.=.=",
        "a.b.c=",
    ],
)
async def test_what_is_no_token(refused: Any, token: str) -> None:
    assert await refused(token)


@pytest.mark.parametrize("inserted", ["\n", " ", "=", "!"])
async def test_letters_that_decoders_skip(refused: Any, inserted: str) -> None:
    head, payload, signature = tokens.access_token().split(".")
    changed = f"{head}.{payload[:10]}{inserted}{payload[10:]}.{signature}"
    assert await refused(changed) == NOT_OURS


async def test_letters_that_are_not_ascii(settings_without_database: HttpService) -> None:
    async with served(settings_without_database) as http:
        for token in ("é.é.é", "jhe_pat_é", "\xa0", tokens.access_token() + "\xe9"):
            authorization = {"Authorization": f"Bearer {token}".encode("latin-1")}
            response = await http.post(tokens.RESOURCE, json={}, headers=authorization)
            assert response.status_code == 401
            assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


async def test_an_opaque_access_token_or_a_refresh_token(refused: Any) -> None:
    assert await refused(generate_client_secret()) == (
        f"Opaque access tokens are not accepted here: ask for one with resource={tokens.RESOURCE} (RFC 8707)."
    )


async def test_an_mcp_token_whose_checksum_is_wrong(refused: Any) -> None:
    token = new_token()
    mistyped = token[:-1] + ("a" if token[-1] != "a" else "b")
    assert await refused(mistyped) == "This is no MCP token: copy all of it."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"user_id": 10002}, "The token names two different people."),
        ({"sub": "10002"}, "The token names two different people."),
        ({"user_id": "10001"}, NOT_OUR_CLAIMS),
        ({"user_id": True, "sub": "True"}, NOT_OUR_CLAIMS),
        ({"user_id": 1.0, "sub": "1.0"}, NOT_OUR_CLAIMS),
        ({"user_id": -1, "sub": "-1"}, NOT_OUR_CLAIMS),
        ({"user_id": 0, "sub": "0"}, NOT_OUR_CLAIMS),
        ({"user_id": None}, NOT_OUR_CLAIMS),
        ({"user_type": "superuser"}, NOT_OUR_CLAIMS),
        ({"narrowing": 10002}, NOT_OUR_CLAIMS),
        ({"narrowing": 0}, NOT_OUR_CLAIMS),
        ({"narrowing": "-1"}, NOT_OUR_CLAIMS),
        ({"narrowing": [-1]}, NOT_OUR_CLAIMS),
        ({"jhe_permissions": "all"}, NOT_OUR_CLAIMS),
        ({"jhe_permissions": []}, NOT_OUR_CLAIMS),
        ({"jhe_permissions": {"studies": ["30001"], "organizations": [], "truncated": False}}, NOT_OUR_CLAIMS),
        ({"jhe_permissions": {"studies": [], "organizations": [{"id": 1}], "truncated": False}}, NOT_OUR_CLAIMS),
        ({"jhe_permissions": {"studies": [[30001]], "organizations": [], "truncated": False}}, NOT_OUR_CLAIMS),
    ],
)
async def test_claims_that_are_not_this_exchanges(refused: Any, changes: dict[str, Any], sentence: str) -> None:
    assert await refused(tokens.signed(tokens.access_claims(10001) | changes)) == sentence


@pytest.mark.parametrize("scope", [["mcp"], {"mcp": 1}, "MCP", "mcp.read", "xmcp", "mcp,openid"])
async def test_a_scope_that_is_not_the_one(settings_without_database: HttpService, scope: Any) -> None:
    async with served(settings_without_database) as http:
        response = await called(http, "list_studies", token=tokens.signed(tokens.access_claims() | {"scope": scope}))
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    assert 'scope="mcp"' in response.headers["WWW-Authenticate"]


async def test_two_authorization_headers(settings_without_database: HttpService, sent: list[str]) -> None:
    token = tokens.access_token()
    sent.append(token)
    async with served(settings_without_database) as http:
        for other in (f"Bearer {token}", "Basic bWFyeTpwdw==", ""):
            twice = [("Authorization", f"Bearer {token}"), ("Authorization", other)]
            response = await http.post(tokens.RESOURCE, json={}, headers=twice)
            assert response.status_code == 400
            assert 'error="invalid_request"' in response.headers["WWW-Authenticate"]


async def test_a_token_in_the_url_or_in_a_form(settings_without_database: HttpService, sent: list[str]) -> None:
    token = tokens.access_token()
    sent.append(token)
    async with served(settings_without_database) as http:
        answers = [
            await http.post(f"{tokens.RESOURCE}?access_token={token}", json={}),
            await http.get(f"{tokens.RESOURCE}?access_token={token}"),
            await http.post(tokens.RESOURCE, data={"access_token": token}),
            await http.post(tokens.RESOURCE, json={}, headers={"Cookie": f"access_token={token}"}),
            await http.post(tokens.RESOURCE, json={}, headers={"X-Authorization": f"Bearer {token}"}),
        ]
    assert [answer.status_code for answer in answers] == [401] * 5
    assert not any("error=" in answer.headers["WWW-Authenticate"] for answer in answers)


OPEN = {"/healthz", "/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"}
OPEN |= {"/.well-known/oauth-protected-resource/mcp/", "/readyz"}
PATHS = [
    "/", "/mcp", "/mcp/", "/mcp//", "//mcp", "/%6dcp", "/mcp%2f", "/mcp/.", "/mcp/../mcp", "/./mcp", "/mcp;x=1",
    "/MCP", "/healthz/../mcp", "/healthz/..%2fmcp", "/healthz%00", "/.well-known/../mcp", "/sse",
    "/messages", "/docs", "/openapi.json", "/metrics", "/studies/1/mcp",
    "/.well-known/oauth-authorization-server", *OPEN,
]  # fmt: skip
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "X"]


@pytest.mark.parametrize("extra", [{}, {"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_nothing_but_health_and_metadata_is_there_without_a_token(
    settings_without_database: HttpService, extra: dict[str, str]
) -> None:
    async with served(settings_without_database) as http:
        for path in PATHS:
            for method in METHODS:
                url = httpx2.URL("http://localhost:8001").copy_with(raw_path=path.encode())
                response = await http.request(method, url, headers=extra)
                allowed = {200, 204, 400, 404, 405} if method == "OPTIONS" or path in OPEN else {401, 404, 405}
                allowed |= {503} if path == "/readyz" else set()  # there is no database
                assert response.status_code in allowed, (method, path)
                assert "Location" not in response.headers
                assert "evil" not in str(response.headers.get("WWW-Authenticate"))
                if response.status_code == 401:
                    assert "resource_metadata=" in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
@pytest.mark.parametrize("padded", ["{} {}", " {}  {} ", "\t{} {}\t", "{} \t{}"])
async def test_the_scheme_is_read_in_any_case_and_spaces_do_no_harm(
    settings_without_database: HttpService, scheme: str, padded: str
) -> None:
    async with served(settings_without_database) as http:
        value = padded.format(scheme, tokens.access_token())
        response = await called(http, "nothing", token=None, Authorization=value)
    assert "Unknown tool" in response.text
