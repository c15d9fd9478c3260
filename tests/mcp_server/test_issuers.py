"""Several authorization servers side by side: a token is checked by its own issuer's keys and rules, and no other's."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from oauth2_provider.models import AccessToken

from core.policy.errors import NotAuthenticated
from mcp_server.auth.issuers import Issuer
from mcp_server.auth.verifier import Verifier
from mcp_server.settings import Exchange, HttpService, load
from tests import tokens
from tests.factories import MembershipFactory
from tests.mcp_server.conftest import KeyServer, serving
from tests.mcp_server.service import called, served

OTHER = "https://old-address.example"
OTHER_KEY = "the other issuer's"
WRONG_SIGNATURE = "The token's signature is wrong."
OTHER_RESOURCE = "The token is meant for another resource."


@pytest.fixture
def other() -> Iterator[KeyServer]:
    """Another authorization server. Its key has the same id, and is another one."""
    with serving() as server:
        server.keys = tokens.jwks(name=OTHER_KEY)
        yield server


Verifying = Callable[..., Verifier]


@pytest.fixture
def verifying(issuer: KeyServer, other: KeyServer) -> Verifying:
    """A verifier for both issuers; what is given are the rules of the other one."""

    def verifier(**rules: Any) -> Verifier:
        return Verifier.of(settings_for(issuer, other, **rules))

    return verifier


def settings_for(issuer: KeyServer, other: KeyServer, **rules: Any) -> HttpService:
    return HttpService(
        database_url="postgresql://nobody@127.0.0.1:1/nowhere",
        issuer=tokens.ISSUER,
        given_url=tokens.RESOURCE,
        given_issuers=(
            Issuer(issuer=tokens.ISSUER, jwks_url=issuer.jwks_url, trusted_client_ids={tokens.STDIO_CLIENT}),
            Issuer(**{"issuer": OTHER, "jwks_url": other.jwks_url, **rules}),
        ),
        pool_wait=0.5,
    )


def token_of_other(*, typ: str = "at+jwt", **changes: Any) -> str:
    claims = tokens.access_claims if typ == "at+jwt" else tokens.id_claims
    return tokens.signed(claims(iss=OTHER, **changes), key=tokens.rsa_key(OTHER_KEY), typ=typ)


async def refusal(verifier: Verifier, token: str) -> str:
    with pytest.raises(NotAuthenticated) as refused:
        await verifier.verify(token)
    return str(refused.value)


async def test_tokens_of_both_are_accepted_and_say_whose_they_are(verifying: Verifying) -> None:
    verifier = verifying()
    assert (await verifier.verify(tokens.access_token())).issuer == tokens.ISSUER
    assert (await verifier.verify(token_of_other())).issuer == OTHER


async def test_the_keys_of_one_verify_no_tokens_of_another_though_the_key_ids_are_the_same(
    verifying: Verifying,
) -> None:
    verifier = verifying()
    assert (
        await refusal(verifier, tokens.signed(tokens.access_claims(), key=tokens.rsa_key(OTHER_KEY))) == WRONG_SIGNATURE
    )
    assert await refusal(verifier, tokens.signed(tokens.access_claims(iss=OTHER))) == WRONG_SIGNATURE


async def test_only_the_issuer_that_a_token_names_is_asked_for_keys(
    verifying: Verifying, issuer: KeyServer, other: KeyServer
) -> None:
    verifier = verifying()
    await verifier.verify(token_of_other())
    assert (issuer.asked, other.asked) == (0, 1)


@pytest.mark.parametrize("iss", ["https://evil.example", OTHER + "/", OTHER.upper(), "", tokens.ISSUER + " "])
async def test_an_issuer_that_is_not_configured_is_refused_and_nothing_is_fetched(
    verifying: Verifying, issuer: KeyServer, other: KeyServer, iss: str
) -> None:
    assert await refusal(verifying(), tokens.access_token(iss=iss)) == "The token comes from another issuer."
    assert (issuer.asked, other.asked) == (0, 0)


@pytest.mark.parametrize("iss", [[tokens.ISSUER], {"a": 1}, 5, True])
async def test_an_issuer_that_is_no_text_is_refused(verifying: Verifying, issuer: KeyServer, iss: object) -> None:
    token = tokens.with_payload(tokens.access_token(), json.dumps(tokens.access_claims() | {"iss": iss}))
    assert await refusal(verifying(), token) == "This is not a token of this exchange."
    assert issuer.asked == 0


async def test_an_issuer_that_is_away_is_no_matter_for_the_others(verifying: Verifying, other: KeyServer) -> None:
    other.status = 500
    assert await verifying().verify(tokens.access_token())


async def test_the_audiences_of_one_issuer_are_not_those_of_another(verifying: Verifying) -> None:
    verifier = verifying(audiences={"jhe-mcp"})
    assert await verifier.verify(token_of_other(aud="jhe-mcp"))
    assert await refusal(verifier, token_of_other()) == OTHER_RESOURCE
    assert await refusal(verifier, tokens.access_token(aud="jhe-mcp")) == OTHER_RESOURCE


async def test_the_clients_that_one_issuer_is_trusted_with_are_not_those_of_another(verifying: Verifying) -> None:
    verifier = verifying(trusted_client_ids={"another-app"})
    assert await verifier.verify(token_of_other(typ="JWT", aud="another-app"))
    assert await refusal(verifier, token_of_other(typ="JWT")) == OTHER_RESOURCE
    assert await refusal(verifier, tokens.id_token(aud="another-app")) == OTHER_RESOURCE


async def test_a_kind_of_token_that_an_issuer_is_not_trusted_with_is_refused(verifying: Verifying) -> None:
    sentence = "Tokens of this kind are not accepted from this issuer."
    assert await refusal(verifying(), token_of_other(typ="JWT")) == sentence
    only_id_tokens = verifying(access_tokens=False, trusted_client_ids={tokens.STDIO_CLIENT})
    assert await refusal(only_id_tokens, token_of_other()) == sentence
    assert await only_id_tokens.verify(token_of_other(typ="JWT"))


async def test_an_algorithm_that_an_issuer_does_not_use_is_refused(verifying: Verifying) -> None:
    with_curve = tokens.signed(
        tokens.access_claims(iss=OTHER), key=tokens.ec_key(OTHER_KEY), kid="test-ec-key", alg="ES256"
    )
    assert await verifying().verify(with_curve)
    assert "must be signed with" in await refusal(verifying(algorithms={"RS256"}), with_curve)


async def test_the_leeway_is_each_issuers_own(verifying: Verifying) -> None:
    old = {"exp": int(tokens.time.time()) - 60}
    assert await verifying(leeway=120).verify(token_of_other(**old))
    assert await refusal(verifying(leeway=120), tokens.access_token(**old)) == "The token has expired."
    assert await refusal(verifying(leeway=0), token_of_other(**old)) == "The token has expired."


async def test_the_metadata_name_every_issuer_whose_access_tokens_are_accepted(
    issuer: KeyServer, other: KeyServer
) -> None:
    both = settings_for(issuer, other)
    one = settings_for(issuer, other, access_tokens=False, trusted_client_ids={tokens.STDIO_CLIENT})
    named = []
    for settings in (both, one):
        async with served(settings) as http:
            metadata = await http.get("http://localhost:8001/.well-known/oauth-protected-resource/mcp")
        named.append(metadata.json()["authorization_servers"])
    assert named == [[tokens.ISSUER, OTHER], [tokens.ISSUER]]


async def test_a_token_of_another_issuer_that_the_database_does_not_know_opens_nothing(
    issuer: KeyServer, other: KeyServer, settings: HttpService
) -> None:
    known = settings_for(issuer, other).model_copy(update={"database_url": settings.database_url, "pool_wait": 5})
    async with served(known) as http:
        response = await called(http, "get_study_count", token=token_of_other())
    assert response.status_code == 401
    assert "no longer stands" in response.headers["WWW-Authenticate"]


@pytest.fixture
def kept_token(transactional_db: None) -> str:
    """A token of the other issuer that the exchange's database lists."""
    user = MembershipFactory().practitioner.user
    token = tokens.signed(tokens.access_claims(user.pk, iss=OTHER), key=tokens.rsa_key(OTHER_KEY))
    hour = timezone.now() + timedelta(hours=1)
    AccessToken.objects.create(user=user, token=token, expires=hour, scope="openid mcp")
    return token


async def test_a_token_of_another_issuer_that_the_database_knows_is_answered(
    issuer: KeyServer, other: KeyServer, settings: HttpService, kept_token: str
) -> None:
    known = settings_for(issuer, other).model_copy(update={"database_url": settings.database_url, "pool_wait": 5})
    async with served(known) as http:
        response = await called(http, "get_study_count", token=kept_token)
    assert response.status_code == 200
    assert not response.json()["result"]["isError"]


TOML = """
[[issuers]]
issuer = "https://jhe.example.org"
jwks_url = "https://jhe.example.org/o/.well-known/jwks.json"
trusted_client_ids = ["jhe-mcp-stdio"]

[[issuers]]
issuer = "https://old.example.org"
jwks_url = "https://old.example.org/jwks"
audiences = ["https://mcp.example.org/mcp"]
algorithms = ["ES256"]
leeway = 10
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """A file of issuers, which the environment names."""
    monkeypatch.setenv("MCP_DATABASE_URL", "postgresql://jhe_mcp@/postgres")

    def write(name: str, content: str) -> Path:
        path = tmp_path / name
        path.write_text(content)
        monkeypatch.setenv("MCP_ISSUERS_FILE", str(path))
        return path

    return write


File = Callable[[str, str], Path]


def test_a_file_lists_the_issuers(file: File) -> None:
    file("issuers.toml", TOML)
    first, second = load(Exchange).issuers
    assert (first.issuer, first.trusted_client_ids) == ("https://jhe.example.org", {"jhe-mcp-stdio"})
    assert (second.algorithms, second.leeway, second.trusted_client_ids) == ({"ES256"}, 10, set())


def test_the_same_may_be_said_in_json(file: File) -> None:
    file("issuers.json", json.dumps({"issuers": [{"issuer": OTHER, "jwks_url": f"{OTHER}/jwks"}]}))
    assert [issuer.issuer for issuer in load(Exchange).issuers] == [OTHER]


ONE = '[[issuers]]\nissuer = "https://a.example"\njwks_url = "https://a.example/jwks"\n'


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("issuers.yaml", "", "MCP_ISSUERS_FILE: must be a file whose name ends in .json or .toml."),
        ("issuers.toml", "issuers = [", "MCP_ISSUERS_FILE: is not valid TOML: "),
        ("issuers.json", "{", "MCP_ISSUERS_FILE: is not valid JSON: "),
        ("issuers.json", "[" * 100_000, "MCP_ISSUERS_FILE: is not valid JSON: "),
        ("issuers.json", "[]", "MCP_ISSUERS_FILE: must hold one list, issuers, and nothing else."),
        ("issuers.toml", "issuer = 1", "MCP_ISSUERS_FILE: must hold one list, issuers, and nothing else."),
        ("issuers.toml", "issuers = []", "MCP_ISSUERS_FILE: names no issuer."),
        ("issuers.toml", ONE + ONE, "MCP_ISSUERS_FILE: names the issuer https://a.example twice."),
        ("issuers.toml", ONE.partition("jwks")[0], "MCP_ISSUERS_FILE: issuer 1: jwks_url: Field required."),
        ("issuers.toml", ONE + 'audience = "x"', "issuer 1: audience: Extra inputs are not permitted."),
        ("issuers.toml", ONE + 'algorithms = ["HS256"]', "issuer 1: algorithms.0: Input should be 'RS256' or 'ES256'."),
        ("issuers.toml", ONE + "algorithms = []", "issuer 1: algorithms: "),
        ("issuers.toml", ONE + "leeway = 3600", "issuer 1: leeway: Input should be less than or equal to 120."),
        ("issuers.toml", ONE + "access_tokens = false", "issuer 1: accepts no token: "),
        (
            "issuers.toml",
            ONE.replace("https://a.example/jwks", "file:///etc/passwd"),
            "jwks_url: must be an absolute URL",
        ),
    ],
)
def test_a_fault_in_the_file_ends_the_program_with_advice(file: File, name: str, content: str, advice: str) -> None:
    file(name, content)
    with pytest.raises(SystemExit) as ended:
        load(Exchange)
    assert advice in str(ended.value)
    assert str(ended.value).count("\n") == 0


def test_a_file_that_is_not_there_ends_the_program_with_advice(file: File) -> None:
    file("issuers.toml", "").unlink()
    with pytest.raises(SystemExit, match="MCP_ISSUERS_FILE: cannot be read \\(No such file or directory\\)"):
        load(Exchange)


@pytest.mark.parametrize("name", ["MCP_JWKS_URL", "MCP_TRUSTED_CLIENT_IDS"])
def test_issuers_are_said_in_one_place(file: File, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    file("issuers.toml", ONE)
    monkeypatch.setenv(name, "https://a.example/other")
    with pytest.raises(SystemExit, match="unset MCP_JWKS_URL and MCP_TRUSTED_CLIENT_IDS"):
        load(Exchange)
