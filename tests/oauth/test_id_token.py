"""ID tokens and userinfo (OpenID Connect Core)."""

import hashlib
from base64 import urlsafe_b64encode

import jwt
import pytest
from django.conf import settings
from django.test import Client
from oauth2_provider.models import AccessToken, Application, IDToken

from core.models import User
from core.policy.principal import UserType
from tests import personas
from tests.oauth import flow

ISSUERS_OWN = {"iss", "sub", "aud", "azp", "exp", "iat", "auth_time", "jti", "nonce", "at_hash", "scope"}
PERSONS = {"user_type", "user_id", "jhe_permissions"}


def id_claims(user: User, **changes: str) -> dict:
    return flow.verified(flow.tokens(user, **changes)["id_token"], "jhe-mcp-stdio")


def userinfo(token: str, **headers: str):
    return Client().get("/o/userinfo/", headers={"Authorization": f"Bearer {token}", **headers})


def test_an_id_token_says_who_logged_in_where_and_what_they_may(somebody: User) -> None:
    given = flow.tokens(somebody)
    claims = flow.verified(given["id_token"], "jhe-mcp-stdio")
    assert jwt.get_unverified_header(given["id_token"])["typ"] == "JWT"
    assert claims.keys() == ISSUERS_OWN | PERSONS
    assert (claims["iss"], claims["sub"], claims["nonce"]) == (settings.BASE_URL, str(somebody.pk), flow.NONCE)
    assert claims["aud"] == claims["azp"] == "jhe-mcp-stdio"
    assert claims["exp"] - claims["iat"] in range(3595, 3606)
    assert IDToken.objects.get(jti=claims["jti"]).access_token == AccessToken.objects.get()


def test_an_id_token_belongs_to_its_access_token(somebody: User) -> None:
    given = flow.tokens(somebody)
    digest = hashlib.sha256(given["access_token"].encode()).digest()[:16]
    assert flow.verified(given["id_token"], "jhe-mcp-stdio")["at_hash"] == urlsafe_b64encode(digest).decode().rstrip(
        "="
    )


def test_the_permissions_are_those_of_the_access_token(somebody: User) -> None:
    given = flow.tokens(somebody)
    access = flow.verified(given["access_token"], settings.MCP_URL)
    identity = flow.verified(given["id_token"], "jhe-mcp-stdio")
    assert {name: access[name] for name in PERSONS} == {name: identity[name] for name in PERSONS}


def test_a_patients_id_token_has_no_permissions(demo_world: None) -> None:
    claims = id_claims(personas.user_of("ll_patient_peter"))
    assert claims["user_type"] == UserType.PATIENT
    assert "jhe_permissions" not in claims


@pytest.mark.parametrize(
    ("scope", "more"),
    [("openid email", {"email"}), ("openid profile", {"name", "given_name", "family_name"})],
)
def test_name_and_address_are_for_those_who_asked_for_them(somebody: User, scope: str, more: set[str]) -> None:
    User.objects.filter(pk=somebody.pk).update(first_name="Mary", last_name="Manager")
    assert id_claims(somebody, scope=scope).keys() == ISSUERS_OWN | PERSONS | more


def test_a_name_that_nobody_gave_is_left_out(db: None) -> None:
    nameless = User.objects.create_user("nameless@example.com")
    assert not id_claims(nameless, scope="openid profile").keys() & {"name", "given_name", "family_name"}


@pytest.mark.parametrize("scope", ["openid", "openid mcp"])
def test_an_id_token_says_what_was_granted(somebody: User, scope: str) -> None:
    assert id_claims(somebody, scope=scope)["scope"] == scope


@pytest.mark.parametrize("algorithm", ["", "HS256"])
def test_every_client_gets_rs256_however_it_is_registered(somebody: User, algorithm: str) -> None:
    Application.objects.update(algorithm=algorithm)
    assert id_claims(somebody)["sub"] == str(somebody.pk)


def test_userinfo_tells_the_same_as_the_id_token(somebody: User) -> None:
    given = flow.tokens(somebody, resource=None, scope="openid email")
    told = userinfo(given["access_token"]).json()
    claims = flow.verified(given["id_token"], "jhe-mcp-stdio")
    assert told.keys() == {"sub", "email"} | PERSONS
    assert told == {name: claims[name] for name in told}


def test_userinfo_takes_a_token_for_the_exchange_whatever_the_request_says_its_host_is(somebody: User) -> None:
    token = flow.tokens(somebody, resource=settings.BASE_URL)["access_token"]
    assert userinfo(token).status_code == userinfo(token, Host="127.0.0.1:9").status_code == 200


def test_userinfo_refuses_a_token_for_another_resource_whatever_the_request_says_its_host_is(somebody: User) -> None:
    token = flow.tokens(somebody)["access_token"]
    assert userinfo(token).status_code == userinfo(token, Host="localhost:8001").status_code == 401


@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
def test_userinfo_takes_no_other_token(somebody: User, kind: str) -> None:
    assert userinfo(flow.tokens(somebody, resource=None)[kind]).status_code == 401


@pytest.mark.parametrize("token", ["", "nonsense", "eyJhbGciOiJub25lIn0.e30.", "\x7f"])
def test_userinfo_refuses_what_is_no_token(db: None, token: str) -> None:
    assert userinfo(token).status_code == 401


def test_userinfo_refuses_a_token_without_openid(somebody: User) -> None:
    assert userinfo(flow.tokens(somebody, resource=None, scope="mcp")["access_token"]).status_code in (401, 403)


def test_userinfo_takes_no_token_from_the_url_or_from_a_form(somebody: User) -> None:
    token = {"access_token": flow.tokens(somebody, resource=None)["access_token"]}
    assert Client().get("/o/userinfo/", token).status_code == Client().post("/o/userinfo/", token).status_code == 401


def test_userinfo_refuses_the_token_of_a_deactivated_person(somebody: User) -> None:
    token = flow.tokens(somebody, resource=None)["access_token"]
    User.objects.filter(pk=somebody.pk).update(is_active=False)
    assert userinfo(token).status_code == 401
