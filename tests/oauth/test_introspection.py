"""Introspection (RFC 7662), for services that have a secret."""

import hashlib
import time
from base64 import b64encode
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.cache import caches
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import Application

from core.actions.narrowings import narrow
from core.authentication.throttles import WrongSecretsThrottle
from core.models import McpToken, OrganizationClient, ResourceServer, StudyClient, User
from tests.bearer import token_of
from tests.factories import MembershipFactory, StudyFactory
from tests.oauth import flow

CALLBACK = "https://notebook.example.org/callback"
SHOWN = "cohort-notebook:a secret of the notebook"


@pytest.fixture
def service(web_app: Application) -> Application:
    """The web app, which takes the exchange's tokens from others: an admin has said so."""
    ResourceServer.objects.create(application=web_app)
    return web_app


def introspect(token: str | None, client: str = SHOWN, **fields: str):
    credentials = b64encode(client.encode()).decode()
    data = fields if token is None else {"token": token, **fields}
    return Client().post("/o/introspect/", data, headers={"Authorization": f"Basic {credentials}"})


@pytest.mark.parametrize("resource", [settings.MCP_URL, settings.BASE_URL, None])
def test_a_resource_server_learns_what_a_token_is(somebody: User, service: Application, resource: str | None) -> None:
    response = introspect(flow.tokens(somebody, resource=resource)["access_token"])
    told = response.json()
    now = int(time.time())
    assert now - 60 <= told.pop("iat") <= now < told.pop("exp") <= now + 3_600
    assert told == {
        "active": True,
        "iss": settings.BASE_URL,
        "sub": str(somebody.pk),
        "scope": "openid mcp",
        "client_id": "jhe-mcp-stdio",
        "token_type": "Bearer",
        **({"aud": [resource]} if resource else {}),
    }
    assert "no-store" in response["Cache-Control"]


def test_it_costs_two_statements_and_no_password_hash(
    somebody: User, service: Application, django_assert_num_queries, monkeypatch
) -> None:
    token = flow.tokens(somebody)["access_token"]
    assert introspect(token).json()["active"]
    monkeypatch.setattr("django.contrib.auth.hashers.PBKDF2PasswordHasher.verify", None)
    monkeypatch.setattr("django.contrib.auth.hashers.MD5PasswordHasher.verify", None)
    with django_assert_num_queries(2):
        assert introspect(token).json()["active"]


def test_an_mcp_token_is_told_with_what_it_can_do(somebody: User, service: Application) -> None:
    token = "jhe_pat_" + "x" * 46
    row = McpToken.objects.create(
        user=somebody,
        token_hash=hashlib.sha256(token.encode()).hexdigest(),
        scope="user/*.rs",
        permissions=["study:read"],
        expires=timezone.now() + timedelta(days=1),
    )
    told = introspect(token).json()
    assert (told["active"], told["sub"], told["client_id"]) == (True, str(somebody.pk), f"mcp-token-{row.pk}")
    assert told["permissions"] == ["study:read"]
    row.revoked = timezone.now()
    row.save()
    assert introspect(token).json() == {"active": False}


def test_a_narrowed_token_says_which_studies_are_left(somebody: User, service: Application) -> None:
    organization = somebody.practitioner.memberships.get().organization
    study, _other = StudyFactory(organization=organization), StudyFactory(organization=organization)
    token = "jhe_pat_" + "y" * 46
    McpToken.objects.create(
        user=somebody,
        narrowing=narrow(somebody, studies=[study.pk]),
        token_hash=hashlib.sha256(token.encode()).hexdigest(),
        scope="user/*.rs",
        permissions=[],
        expires=timezone.now() + timedelta(days=1),
    )
    told = introspect(token).json()
    assert told["narrowing"] < 0
    assert told["jhe_permissions"] == {"studies": [study.pk], "truncated": False}
    MembershipFactory._meta.model.objects.all().delete()
    assert introspect(token).json()["jhe_permissions"]["studies"] == []


def test_a_client_that_is_no_resource_server_learns_about_its_own_tokens_alone(
    somebody: User, web_app: Application
) -> None:
    assert introspect(flow.tokens(somebody)["access_token"]).json() == {"active": False}
    assert introspect(token_of(somebody, application=web_app)).json()["active"]


@pytest.mark.parametrize("token", ["nonsense", "eyJhbGciOiJub25lIn0.e30.", "\0", "", "x" * 100_000])
def test_of_what_is_no_token_it_learns_only_that(service: Application, token: str) -> None:
    assert introspect(token).json() == {"active": False}


def test_the_token_of_a_deactivated_person_is_not_active(somebody: User, service: Application) -> None:
    token = flow.tokens(somebody)["access_token"]
    User.objects.filter(pk=somebody.pk).update(is_active=False)
    assert introspect(token).json() == {"active": False}


def test_a_token_that_has_run_out_is_not_active(somebody: User, service: Application) -> None:
    token = token_of(somebody, expires=timezone.now() - timedelta(minutes=1))
    assert introspect(token).json() == {"active": False}


@pytest.mark.parametrize("kind", ["id_token", "refresh_token"])
def test_only_access_tokens_are_told_about(somebody: User, service: Application, kind: str) -> None:
    assert introspect(flow.tokens(somebody)[kind]).json() == {"active": False}


@pytest.mark.parametrize(
    "client", ["cohort-notebook:wrong", "nobody:x", "jhe-mcp-stdio:", "cohort-notebook:", ":", "", "\0:x", "a" * 300]
)
def test_nobody_learns_anything_without_a_secret(somebody: User, service: Application, client: str) -> None:
    response = introspect(flow.tokens(somebody)["access_token"], client)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert response["WWW-Authenticate"].startswith("Basic ")


def test_a_public_client_never_asks_whatever_its_row_says(somebody: User, service: Application) -> None:
    Application.objects.update(client_type=Application.CLIENT_PUBLIC)
    assert introspect(flow.tokens(somebody)["access_token"]).status_code == 401


def test_a_client_may_show_its_secret_in_the_body(somebody: User, service: Application) -> None:
    token, (client_id, secret) = flow.tokens(somebody)["access_token"], SHOWN.split(":")
    data = {"token": token, "client_id": client_id, "client_secret": secret}
    assert Client().post("/o/introspect/", data).json()["active"]
    assert Client().post("/o/introspect/", {**data, "client_secret": "wrong"}).status_code == 401


def test_a_token_does_not_let_its_bearer_ask(somebody: User, service: Application) -> None:
    token = flow.tokens(somebody, resource=None)["access_token"]
    response = Client().post("/o/introspect/", {"token": token}, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401


def test_a_token_is_never_sent_in_the_url(somebody: User, service: Application) -> None:
    assert Client().get("/o/introspect/", {"token": flow.tokens(somebody)["access_token"]}).status_code == 405
    credentials = b64encode(SHOWN.encode()).decode()
    response = Client().post("/o/introspect/?token=x", headers={"Authorization": f"Basic {credentials}"})
    assert response.status_code == 400


def test_a_question_without_a_token_or_with_two_is_an_error_of_the_sender(service: Application) -> None:
    assert introspect(None).status_code == 400
    credentials = b64encode(SHOWN.encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    assert Client().post("/o/introspect/", {"token": ["a", "b"]}, headers=headers).status_code == 400


@pytest.mark.parametrize("source", ["dcr", "cimd"])
def test_a_client_that_registered_itself_is_never_a_resource_server_nor_a_studys(
    somebody: User, web_app: Application, source: str
) -> None:
    Application.objects.filter(pk=web_app.pk).update(registration_source=source)
    study = StudyFactory()
    for link in (
        ResourceServer(application=web_app),
        StudyClient(study=study, client=web_app),
        OrganizationClient(application=web_app, organization=study.organization),
    ):
        with pytest.raises(IntegrityError, match="registered itself"), transaction.atomic():
            link.save()


@pytest.mark.parametrize("hasher", ["pbkdf2_sha256", "md5"])
def test_a_secret_kept_the_slow_way_is_kept_the_fast_way_once_it_was_shown(
    somebody: User, service: Application, settings, hasher: str
) -> None:
    settings.PASSWORD_HASHERS = [*settings.PASSWORD_HASHERS, "django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    slow = make_password(SHOWN.split(":")[1], hasher=hasher)
    Application.objects.filter(pk=service.pk).update(client_secret=slow)
    assert introspect("x", "cohort-notebook:wrong").status_code == 401
    service.refresh_from_db()
    assert service.client_secret == slow
    assert introspect("x").status_code == 200
    service.refresh_from_db()
    assert service.client_secret.startswith("machine_hmac_sha256$")
    assert introspect("x").status_code == 200


def test_a_client_without_a_secret_does_not_get_in_with_an_empty_one(service: Application) -> None:
    Application.objects.filter(pk=service.pk).update(client_secret="")
    assert introspect("x", "cohort-notebook:").status_code == 401


def test_who_keeps_showing_a_wrong_secret_waits_and_others_do_not(service: Application) -> None:
    caches["process"].clear()
    answers = [introspect("x", "cohort-notebook:wrong").status_code for _ in range(31)]
    assert answers == [401] * 30 + [429]
    assert introspect("x", "another-client:wrong").status_code == 401
    assert introspect("x", "cohort-notebook:wrong", client_id="another-name").status_code == 429
    caches["process"].clear()
    assert introspect("x").status_code == 200


def test_who_shows_wrong_secrets_of_ever_other_clients_waits_too(
    service: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches["process"].clear()
    monkeypatch.setattr(WrongSecretsThrottle, "rate", "5/m")
    answers = [introspect("x", f"client-{n}:wrong", client_id="cohort-notebook").status_code for n in range(6)]
    assert answers == [401] * 5 + [429]
    caches["process"].clear()


def test_a_client_that_is_guessed_in_the_body_is_counted_whatever_the_header_says(service: Application) -> None:
    caches["process"].clear()
    guess = {"client_id": "cohort-notebook", "client_secret": "wrong"}
    answers = [introspect("x", f"client-{n}:wrong", **guess).status_code for n in range(31)]
    assert answers == [401] * 30 + [429]
    caches["process"].clear()
