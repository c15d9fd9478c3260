"""Which tokens become trusted claims. A refused token never says more than one sentence, and never repeats itself."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from core.policy.errors import NotAuthenticated, Unavailable
from mcp_server.auth.issuers import Issuer
from mcp_server.auth.verifier import MAX_CHARACTERS, IssuerVerifier, Verifier
from mcp_server.settings import HttpService
from tests import tokens
from tests.mcp_server.conftest import KeyServer


@pytest.fixture
def verifier(settings_without_database: HttpService) -> Verifier:
    return Verifier.of(settings_without_database)


async def refusal(verifier: Verifier, token: str) -> str:
    with pytest.raises(NotAuthenticated) as refused:
        await verifier.verify(token)
    assert token[:20] not in str(refused.value)
    return str(refused.value)


async def test_an_access_token_for_this_resource_is_accepted(verifier: Verifier) -> None:
    signed = await verifier.verify(tokens.access_token(10001))
    assert signed.principal.user_id == 10001
    assert signed.principal.scopes == {"openid", "mcp"}
    assert len(signed.token_key) == 64


async def test_a_token_signed_with_an_elliptic_curve_key_is_accepted(verifier: Verifier) -> None:
    token = tokens.signed(tokens.access_claims(), key=tokens.ec_key(), kid="test-ec-key", alg="ES256")
    assert (await verifier.verify(token)).principal.user_id == 10001


async def test_an_audience_among_others_is_accepted(verifier: Verifier) -> None:
    assert await verifier.verify(tokens.access_token(aud=[tokens.ISSUER, tokens.RESOURCE]))


async def test_an_id_token_of_the_trusted_client_is_accepted_and_found_by_its_jti(verifier: Verifier) -> None:
    claims = tokens.id_claims()
    signed = await verifier.verify(tokens.signed(claims, typ="JWT"))
    assert signed.token_key == claims["jti"]
    assert signed.principal.client_id == tokens.STDIO_CLIENT


async def test_a_verified_token_is_not_verified_again_and_no_key_is_asked_for(
    verifier: Verifier, issuer: KeyServer
) -> None:
    token = tokens.access_token()
    first = await verifier.verify(token)
    issuer.status = 500
    assert await verifier.verify(token) is first
    assert issuer.asked == 1


async def test_a_cached_token_is_refused_once_it_has_expired(
    verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tokens.access_token()
    await verifier.verify(token)
    later = time.time() + 3600 + 31
    monkeypatch.setattr(time, "time", lambda: later)
    assert await refusal(verifier, token) == "The token has expired."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [  # long before or after, because these are made when the tests are collected
        ({"exp": int(time.time()) - 31}, "The token has expired."),
        ({"nbf": int(time.time()) + 86_400}, "The token is not valid yet."),
        ({"iat": int(time.time()) + 86_400}, "The token is not valid yet."),
        ({"iss": "http://evil.example"}, "The token comes from another issuer."),
        ({"iss": tokens.ISSUER + "/"}, "The token comes from another issuer."),
        ({"aud": tokens.ISSUER}, "The token is meant for another resource."),
        ({"aud": tokens.RESOURCE + "/"}, "The token is meant for another resource."),
        ({"aud": tokens.STDIO_CLIENT}, "The token is meant for another resource."),
        *(({name: None}, f"The token lacks the claim {name}.") for name in ("exp", "iat", "iss", "aud", "sub")),
    ],
)
async def test_an_access_token_is_refused_with_the_reason(
    verifier: Verifier, changes: dict[str, Any], sentence: str
) -> None:
    assert await refusal(verifier, tokens.access_token(**changes)) == sentence


async def test_half_a_minute_of_wrong_clocks_is_forgiven(verifier: Verifier) -> None:
    assert await verifier.verify(tokens.access_token(exp=int(time.time()) - 5, iat=int(time.time()) - 100))
    assert await verifier.verify(tokens.access_token(nbf=int(time.time()) + 5))


async def test_an_id_token_of_another_client_is_refused(verifier: Verifier) -> None:
    assert await refusal(verifier, tokens.id_token(aud="some-app")) == "The token is meant for another resource."


async def test_an_id_token_for_several_clients_is_refused(verifier: Verifier) -> None:
    several = tokens.id_token(aud=[tokens.STDIO_CLIENT, "some-app"])
    assert await refusal(verifier, several) == "The ID token is meant for more than one client."
    foreign_party = tokens.id_token(azp="some-app")
    assert await refusal(verifier, foreign_party) == "The ID token is meant for more than one client."


async def test_an_id_token_that_cannot_be_found_again_is_refused(verifier: Verifier) -> None:
    assert await refusal(verifier, tokens.id_token(jti=None)) == "The token lacks the claim jti."


async def test_a_token_of_another_type_is_refused(verifier: Verifier) -> None:
    for typ in ("logout+jwt", "dpop+jwt"):
        token = tokens.signed(tokens.access_claims(), typ=typ)
        assert await refusal(verifier, token) == "This is neither an access token nor an ID token."


async def test_an_access_token_that_calls_itself_an_id_token_is_refused(verifier: Verifier) -> None:
    token = tokens.signed(tokens.access_claims(), typ="JWT")
    assert await refusal(verifier, token) == "The token is meant for another resource."


async def test_an_unsigned_token_is_refused(verifier: Verifier, issuer: KeyServer) -> None:
    for alg in ("none", "None", "NONE"):
        assert await refusal(verifier, _unsigned(alg)) == "Tokens must be signed with RS256 or ES256."
    assert issuer.asked == 0


async def test_a_public_key_used_as_a_shared_secret_signs_nothing(verifier: Verifier, issuer: KeyServer) -> None:
    public = tokens.rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    token = _hmac(public)
    assert await refusal(verifier, token) == "Tokens must be signed with RS256 or ES256."
    assert issuer.asked == 0


@pytest.mark.parametrize("alg", ["HS256", "RS384", "PS256", "ES384"])
async def test_an_algorithm_that_is_not_allowed_is_refused_before_any_key_is_asked_for(
    verifier: Verifier, issuer: KeyServer, alg: str
) -> None:
    _, payload, signature = tokens.access_token().split(".")
    changed = _encoded({"alg": alg, "typ": "at+jwt", "kid": tokens.KID})
    assert await refusal(verifier, f"{changed}.{payload}.{signature}") == "Tokens must be signed with RS256 or ES256."
    assert issuer.asked == 0


async def test_a_key_of_one_algorithm_does_not_serve_another(verifier: Verifier) -> None:
    _, payload, signature = tokens.access_token().split(".")
    changed = _encoded({"alg": "ES256", "typ": "at+jwt", "kid": tokens.KID})
    assert await refusal(verifier, f"{changed}.{payload}.{signature}") == "This is not a valid token."


async def test_a_token_signed_with_a_foreign_key_is_refused(verifier: Verifier) -> None:
    token = tokens.signed(tokens.access_claims(), key=tokens.rsa_key("somebody else"))
    assert await refusal(verifier, token) == "The token's signature is wrong."


async def test_a_changed_payload_is_refused(verifier: Verifier) -> None:
    header, _, signature = tokens.access_token(10001).split(".")
    payload = _encoded(tokens.access_claims(10002))
    assert await refusal(verifier, f"{header}.{payload}.{signature}") == "The token's signature is wrong."


@pytest.mark.parametrize("kid", ["unknown", "", "../../etc/passwd", "' OR 1=1 --", "http://evil.example/key", "\x00"])
async def test_a_key_id_is_looked_up_and_nothing_else(verifier: Verifier, kid: str) -> None:
    token = tokens.signed(tokens.access_claims(), kid=kid)
    assert await refusal(verifier, token) == "The token is signed with a key that the issuer does not have."


async def test_a_token_without_a_key_id_is_refused(verifier: Verifier, issuer: KeyServer) -> None:
    token = tokens.signed(tokens.access_claims(), kid=None)
    assert await refusal(verifier, token) == "The token does not name its key (kid)."
    assert issuer.asked == 0


async def test_keys_that_a_token_brings_along_are_ignored(verifier: Verifier, issuer: KeyServer) -> None:
    own = tokens.rsa_key("somebody else")
    brought = {
        "jku": "http://127.0.0.1:1/jwks.json",
        "x5u": "http://127.0.0.1:1/cert.pem",
        "jwk": json.loads(RSAAlgorithm.to_jwk(own.public_key())),
    }
    token = tokens.signed(tokens.access_claims(), key=own, **brought)
    assert await refusal(verifier, token) == "The token's signature is wrong."
    assert issuer.asked == 1


async def test_a_token_that_is_too_long_is_refused_unread(verifier: Verifier, issuer: KeyServer) -> None:
    assert await refusal(verifier, tokens.access_token(padding="x" * MAX_CHARACTERS)) == "The token is too long."
    assert issuer.asked == 0


@pytest.mark.parametrize("garbage", ["x", "a.b.c", "....", "é.é.é", "e30.e30.e30", "[]", "bnVsbA.e30.e30"])
async def test_what_is_no_token_is_refused(verifier: Verifier, garbage: str) -> None:
    with pytest.raises(NotAuthenticated):
        await verifier.verify(garbage)


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": None},
        {"user_id": "10001"},
        {"user_id": True},
        {"sub": "10002"},
        {"user_type": "admin"},
        {"jhe_permissions": {"studies": "all", "organizations": [], "truncated": False}},
        {"jhe_permissions": []},
    ],
)
async def test_claims_that_are_not_this_exchanges_make_nobody(verifier: Verifier, changes: dict[str, Any]) -> None:
    signed = await verifier.verify(tokens.signed(tokens.access_claims(10001) | changes))
    with pytest.raises(NotAuthenticated):
        _ = signed.principal


async def test_a_new_key_of_the_issuer_is_found(settings_without_database: HttpService, issuer: KeyServer) -> None:
    issuer.keys = tokens.jwks(rsa_kid="next-key")
    verifier = Verifier.of(settings_without_database)
    assert await verifier.verify(tokens.signed(tokens.access_claims(), kid="next-key"))


async def test_unknown_key_ids_do_not_hammer_the_issuer(verifier: Verifier, issuer: KeyServer) -> None:
    for number in range(20):
        await refusal(verifier, tokens.signed(tokens.access_claims(), kid=f"guess-{number}"))
    assert issuer.asked == 1


@pytest.mark.parametrize("keys", [{}, {"keys": []}, [], {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": tokens.KID}]}])
async def test_a_key_set_that_cannot_be_read_lets_nobody_in(verifier: Verifier, issuer: KeyServer, keys: Any) -> None:
    issuer.keys = keys
    with pytest.raises((Unavailable, NotAuthenticated)):
        await verifier.verify(tokens.access_token())


async def test_an_issuer_that_does_not_answer_lets_nobody_in_and_is_left_alone(
    verifier: Verifier, issuer: KeyServer
) -> None:
    issuer.status = 500
    for _ in range(5):
        with pytest.raises(Unavailable):
            await verifier.verify(tokens.access_token())
    assert issuer.asked == 1


async def test_while_the_issuer_is_left_alone_the_keys_at_hand_still_count(
    settings_without_database: HttpService, issuer: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.auth.keys._COOLDOWN_SECONDS", 0)
    verifier = Verifier.of(settings_without_database)
    await verifier.verify(tokens.access_token(10001))
    issuer.status = 500
    with pytest.raises(Unavailable):
        await verifier.verify(tokens.signed(tokens.access_claims(), kid="guess"))
    assert await verifier.verify(tokens.access_token(10002))


async def test_an_issuer_that_cannot_be_reached_lets_nobody_in() -> None:
    away = Issuer(issuer=tokens.ISSUER, jwks_url="http://127.0.0.1:1/jwks.json")
    verifier = Verifier(IssuerVerifier(away), resource=tokens.RESOURCE)
    with pytest.raises(Unavailable):
        await verifier.verify(tokens.access_token())


async def test_the_cache_of_verified_tokens_is_bounded(
    verifier: Verifier, issuer: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.auth.verifier.MAX_CACHED", 2)
    for user_id in (10001, 10002, 10003):
        await verifier.verify(tokens.access_token(user_id))
    assert len(verifier._verified) == 2


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _unsigned(alg: str) -> str:
    return f"{_encoded({'alg': alg, 'typ': 'at+jwt', 'kid': tokens.KID})}.{_encoded(tokens.access_claims())}."


def _hmac(secret: bytes) -> str:
    """PyJWT refuses to sign with a public key, so the attack is written out."""
    head = f"{_encoded({'alg': 'HS256', 'typ': 'at+jwt', 'kid': tokens.KID})}.{_encoded(tokens.access_claims())}"
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(head.encode(), secret)
    return f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
