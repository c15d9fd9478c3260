"""RFC 8693: an EHR's ID token becomes an access token here, once, for who a superuser said that is."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client as Browser
from oauth2_provider.models import AccessToken, Application, RefreshToken

from core.models import AuditEvent, FederatedIdentity, UsedAssertion, User
from core.oauth.token_exchange import ACCESS_TOKEN, GRANT_TYPE, ID_TOKEN
from jhe.issuers import trusted_issuers
from tests import tokens
from tests.factories import CodeFactory, PatientFactory, PatientIdentifierFactory, UserFactory
from tests.mcp_server.conftest import KeyServer, serving
from tests.oauth import flow

EHR = "https://ehr.example.org/fhir"
AUDIENCE = "exchange-at-the-ehr"
SUBJECT = "ehr-user-7"
_NO_SUCH = ...  # which looks the same in every process


@pytest.fixture(scope="module")
def ehr() -> Iterator[KeyServer]:
    """Where the EHR publishes its keys."""
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def trusted(ehr: KeyServer, settings: Any) -> None:
    settings.TRUSTED_ISSUERS = trusted_issuers(
        f'[{{"issuer": "{EHR}", "jwks_url": "{ehr.jwks_url}", "audience": "{AUDIENCE}", "clients": ["cohort-notebook"],'
        ' "scope": "patient/*.rs user/*.rs mcp"}]'
    )


@pytest.fixture
def peter(web_app: Application) -> User:
    """A patient whom the EHR knows."""
    user: User = PatientFactory(user=UserFactory()).user
    FederatedIdentity.objects.create(user=user, issuer=EHR, subject=SUBJECT)
    return user


def ehr_claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "iss": EHR,
        "sub": SUBJECT,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 300,
        "jti": str(uuid.uuid4()),
        "email": "an.address@example.com",
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not _NO_SUCH}


def ehr_token(**changes: Any) -> str:
    return tokens.signed(ehr_claims(**changes), typ="JWT")


def exchange(subject_token: str | None = None, /, **changes: Any) -> HttpResponse:
    request = {
        "grant_type": GRANT_TYPE,
        "client_id": "cohort-notebook",
        "client_secret": "a secret of the notebook",
        "subject_token": subject_token if subject_token is not None else ehr_token(),
        "subject_token_type": ID_TOKEN,
        **changes,
    }
    return Browser().post("/o/token/", {name: value for name, value in request.items() if value is not None})


def refusal(response: HttpResponse) -> tuple[str, str]:
    assert response.status_code in (400, 401), response.content
    said = response.json()
    assert not AccessToken.objects.exists()
    return said["error"], said.get("error_description", "")


def test_an_ehrs_id_token_becomes_an_access_token_of_the_person(peter: User) -> None:
    response = exchange(scope="patient/*.rs")
    assert response.status_code == 200, response.content
    said = response.json()
    assert said.keys() == {"access_token", "issued_token_type", "token_type", "expires_in", "scope"}
    assert (said["issued_token_type"], said["token_type"], said["scope"]) == (ACCESS_TOKEN, "Bearer", "patient/*.rs")
    browser = Browser(headers={"Authorization": f"Bearer {said['access_token']}"})
    patients = browser.get("/FHIR/R5/Patient").json()["entry"]
    assert [entry["resource"]["id"] for entry in patients] == [str(peter.patient.pk)]
    assert not RefreshToken.objects.exists()


def test_what_is_asked_for_by_default_is_all_that_is_given_for_the_issuer(peter: User) -> None:
    assert exchange().json()["scope"] == "patient/*.rs user/*.rs mcp"


@pytest.mark.parametrize("name", ["resource", "audience"])
def test_the_token_may_be_for_the_mcp_server(peter: User, name: str) -> None:
    token = exchange(scope="mcp", **{name: settings.MCP_URL}).json()["access_token"]
    claims = flow.verified(token, settings.MCP_URL)
    assert (claims["user_id"], claims["user_type"], claims["client_id"]) == (peter.pk, "patient", "cohort-notebook")


def test_a_scope_that_tells_observations_apart_narrows_the_token(peter: User) -> None:
    scope = "patient/Observation.rs?code=https://w3id.org/openmhealth|omh:heart-rate:2.0"
    CodeFactory(coding_code="omh:heart-rate:2.0")
    said = exchange(scope=scope).json()
    assert said["scope"] == scope
    assert AccessToken.objects.get().narrowing.codes.get().coding_code == "omh:heart-rate:2.0"


def test_es256_is_taken_too(peter: User) -> None:
    token = tokens.signed(ehr_claims(), typ="JWT", kid="test-ec-key", key=tokens.ec_key(), alg="ES256")
    assert exchange(token).status_code == 200


def test_the_exchange_is_in_the_audit_trail_and_a_refused_one_of_a_signed_token_too(peter: User) -> None:
    exchange()
    exchange(ehr_token(sub="somebody else"))
    rows = AuditEvent.objects.filter(action="token_exchange").order_by("pk")
    assert [(row.door, row.outcome, row.user_id, row.client_id) for row in rows] == [
        ("oauth", "success", peter.pk, "cohort-notebook"),
        ("oauth", "refused", None, "cohort-notebook"),
    ]


# Once


def test_a_token_is_exchanged_once(peter: User) -> None:
    token = ehr_token()
    assert exchange(token).status_code == 200
    AccessToken.objects.all().delete()
    assert "used before" in refusal(exchange(token))[1]


def test_another_token_with_the_same_jti_is_the_same(peter: User) -> None:
    assert exchange(ehr_token(jti="one")).status_code == 200
    AccessToken.objects.all().delete()
    assert "used before" in refusal(exchange(ehr_token(jti="one", exp=int(time.time()) + 200)))[1]


@pytest.mark.django_db(transaction=True)
def test_of_a_token_that_comes_many_times_at_once_one_is_exchanged(peter: User) -> None:
    token, ready = ehr_token(), Barrier(6, timeout=60)

    def send(_: int) -> int:
        ready.wait()
        try:
            return exchange(token).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(ready.parties) as clients:
        assert sorted(clients.map(send, range(ready.parties))) == [200] + [400] * 5
    assert AccessToken.objects.count() == 1


def test_a_refused_request_does_not_use_the_token_up(peter: User) -> None:
    token = ehr_token()
    assert refusal(exchange(token, scope="user/*.cruds"))[0] == "invalid_scope"
    assert exchange(token).status_code == 200


def test_what_was_used_is_forgotten_once_its_token_would_be_too_old(peter: User) -> None:
    exchange()
    UsedAssertion.objects.update(expires="2020-01-01T00:00:00Z")
    exchange()
    assert UsedAssertion.objects.count() == 1


def test_a_parameter_that_comes_twice_is_refused_whatever_it_says(peter: User) -> None:
    token = ehr_token()
    for name, values in {
        "subject_token": ["none", token],
        "subject_token_type": [ID_TOKEN, ID_TOKEN],
        "scope": ["patient/*.rs", "mcp"],
        "client_id": ["nobody", "cohort-notebook"],
        "grant_type": [GRANT_TYPE, GRANT_TYPE],
    }.items():
        error, sentence = refusal(exchange(token, **{name: values}))
        assert (error, sentence) == ("invalid_request", "Each parameter is sent once, except resource and audience.")
    assert exchange(token, resource=[settings.MCP_URL, settings.MCP_URL]).status_code == 200


def test_a_nul_is_refused_also_in_a_parameter_that_may_come_twice(peter: User) -> None:
    assert refusal(exchange(resource=["\0", settings.MCP_URL]))[0] == "invalid_request"


# Whom it is for


def test_nobody_is_found_by_e_mail_or_by_a_patients_identifier(peter: User) -> None:
    PatientIdentifierFactory(patient=peter.patient, system=EHR, value="written by others")
    for subject in ("written by others", peter.email, str(peter.pk), "", " "):
        assert refusal(exchange(ehr_token(sub=subject)))[0] == "invalid_request"


def test_somebody_who_is_deactivated_is_refused(peter: User) -> None:
    User.objects.filter(pk=peter.pk).update(is_active=False)
    assert "nobody here" in refusal(exchange())[1]


def test_the_same_subject_of_another_issuer_is_somebody_else(peter: User, settings: Any, ehr: KeyServer) -> None:
    other = trusted_issuers(
        f'[{{"issuer": "https://other.example.org", "jwks_url": "{ehr.jwks_url}", "audience": "{AUDIENCE}",'
        ' "clients": ["cohort-notebook"]}]'
    )
    settings.TRUSTED_ISSUERS = {**settings.TRUSTED_ISSUERS, **other}
    assert "nobody here" in refusal(exchange(ehr_token(iss="https://other.example.org")))[1]


# What the token must be


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example.org"},
        {"iss": f"{EHR}/"},
        {"iss": _NO_SUCH},
        {"aud": "another-client"},
        {"aud": _NO_SUCH},
        {"aud": []},
        {"aud": [AUDIENCE, "another-client"]},
        {"aud": [AUDIENCE, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"azp": None},
        {"azp": ""},
        {"exp": 1},
        {"exp": _NO_SUCH},
        {"exp": "soon"},
        {"exp": 10**30},
        {"exp": float("inf")},
        {"iat": _NO_SUCH},
        {"iat": 4_000_000_000},
        {"iat": 1},
        {"iat": "1"},
        {"iat": True},
        {"nbf": 4_000_000_000},
        {"sub": _NO_SUCH},
        {"sub": 7},
        {"sub": "\0"},
        {"sub": "\ud800"},
        {"jti": _NO_SUCH},
        {"jti": ""},
        {"jti": 7},
        {"jti": "\0"},
        {"jti": "\udfff"},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(peter: User, changes: dict[str, Any]) -> None:
    error, sentence = refusal(exchange(ehr_token(**changes)))
    assert error == "invalid_request"
    assert sentence.startswith("The subject_token is none that is taken here: ")


def test_a_token_for_several_parties_is_taken_when_it_was_issued_to_this_one(peter: User) -> None:
    assert exchange(ehr_token(aud=[AUDIENCE, "another-client"], azp=AUDIENCE)).status_code == 200


def test_a_token_that_is_signed_wrong_is_refused(peter: User) -> None:
    public = tokens.rsa_key().public_key()
    pem = public.public_bytes(*_pem())
    own_jwk = tokens.jwks()["keys"][0] | {"kid": "mine"}
    wrong = [
        tokens.signed(ehr_claims(), typ="JWT", key=tokens.rsa_key("stranger")),
        tokens.signed(ehr_claims(), typ="JWT", kid="unknown"),
        tokens.signed(ehr_claims(), typ="JWT", kid=None),
        tokens.signed(ehr_claims(), typ="JWT", alg="RS512"),
        tokens.signed(ehr_claims(), typ="at+jwt"),
        tokens.signed(ehr_claims(), typ="JWT", key=tokens.rsa_key("stranger"), kid="mine", jwk=own_jwk),
        tokens.signed(ehr_claims(), typ="JWT", key=tokens.rsa_key("stranger"), kid="mine", jku="https://evil.example"),
        jwt.encode(ehr_claims(), "", algorithm="none", headers={"kid": tokens.KID}),
        _hs256(pem),
        ehr_token() + "x",
        ehr_token().rpartition(".")[0] + ".",
        "a.b.c",
        "",
        "x" * 20_000,
        "\0",
    ]
    for token in wrong:
        assert refusal(exchange(token))[0] == "invalid_request"


def _pem() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return Encoding.PEM, PublicFormat.SubjectPublicKeyInfo


def _hs256(secret: bytes) -> str:
    """The library refuses to sign with a public key, as an attacker would."""
    import base64
    import hashlib
    import hmac
    import json

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    signed = f"{part(json.dumps({'alg': 'HS256', 'typ': 'JWT', 'kid': tokens.KID}).encode())}."
    signed += part(json.dumps(ehr_claims()).encode())
    return f"{signed}.{part(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


# Who may ask, and how


def test_a_client_that_the_issuer_was_not_told_of_is_refused(peter: User, settings: Any, ehr: KeyServer) -> None:
    settings.TRUSTED_ISSUERS = trusted_issuers(
        f'[{{"issuer": "{EHR}", "jwks_url": "{ehr.jwks_url}", "audience": "{AUDIENCE}", "clients": ["another"]}}]'
    )
    assert refusal(exchange())[0] == "unauthorized_client"


@pytest.mark.parametrize(
    "changes", [{"client_secret": "wrong"}, {"client_secret": None}, {"client_id": "nobody"}, {"client_id": None}]
)
def test_a_client_that_does_not_show_its_secret_is_refused(peter: User, changes: dict[str, Any]) -> None:
    assert refusal(exchange(**changes))[0] == "invalid_client"


def test_a_public_client_is_refused_though_it_is_named(peter: User) -> None:
    Application.objects.filter(client_id="cohort-notebook").update(client_type=Application.CLIENT_PUBLIC)
    assert refusal(exchange())[0] == "invalid_client"
    assert refusal(exchange(client_secret=None))[0] == "invalid_client"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"subject_token_type": None}, "invalid_request"),
        ({"subject_token_type": ACCESS_TOKEN}, "invalid_request"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
        ({"actor_token": "x", "actor_token_type": ID_TOKEN}, "invalid_request"),
        ({"resource": "https://evil.example.org"}, "invalid_target"),
        ({"audience": "some-service"}, "invalid_target"),
        ({"scope": "user/*.cruds"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "offline_access"}, "invalid_scope"),
        ({"scope": "system/*.rs"}, "invalid_scope"),
        ({"scope": "launch/patient"}, "invalid_scope"),
    ],
    ids=str,
)
def test_what_is_not_offered_is_refused_by_the_name_of_its_fault(
    peter: User, changes: dict[str, Any], error: str
) -> None:
    assert refusal(exchange(**changes))[0] == error


def test_an_id_token_of_this_exchange_is_none_of_a_trusted_issuer(peter: User) -> None:
    token = flow.tokens(peter, scope="openid")["id_token"]
    response = exchange(token)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_keys_that_cannot_be_fetched_are_our_trouble_and_nobody_comes_in(peter: User, settings: Any) -> None:
    with serving() as gone:
        url = gone.jwks_url
    settings.TRUSTED_ISSUERS = trusted_issuers(
        f'[{{"issuer": "{EHR}", "jwks_url": "{url}", "audience": "{AUDIENCE}", "clients": ["cohort-notebook"]}}]'
    )
    response = exchange()
    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": []}', b"<html>", b'{"keys": [{"kty": "RSA"}]}'])
def test_keys_that_are_none_are_our_trouble_too(peter: User, settings: Any, body: bytes) -> None:
    with serving() as broken:
        broken.body = body
        settings.TRUSTED_ISSUERS = trusted_issuers(
            f'[{{"issuer": "{EHR}", "jwks_url": "{broken.jwks_url}", "audience": "{AUDIENCE}",'
            ' "clients": ["cohort-notebook"]}]'
        )
        assert exchange().status_code in (400, 503)
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("nonsense", "cannot be read"),
        ("{}", "put it into a list"),
        ("[{]", "not JSON"),
        ("[{}]", "Field required"),
        (
            '[{"issuer": "http://ehr.example.org", "jwks_url": "https://x.org", "audience": "a", "clients": ["c"]}]',
            "https",
        ),
        ('[{"issuer": "https://ehr.org", "jwks_url": "ftp://x.org", "audience": "a", "clients": ["c"]}]', "https"),
        ('[{"issuer": "https://e.org?x", "jwks_url": "https://x.org", "audience": "a", "clients": ["c"]}]', "query"),
        ('[{"issuer": "https://e.org", "jwks_url": "https://x.org", "audience": "", "clients": ["c"]}]', "audience"),
        ('[{"issuer": "https://e.org", "jwks_url": "https://x.org", "audience": "a", "clients": []}]', "clients"),
        (
            '[{"issuer": "https://e.org", "jwks_url": "https://x.org", "audience": "a", "clients": ["c"],'
            ' "algorithms": ["HS256"]}]',
            "algorithms",
        ),
        (
            '[{"issuer": "https://e.org", "jwks_url": "https://x.org", "audience": "a", "clients": ["c"],'
            ' "scope": "system/*.rs"}]',
            "scope",
        ),
        (
            '[{"issuer": "https://e.org", "jwks_url": "https://x.org", "audience": "a", "clients": ["c"], "x": 9}]',
            "Extra inputs",
        ),
    ],
)
def test_a_setting_that_trusts_somebody_wrong_is_refused_with_what_is_wrong(said: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        trusted_issuers(said)


# Who says so


def test_a_superuser_says_who_a_subject_is_and_only_of_an_issuer_that_is_trusted(
    peter: User, admin_client: Browser
) -> None:
    add = "/admin/core/federatedidentity/add/"
    refused = admin_client.post(add, {"user": peter.pk, "issuer": f"{EHR}/", "subject": "x"})
    assert "none of JHE_TRUSTED_ISSUERS" in refused.content.decode()
    assert admin_client.post(add, {"user": peter.pk, "issuer": EHR, "subject": "x"}).status_code == 302
    assert exchange(ehr_token(sub="x")).status_code == 200
    taken = admin_client.post(add, {"user": peter.pk, "issuer": EHR, "subject": SUBJECT})
    assert "already exists" in taken.content.decode()
