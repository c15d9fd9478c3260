"""The token endpoint gives the MCP server a person's token for a peer, and nobody else (docs/federation.md)."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client as Browser
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application
from starlette.responses import JSONResponse

from core.actions.mcp_tokens import create_token
from core.actions.peers import keep_login, renew_mcp_server_secret, save_peer, tokens_of
from core.models import AuditEvent, Organization, Peer, PeerLogin, User
from core.policy.peers import ACCESS_TOKEN, MCP_SERVER_CLIENT_ID, TOKEN_EXCHANGE
from tests.bearer import token_of
from tests.factories import MembershipFactory, PatientFactory, UserFactory
from tests.mcp_server.peers.other_server import OtherServer, refused
from tests.oauth import flow


@pytest.fixture
def secret(db: None) -> str:
    return renew_mcp_server_secret()


def own_token(user: User, **fields: Any) -> str:
    """As MCP clients have one."""
    return token_of(user, **{"scope": "mcp", "resource": [settings.MCP_URL], **fields})


def ask(user: User, secret: str, peer: Peer, /, **changes: Any) -> HttpResponse:
    request = {
        "grant_type": TOKEN_EXCHANGE,
        "client_id": MCP_SERVER_CLIENT_ID,
        "client_secret": secret,
        "subject_token": own_token(user),
        "subject_token_type": ACCESS_TOKEN,
        "resource": peer.url,
        **changes,
    }
    return Browser().post("/o/token/", {name: value for name, value in request.items() if value is not None})


def logged_in(user: User, peer: Peer, **answer: Any) -> PeerLogin:
    given = {"access_token": "first", "refresh_token": "once", "expires_in": 3600, **answer}
    return keep_login(user, peer, given)


def error(response: HttpResponse) -> str:
    assert response.status_code in (400, 401, 503), response.content
    said: str = response.json()["error"]
    return said


def test_who_has_logged_in_there_gets_the_token_of_that_login_for_as_long_as_it_is_good(
    ann: User, secret: str, peer: Peer, north: OtherServer
) -> None:
    logged_in(ann, peer)
    for _ in range(2):
        said = ask(ann, secret, peer).json()
        assert (said["access_token"], said["token_type"], said["issued_token_type"]) == (
            "first",
            "Bearer",
            ACCESS_TOKEN,
        )
        assert 3500 < said["expires_in"] <= 3600
    assert not north.received
    row = AuditEvent.objects.filter(action="peer_token").latest("pk")
    assert (row.door, row.outcome, row.user_id, row.detail) == ("oauth", "success", ann.pk, {"peer": "north"})


def test_a_token_that_has_ended_or_that_the_peer_refuses_is_renewed_and_the_new_refresh_token_is_kept(
    ann: User, secret: str, peer: Peer, north: OtherServer
) -> None:
    login = logged_in(ann, peer, expires_in=10)
    north.token_answer = lambda _: _answer(north, refresh_token="twice")
    said = ask(ann, secret, peer).json()
    assert said["access_token"] in north.good_tokens
    [request] = north.at("/token")
    assert (request.form["grant_type"], request.form["refresh_token"]) == ("refresh_token", "once")
    assert request.form["resource"] == peer.url
    login.refresh_from_db()
    assert tokens_of(login)["refresh_token"] == "twice"
    assert ask(ann, secret, peer).json()["access_token"] == said["access_token"]
    again = ask(ann, secret, peer, refused=hashlib.sha256(said["access_token"].encode()).hexdigest()).json()
    assert again["access_token"] != said["access_token"]
    assert [request.form["refresh_token"] for request in north.at("/token")] == ["once", "twice"]


def _answer(north: OtherServer, **more: Any) -> Any:
    return JSONResponse(north.new_token(**more))


def test_a_refresh_token_that_is_not_replaced_is_used_again(
    ann: User, secret: str, peer: Peer, north: OtherServer
) -> None:
    logged_in(ann, peer, expires_in=0)
    north.lives = 0
    ask(ann, secret, peer)
    ask(ann, secret, peer)
    assert [request.form["refresh_token"] for request in north.at("/token")] == ["once", "once"]


def test_who_has_not_logged_in_there_or_whose_login_has_ended_is_told_where_to(
    ann: User, secret: str, peer: Peer, north: OtherServer
) -> None:
    response = ask(ann, secret, peer)
    assert error(response) == "access_denied"
    where = f"Log in there once: http://localhost:8000/account/peers/{peer.pk}/"
    assert response.json()["error_description"] == f"You are not logged in at North yet. {where}"
    login = logged_in(ann, peer, expires_in=0)
    north.token_answer = refused("invalid_grant", "revoked")
    assert 'has ended your login there (it says: "revoked")' in ask(ann, secret, peer).json()["error_description"]
    login.delete()
    logged_in(ann, peer, expires_in=0, refresh_token=None)
    assert "Your login at North has ended." in ask(ann, secret, peer).json()["error_description"]
    assert AuditEvent.objects.filter(action="peer_token", outcome="refused").count() == 3


def test_one_persons_login_serves_nobody_else(ann: User, secret: str, peer: Peer, lab: Organization) -> None:
    logged_in(ann, peer)
    bob = MembershipFactory(organization=lab, role="manager").practitioner.user
    assert error(ask(bob, secret, peer)) == "access_denied"


def test_only_the_mcp_server_gets_one_and_only_with_its_secret(
    ann: User, secret: str, peer: Peer, web_app: Application
) -> None:
    logged_in(ann, peer)
    assert error(ask(ann, secret, peer, client_secret="wrong")) == "invalid_client"
    assert error(ask(ann, secret, peer, client_secret=None)) == "invalid_client"
    others = {"client_id": web_app.client_id, "client_secret": "a secret of the notebook"}
    assert error(ask(ann, secret, peer, **others)) == "invalid_request"
    renew_mcp_server_secret()
    assert error(ask(ann, secret, peer)) == "invalid_client"


def test_a_token_that_does_not_stand_or_is_not_for_mcp_opens_no_peer(ann: User, secret: str, peer: Peer) -> None:
    logged_in(ann, peer)
    _, mcp_token = create_token(actor=None, door="command", user=ann)
    past = timezone.now() - timedelta(seconds=1)
    for token in ("", "made up", own_token(ann, scope="openid user/*.cruds"), own_token(ann, expires=past)):
        assert error(ask(ann, secret, peer, subject_token=token)) == "invalid_request"
    for resource in ([], [settings.BASE_URL], ["http://localhost:8001/studies/30001/mcp"]):
        assert error(ask(ann, secret, peer, subject_token=own_token(ann, resource=resource))) == "invalid_request"
    assert error(ask(ann, secret, peer, subject_token=mcp_token)) == "invalid_request"
    id_token = flow.tokens(ann, scope="openid mcp")["id_token"]
    assert error(ask(ann, secret, peer, subject_token=id_token)) == "invalid_request"
    token = own_token(ann)
    ann.is_active = False
    ann.save()
    assert error(ask(ann, secret, peer, subject_token=token)) == "invalid_request"


def test_missing_and_forbidden_are_one_answer(ann: User, secret: str, peer: Peer) -> None:
    logged_in(ann, peer)
    stranger = MembershipFactory(role="manager").practitioner.user
    forbidden, missing = ask(stranger, secret, peer), ask(ann, secret, peer, resource="https://no.example.org/mcp")
    assert error(forbidden) == "invalid_target"
    assert (forbidden.status_code, forbidden.content) == (missing.status_code, missing.content)
    Peer.objects.update(enabled=False)
    assert ask(ann, secret, peer).content == missing.content


def test_a_superuser_sees_every_peer_and_a_patient_of_the_organization_none(
    secret: str, peer: Peer, lab: Organization
) -> None:
    superuser, patient = UserFactory(is_superuser=True), PatientFactory(organizations=[lab], user=UserFactory()).user
    assert error(ask(superuser, secret, peer)) == "access_denied"
    assert error(ask(patient, secret, peer)) == "invalid_target"
    Peer.objects.update(enabled=False)
    assert error(ask(superuser, secret, peer)) == "invalid_target"


def test_the_mcp_server_is_given_nothing_else_by_its_secret(ann: User, secret: str, peer: Peer) -> None:
    shown = {"client_id": MCP_SERVER_CLIENT_ID, "client_secret": secret}
    response = Browser().post("/o/token/", {"grant_type": "client_credentials", "scope": "mcp", **shown})
    assert error(response) == "unauthorized_client"
    assert error(ask(ann, secret, peer, subject_token_type="urn:ietf:params:oauth:token-type:id_token"))
    told = Browser().post("/o/introspect/", {"token": token_of(ann), **shown})
    assert told.json() == {"active": False}
    assert not AccessToken.objects.exclude(user=ann).exists()


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": 7},
        {"access_token": "x\ny", "token_type": "Bearer"},
        {"access_token": "x", "token_type": "mac"},
    ],
)
def test_an_answer_that_is_no_bearer_token_is_none(
    ann: User, secret: str, peer: Peer, north: OtherServer, answer: dict[str, Any]
) -> None:
    logged_in(ann, peer, expires_in=0)
    north.token_answer = lambda _: JSONResponse(answer)
    assert error(ask(ann, secret, peer)) == "temporarily_unavailable"


def test_tokens_and_secrets_are_encrypted_and_shown_on_no_page(ann: User, peer: Peer, admin_client: Browser) -> None:
    login = logged_in(ann, peer, access_token="an-access-token", refresh_token="a-refresh-token")
    for hidden in (login.tokens, Peer.objects.get().client_secret):
        assert hidden.startswith("gAAAA")
    for page in (f"peer/{peer.pk}/change/", f"peerlogin/{login.pk}/change/", "peer/", "peerlogin/"):
        shown = admin_client.get(f"/admin/core/{page}").content.decode()
        for secret in ("an-access-token", "a-refresh-token", "the secret of the exchange there", "gAAAA"):
            assert secret not in shown
    assert admin_client.get("/admin/core/peerlogin/?tokens__startswith=g").status_code == 400


def test_another_address_or_client_ends_the_logins_that_were_made_for_the_former(ann: User, peer: Peer) -> None:
    logged_in(ann, peer)
    peer.name = "Far North"
    save_peer(peer)
    assert PeerLogin.objects.count() == 1
    peer.issuer = "https://another.example.org"
    save_peer(peer)
    assert not PeerLogin.objects.exists()
    assert Peer.objects.get().secret == "the secret of the exchange there"


def test_an_administrator_registers_a_peer_and_is_told_what_is_wrong(
    lab: Organization, admin_client: Browser, ann: User
) -> None:
    form = {
        "name": "South",
        "prefix": "south",
        "url": "https://south.example.org/mcp",
        "issuer": "https://south.example.org",
        "method": "exchange",
        "client_id": "us",
        "new_secret": "between us",
        "scope": "mcp",
        "enabled": "on",
        "organization_links-TOTAL_FORMS": 1,
        "organization_links-INITIAL_FORMS": 0,
        "organization_links-0-organization": lab.pk,
    }
    empty = admin_client.get("/admin/core/peer/add/").content.decode()
    for label in ("URL", "OAuth issuer", "OAuth client id", "OAuth client secret", "OAuth scope"):
        assert f">{label}:</label>" in empty
    for wrong in (
        {"url": "http://south.example.org/mcp"},
        {"url": "https://user@south.example.org/mcp"},
        {"issuer": "ftp://south.example.org"},
        {"prefix": "South"},
        {"prefix": "so__uth"},
        {"client_id": ""},
    ):
        assert admin_client.post("/admin/core/peer/add/", {**form, **wrong}).status_code == 200
    assert not Peer.objects.exists()
    assert admin_client.post("/admin/core/peer/add/", form).status_code == 302
    made = Peer.objects.get()
    assert (made.secret, list(made.organizations.all())) == ("between us", [lab])


def test_the_command_prints_the_secret_and_nothing_else(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("mcp_server_secret")
    [secret] = capsys.readouterr().out.split()
    made = Application.objects.get(client_id=MCP_SERVER_CLIENT_ID)
    assert secret not in json.dumps([made.client_secret, made.name])
    assert made.client_type == Application.CLIENT_CONFIDENTIAL
