"""The token endpoint: codes and refresh tokens, once each, for the client and the person they were made for."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken

from core.models import User
from core.oauth import tokens as tokens_module
from core.oauth.claims import claims_of
from tests.factories import UserFactory
from tests.oauth import flow
from tests.oauth.flow import granted, stands

CALLBACK = "https://notebook.example.org/callback"


def test_a_code_gives_tokens_of_its_person_client_and_scope(somebody: User) -> None:
    given = flow.tokens(somebody)
    assert given.keys() == {"access_token", "refresh_token", "id_token", "token_type", "expires_in", "scope"}
    assert (given["token_type"], given["expires_in"], given["scope"]) == ("Bearer", 3600, "openid mcp")
    row = AccessToken.objects.get()
    assert (row.user, row.application.client_id, row.scope) == (somebody, "jhe-mcp-stdio", "openid mcp")
    assert row.resource == [settings.MCP_URL]
    assert all(stands(given[kind]) for kind in ("access_token", "id_token"))


def test_only_hashes_of_tokens_are_kept(somebody: User) -> None:
    flow.tokens(somebody)
    assert AccessToken.objects.get().token == RefreshToken.objects.get().token == ""


def test_both_tokens_stand_for_what_the_person_granted_and_no_more(somebody: User) -> None:
    given = flow.tokens(somebody, scope="openid")
    assert granted(given["access_token"]) == granted(given["id_token"]) == "openid"


def test_a_code_without_openid_gives_no_id_token(somebody: User) -> None:
    assert "id_token" not in flow.tokens(somebody, scope="mcp")


def test_the_answer_is_not_to_be_kept_by_anybody_on_the_way(somebody: User) -> None:
    assert flow.redeem(flow.code(somebody))["Cache-Control"] == "no-store"


def test_a_code_works_once_and_coming_again_ends_what_it_gave(somebody: User) -> None:
    code = flow.code(somebody)
    given = flow.redeem(code).json()
    assert stands(given["access_token"])
    assert flow.refused(flow.redeem(code)) == "invalid_grant"
    assert not stands(given["access_token"])
    assert not stands(given["id_token"])
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_with_one_code_one_is_answered_and_the_others_end_what_it_gave(somebody: User) -> None:
    code, ready = flow.code(somebody), Barrier(8, timeout=60)

    def redeem(_: int) -> HttpResponse:
        ready.wait()
        try:
            return flow.redeem(code)
        finally:
            connection.close()

    with ThreadPoolExecutor(ready.parties) as clients:
        answers = sorted(clients.map(redeem, range(ready.parties)), key=lambda answer: answer.status_code)
    assert [flow.refused(answer) for answer in answers[1:]] == ["invalid_grant"] * 7
    assert answers[0].status_code == 200
    assert not AccessToken.objects.exists()


def test_a_code_that_comes_again_after_a_refresh_ends_the_refreshed_tokens(somebody: User) -> None:
    code = flow.code(somebody)
    renewed = flow.refresh(flow.redeem(code).json()["refresh_token"]).json()
    flow.redeem(code)
    assert not stands(renewed["access_token"])


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": None},
        {"code_verifier": "x" * 43},
        {"code_verifier": flow.challenge()},
        {"code_verifier": flow.VERIFIER + "x"},
        {"redirect_uri": None},
        {"redirect_uri": "http://127.0.0.1:1/callback"},
        {"redirect_uri": "https://evil.example.org/callback"},
        {"code": None},
        {"code": "not a code"},
        {"code": "\0"},
        {"client_id": None},
        {"client_id": "nobody"},
        {"client_id": "jhe-mcp-stdio", "client_secret": "guess"},
    ],
)
def test_a_code_is_refused_without_its_verifier_redirect_and_client(
    somebody: User, changes: dict[str, str | None]
) -> None:
    code = flow.code(somebody)
    assert flow.refused(flow.redeem(code, **changes)) in ("invalid_grant", "invalid_request", "invalid_client")
    assert not AccessToken.objects.exists()


def test_a_code_is_refused_to_another_client(somebody: User, web_app: Application) -> None:
    other = {"client_id": web_app.client_id, "client_secret": "a secret of the notebook"}
    assert flow.refused(flow.redeem(flow.code(somebody), **other)) == "invalid_grant"


def test_a_confidential_client_needs_its_secret(somebody: User, web_app: Application) -> None:
    code = flow.code_for_web(somebody, web_app, CALLBACK)
    redeemed = {"client_id": web_app.client_id, "redirect_uri": CALLBACK}
    assert flow.refused(flow.redeem(code, **redeemed)) == "invalid_client"
    assert flow.refused(flow.redeem(code, **redeemed, client_secret="wrong")) == "invalid_client"
    assert flow.redeem(code, **redeemed, client_secret="a secret of the notebook").status_code == 200


def test_an_expired_code_is_refused(somebody: User) -> None:
    code = flow.code(somebody)
    Grant.objects.update(expires=timezone.now())
    assert flow.refused(flow.redeem(code)) == "invalid_grant"


@pytest.mark.parametrize(
    "request_",
    [
        {"grant_type": "password", "scope": "openid"},
        {"grant_type": "client_credentials", "scope": "mcp"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "x"},
        {"grant_type": "implicit"},
        {},
    ],
)
@pytest.mark.parametrize(
    "grant_type", [Application.GRANT_PASSWORD, Application.GRANT_CLIENT_CREDENTIALS, Application.GRANT_DEVICE_CODE]
)
def test_other_grants_are_refused_even_to_clients_registered_for_them(
    somebody: User, web_app: Application, grant_type: str, request_: dict[str, str]
) -> None:
    Application.objects.update(authorization_grant_type=grant_type)
    somebody.set_password("Jhe1234!")
    somebody.save()
    person = {"username": somebody.email, "password": "Jhe1234!"}
    client = {"client_id": web_app.client_id, "client_secret": "a secret of the notebook"}
    refused = flow.refused(Client().post("/o/token/", request_ | person | client))
    assert refused in ("unsupported_grant_type", "unauthorized_client")
    assert not AccessToken.objects.exists()


def test_nothing_is_taken_from_the_url(somebody: User) -> None:
    response = Client().post(f"/o/token/?grant_type=authorization_code&code={flow.code(somebody)}")
    assert flow.refused(response) == "unsupported_grant_type"


def test_parameters_that_share_a_name_with_the_servers_own_state_change_nothing(
    somebody: User, web_app: Application
) -> None:
    names = (
        "_person_claims",
        "consent",
        "narrowing",
        "reach",
        "authenticated",
        "refresh_token_instance",
        "user",
        "scopes",
        "client",
        "expires_in",
    )
    given = flow.redeem(flow.code(somebody), **dict.fromkeys(names, "evil")).json()
    assert flow.verified(given["access_token"], settings.MCP_URL)["user_id"] == somebody.pk
    assert (given["scope"], given["expires_in"]) == ("openid mcp", 3600)


def test_no_token_is_given_when_the_claims_cannot_be_computed(somebody: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: User, _narrowing: int | None) -> None:
        raise ConnectionError

    monkeypatch.setattr(tokens_module, "claims_of", fail)
    for resource in (settings.MCP_URL, None):  # the access token needs them, or the ID token alone
        with pytest.raises(ConnectionError):
            flow.redeem(flow.code(somebody, resource=resource))
    assert not AccessToken.objects.exists()
    assert not IDToken.objects.exists()


# Refreshing


def test_a_refresh_gives_a_new_pair_and_ends_the_old_one(somebody: User) -> None:
    first = flow.tokens(somebody)
    second = flow.refresh(first["refresh_token"]).json()
    assert {first[kind] for kind in second} & set(second.values()) == {"Bearer", 3600, "openid mcp"}
    for kind in ("access_token", "id_token"):
        assert not stands(first[kind])
        assert stands(second[kind])


def test_a_refresh_keeps_the_resource(somebody: User) -> None:
    renewed = flow.refresh(flow.refresh(flow.tokens(somebody)["refresh_token"]).json()["refresh_token"]).json()
    assert flow.verified(renewed["access_token"], settings.MCP_URL)["user_id"] == somebody.pk


def test_a_refresh_without_a_resource_stays_opaque(somebody: User) -> None:
    renewed = flow.refresh(flow.tokens(somebody, resource=None)["refresh_token"]).json()
    assert "." not in renewed["access_token"]


def test_a_refresh_may_narrow_scope_but_not_widen_it(somebody: User) -> None:
    given = flow.tokens(somebody, scope="openid mcp")
    assert flow.refused(flow.refresh(given["refresh_token"], scope="openid mcp email")) == "invalid_scope"
    narrowed = flow.refresh(given["refresh_token"], scope="openid").json()
    assert narrowed["scope"] == granted(narrowed["access_token"]) == granted(narrowed["id_token"]) == "openid"


def test_a_refresh_for_another_resource_is_refused(somebody: User) -> None:
    given = flow.tokens(somebody)
    for resource in (settings.BASE_URL, "https://elsewhere.example.org"):
        assert flow.refused(flow.refresh(given["refresh_token"], resource=resource)) == "invalid_target"


def test_the_claims_of_a_refreshed_token_are_those_of_that_moment(somebody: User) -> None:
    given = flow.tokens(somebody)
    somebody.practitioner.memberships.all().delete()
    renewed = flow.refresh(given["refresh_token"]).json()
    assert flow.verified(renewed["access_token"], settings.MCP_URL)["jhe_permissions"]["studies"] == []


def test_a_refresh_token_is_refused_to_another_client(somebody: User, web_app: Application) -> None:
    other = {"client_id": web_app.client_id, "client_secret": "a secret of the notebook"}
    assert flow.refused(flow.refresh(flow.tokens(somebody)["refresh_token"], **other)) == "invalid_grant"


@pytest.mark.parametrize("kind", ["access_token", "id_token"])
def test_no_other_token_refreshes(somebody: User, kind: str) -> None:
    assert flow.refused(flow.refresh(flow.tokens(somebody)[kind])) == "invalid_grant"


def test_a_replay_ends_the_family(somebody: User) -> None:
    first = flow.tokens(somebody)
    second = flow.refresh(first["refresh_token"]).json()
    RefreshToken.objects.filter(revoked__isnull=False).update(revoked=timezone.now() - timedelta(minutes=1))
    assert flow.refused(flow.refresh(first["refresh_token"])) == "invalid_grant"
    assert not stands(second["access_token"])
    assert flow.refused(flow.refresh(second["refresh_token"])) == "invalid_grant"


def test_a_refresh_whose_answer_got_lost_may_be_repeated_at_once(somebody: User) -> None:
    first = flow.tokens(somebody)
    lost = flow.refresh(first["refresh_token"]).json()
    again = flow.refresh(first["refresh_token"]).json()
    assert lost["access_token"] != again["access_token"]
    assert stands(lost["access_token"])
    assert stands(again["access_token"])
    assert flow.refresh(again["refresh_token"]).status_code == 200
    assert flow.refresh(lost["refresh_token"]).status_code == 200


def test_a_late_replay_ends_repeated_refreshes_too(somebody: User) -> None:
    first = flow.tokens(somebody)
    pairs = [flow.refresh(first["refresh_token"]).json() for _ in range(2)]
    RefreshToken.objects.filter(revoked__isnull=False).update(revoked=timezone.now() - timedelta(minutes=1))
    flow.refresh(first["refresh_token"])
    assert [stands(pair["access_token"]) for pair in pairs] == [False, False]


@pytest.mark.django_db(transaction=True)
def test_eight_refreshes_that_race_all_succeed_and_nobody_is_thrown_out(somebody: User) -> None:
    first = flow.tokens(somebody)

    def send(_: int) -> dict[str, str]:
        try:
            return flow.refresh(first["refresh_token"]).json()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as senders:
        pairs = list(senders.map(send, range(8)))
    assert len({pair["access_token"] for pair in pairs}) == 8
    assert all(stands(pair["access_token"]) for pair in pairs)
    assert len(set(RefreshToken.objects.values_list("token_family", flat=True))) == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_that_redeem_one_code_at_once_at_most_one_gets_tokens(somebody: User) -> None:
    code = flow.code(somebody)

    def send(_: int) -> int:
        try:
            return flow.redeem(code).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as senders:
        assert sorted(senders.map(send, range(8))) == [200, *[400] * 7]


def test_a_refresh_that_is_under_way_when_its_family_is_ended_gets_nothing(
    somebody: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = flow.tokens(somebody)

    def end_the_family(user: User, narrowing: int | None) -> dict[str, Any]:
        RefreshToken.revoke_family(RefreshToken.objects.get().token_family)
        return claims_of(user, narrowing)

    monkeypatch.setattr(tokens_module, "claims_of", end_the_family)  # between looking it up and saving its successor
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"
    assert not AccessToken.objects.exists()


def test_a_refresh_token_that_nobody_used_for_a_month_is_refused(somebody: User) -> None:
    given = flow.tokens(somebody)
    AccessToken.objects.update(expires=timezone.now() - timedelta(days=30))
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"


# Ends


def test_a_deactivated_person_gets_nothing_from_a_code_or_a_refresh(somebody: User) -> None:
    code, given = flow.code(somebody), flow.tokens(somebody)
    User.objects.filter(pk=somebody.pk).update(is_active=False)
    assert flow.refused(flow.redeem(code)) == "invalid_grant"
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"
    assert not stands(given["access_token"])
    assert not stands(given["id_token"])


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_either_token_ends_all_three(somebody: User, kind: str) -> None:
    given = flow.tokens(somebody)
    response = Client().post("/o/revoke_token/", {"token": given[kind], "client_id": "jhe-mcp-stdio"})
    assert response.status_code == 200
    assert not stands(given["access_token"])
    assert not stands(given["id_token"])
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"


def test_a_client_cannot_revoke_the_tokens_of_another(somebody: User, web_app: Application) -> None:
    given = flow.tokens(somebody)
    other = {"client_id": web_app.client_id, "client_secret": "a secret of the notebook"}
    Client().post("/o/revoke_token/", {"token": given["access_token"], **other})
    assert stands(given["access_token"])


def test_an_expired_token_does_not_stand(somebody: User) -> None:
    given = flow.tokens(somebody)
    AccessToken.objects.update(expires=timezone.now() - timedelta(days=1))
    IDToken.objects.update(expires=timezone.now() - timedelta(days=1))
    assert not stands(given["access_token"])
    assert not stands(given["id_token"])


def test_tokens_of_everybody_else_stay(somebody: User) -> None:
    others = flow.tokens(UserFactory())
    code = flow.code(somebody)
    flow.redeem(code)
    flow.redeem(code)
    assert stands(others["access_token"])


def test_the_redirect_of_the_stdio_login_needs_no_port_in_its_registration(somebody: User) -> None:
    registered = Application.objects.get(client_id="jhe-mcp-stdio").redirect_uris.split()
    assert {urlsplit(uri).port for uri in registered} == {None}
