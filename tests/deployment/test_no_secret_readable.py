"""No route, no page of the admin and no line of a log shows a secret, to whoever may open everything."""

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from oauth2_provider.models import Application
from pytest_django import DjangoDbBlocker

from core.actions.signing_keys import rotate
from core.models import SigningKey, User
from core.models.signing_key import Algorithm
from core.oauth import keys
from tests import personas
from tests.bearer import token_of
from tests.oauth import flow

CLIENT_SECRET = "the plain secret of a client that nobody is told"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HIDDEN_COLUMNS = [
    ("core.User", "password"),
    ("core.McpToken", "token_hash"),
    ("core.PatientInvitation", "token_hash"),
    ("core.SignUpCode", "code_hash"),
    ("core.SigningKey", "private"),
    ("oauth2_provider.Application", "client_secret"),
    ("oauth2_provider.AccessToken", "token_checksum"),
    ("oauth2_provider.RefreshToken", "token_checksum"),
    ("oauth2_provider.Grant", "code"),
    ("mfa.Authenticator", "data"),
    ("usersessions.UserSession", "session_key"),
    ("sessions.Session", "session_key"),
    ("sessions.Session", "session_data"),
]
EVERYTHING = "openid profile email mcp mcp_tokens user/*.cruds patient/*.cruds"
IDS = {"pk": "1", "id": "1", "object_id": "1", "client_id": "jhe-mcp-stdio", "app_label": "core"}


@dataclass(frozen=True)
class Exchange:
    superuser: Client
    """With a session, and on every request a bearer token for everything."""
    secrets: list[str] = field(repr=False)


@pytest.fixture(scope="module")
def of_this_file(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Exchange]:
    """Made once for this file and taken back after it."""
    with django_db_blocker.unblock(), transaction.atomic():
        personas.seed_demo_world()
        yield _with_one_of_each_secret()
        transaction.set_rollback(True)
    keys.look_again()


@pytest.fixture
def exchange(of_this_file: Exchange, db: None) -> Exchange:
    keys.look_again()
    return of_this_file


def _with_one_of_each_secret() -> Exchange:
    admin_user, mary = personas.user_of("admin"), personas.user_of("manager_mary")
    Application.objects.create(
        client_id="with-a-secret",
        client_secret=CLIENT_SECRET,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris="https://app.test.invalid/",
    )
    Authenticator.objects.create(user=mary, type=Authenticator.Type.TOTP, data={"secret": TOTP_SECRET})
    UserSession.objects.create(user=mary, ip="192.0.2.1", user_agent="-", session_key="k" * 32)
    signing = [rotate(algorithm, overlap=timedelta(hours=1)) for algorithm in Algorithm]
    given = flow.tokens(mary, scope="openid mcp")
    code = flow.code(mary)
    bearer = token_of(admin_user, scope=EVERYTHING)
    superuser = Client(headers={"Authorization": f"Bearer {bearer}"}, raise_request_exception=False)
    superuser.force_login(admin_user)
    return Exchange(
        superuser,
        [
            settings.SECRET_KEY,
            CLIENT_SECRET,
            TOTP_SECRET,
            code,
            bearer,
            *(given[kind] for kind in ("access_token", "refresh_token", "id_token")),
            *(part for key in [*signing, SigningKey.of_the_environment()] for part in _private_numbers(key)),
            *(line for line in settings.OAUTH2_PROVIDER["OIDC_RSA_PRIVATE_KEY"].splitlines() if "-----" not in line),
            *_hidden_values(),
        ],
    )


def _private_numbers(key: SigningKey) -> list[str]:
    both = key.key()
    assert both is not None
    return [value for name, value in json.loads(both.export_private()).items() if name in ("d", "p", "q")]


def _hidden_values() -> list[str]:
    held = {
        str(value)
        for label, column in HIDDEN_COLUMNS
        for value in apps.get_model(label)._default_manager.values_list(column, flat=True)
    }
    return [value for value in held if len(value) >= 16]


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """A path for every route there is, with something in each of its holes."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield _filled(path)


def _filled(route: str) -> str:
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda hole: IDS.get(hole[1], "1"), route)
    path = re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda hole: IDS.get(hole[1], "1"), path)
    return "/" + re.sub(r"[\^$\\]|\(\?:[^)]*\)\??|\.\*", "", path)


def shown(exchange: Exchange, path: str) -> list[int]:
    """Which of the secrets are in the answer: their numbers, so that a failing test tells none."""
    response = exchange.superuser.get(path)
    body = response.getvalue() if response.streaming else response.content
    text = body.decode(errors="replace") + str(response.headers)
    return [number for number, secret in enumerate(exchange.secrets) if secret in text]


def test_no_route_shows_a_secret(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    paths = sorted(set(routes(get_resolver().url_patterns)) - {"/admin/logout/"})
    assert len(paths) > 150
    assert {path: numbers for path in paths if (numbers := shown(exchange, path))} == {}
    logged = caplog.text
    assert [number for number, secret in enumerate(exchange.secrets) if secret in logged] == []


@pytest.mark.parametrize("model", sorted(admin.site._registry, key=lambda model: model._meta.label), ids=str)
def test_no_page_of_the_admin_shows_a_secret(exchange: Exchange, model) -> None:
    base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    paths = [reverse(f"{base}_changelist"), reverse(f"{base}_add")]
    for row in model._default_manager.all()[:3]:
        paths += [reverse(f"{base}_{page}", args=[row.pk]) for page in ("change", "history", "delete")]
    assert {path: numbers for path in paths if (numbers := shown(exchange, path))} == {}


@pytest.mark.parametrize(("label", "column"), [hidden for hidden in HIDDEN_COLUMNS if hidden[0] != "sessions.Session"])
def test_no_list_of_the_admin_can_be_asked_about_a_secret_letter_by_letter(
    exchange: Exchange, label: str, column: str
) -> None:
    model = apps.get_model(label)
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    for lookup in ("startswith", "regex", "gte", "exact"):
        assert exchange.superuser.get(path, {f"{column}__{lookup}": "a"}).status_code == 400


def test_a_fault_leaves_no_secret_in_the_log(
    exchange: Exchange, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("core.oauth.keys.signer", fail)
    monkeypatch.setattr("core.models.signing_key._unsealed", fail)
    user: User = personas.user_of("manager_mary")
    code = flow.code(user)
    refused = Client(raise_request_exception=False).post(
        "/o/token/",
        {
            "grant_type": "authorization_code",
            "client_id": "jhe-mcp-stdio",
            "code": code,
            "redirect_uri": flow.REDIRECT_URI,
            "code_verifier": flow.VERIFIER,
        },
    )
    assert refused.status_code == 500
    assert "a fault of ours" in caplog.text
    told = caplog.text + refused.content.decode()
    assert [number for number, secret in enumerate([*exchange.secrets, code, flow.VERIFIER]) if secret in told] == []
