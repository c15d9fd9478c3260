"""A person logs in at a peer, sees that they did, and ends it."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.http import HttpResponse
from django.test import Client as Browser

from core.actions.peers import keep_login, tokens_of
from core.models import AuditEvent, Organization, Peer, PeerLogin, User
from tests.factories import MembershipFactory, PatientFactory, UserFactory
from tests.mcp_server.peers.other_server import OtherServer, refused

CALLBACK = "http://localhost:8000/account/peers/answer/"


@pytest.fixture
def browser(ann: User) -> Browser:
    client = Browser()
    client.force_login(ann)
    return client


def begin(browser: Browser, peer: Peer) -> dict[str, str]:
    """What the peer's authorization server is asked."""
    response = browser.get(f"/account/peers/{peer.pk}/")
    assert response.status_code == 302, response.content
    place = urlsplit(response["Location"])
    assert f"{place.scheme}://{place.netloc}{place.path}" == f"{peer.issuer}/authorize"
    return {name: values[0] for name, values in parse_qs(place.query).items()}


def back(browser: Browser, peer: Peer, asked: dict[str, str], **changes: Any) -> str:
    """What the person reads when the peer sends them back; a change of None leaves a parameter out."""
    answer = {"code": "a-code", "state": asked["state"], "iss": peer.issuer, **changes}
    sent = {name: value for name, value in answer.items() if value is not None}
    response: HttpResponse = browser.get("/account/peers/answer/", sent, follow=True)
    assert response.status_code == 200
    [message] = response.context["messages"]
    return str(message)


def test_ann_connects_and_withdraws(browser: Browser, peer: Peer, north: OtherServer, ann: User) -> None:
    assert "Connected exchanges" in browser.get("/").content.decode()
    assert "Connect<span" in browser.get("/account/peers/").content.decode()
    asked = begin(browser, peer)
    assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", "the-exchange", "mcp")
    assert (asked["redirect_uri"], asked["resource"], asked["code_challenge_method"]) == (CALLBACK, north.url, "S256")
    assert back(browser, peer, asked) == "You are logged in at North."
    [redeemed] = north.at("/token")
    assert create_s256_code_challenge(redeemed.form["code_verifier"]) == asked["code_challenge"]
    assert (redeemed.form["code"], redeemed.form["resource"]) == ("a-code", north.url)
    login = PeerLogin.objects.get()
    assert (login.user, tokens_of(login)["access_token"] in north.good_tokens) == (ann, True)
    assert "You logged in there" in browser.get("/account/peers/").content.decode()
    browser.post(f"/account/peers/{peer.pk}/")
    assert not PeerLogin.objects.exists()
    rows = AuditEvent.objects.filter(door="web").values_list("action", "outcome", "user_id")
    assert sorted(rows) == [("end_peer_login", "success", ann.pk), ("peer_login", "success", ann.pk)]


def test_what_is_withdrawn_is_revoked_there_too(browser: Browser, peer: Peer, north: OtherServer, ann: User) -> None:
    keep_login(ann, peer, {"access_token": "a", "refresh_token": "r", "expires_in": 60})
    browser.post(f"/account/peers/{peer.pk}/")
    [revoked] = north.at("/revoke")
    assert revoked.form == {"token": "r", "token_type_hint": "refresh_token"}


def test_a_login_can_be_withdrawn_when_the_peer_is_gone_and_seen_no_more(
    browser: Browser, peer: Peer, ann: User, lab: Organization
) -> None:
    keep_login(ann, peer, {"access_token": "a", "refresh_token": "r", "expires_in": 60})
    peer.organizations.clear()
    Peer.objects.update(issuer="http://127.0.0.1:1", enabled=False)
    assert "Withdraw" in browser.get("/account/peers/").content.decode()
    browser.post(f"/account/peers/{peer.pk}/")
    assert not PeerLogin.objects.exists()


def test_without_a_client_there_the_exchange_registers_itself_once(
    browser: Browser, north: OtherServer, lab: Organization
) -> None:
    peer = Peer.objects.create(
        name="North", prefix="north", url=north.url, issuer=north.origin, method=Peer.Method.LOGIN
    )
    peer.organizations.add(lab)
    assert begin(browser, peer)["client_id"] == "registered-itself"
    assert begin(browser, peer)["client_id"] == "registered-itself"
    [registered] = north.at("/register")
    assert CALLBACK in registered.body
    back(browser, peer, begin(browser, peer))
    assert north.at("/token")[0].form["client_id"] == "registered-itself"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"state": "another"}, "This answer belongs to another login: begin again."),
        ({"state": None}, "This answer belongs to another login: begin again."),
        ({"iss": "https://evil.example.org"}, "This answer comes from somebody else: begin again."),
        ({"iss": None}, "This answer comes from somebody else: begin again."),
        ({"code": None, "error": "access_denied"}, "North did not let you in: begin again, and agree there."),
    ],
)
def test_an_answer_that_is_not_to_this_question_logs_nobody_in(
    browser: Browser, peer: Peer, north: OtherServer, changes: dict[str, Any], sentence: str
) -> None:
    assert back(browser, peer, begin(browser, peer), **changes) == sentence
    assert not PeerLogin.objects.exists()
    assert not north.at("/token")
    assert AuditEvent.objects.filter(action="peer_login", outcome="refused").count() == 1


def test_an_answer_is_taken_once_and_only_by_who_began(browser: Browser, peer: Peer, lab: Organization) -> None:
    asked = begin(browser, peer)
    other = Browser()
    other.force_login(MembershipFactory(organization=lab).practitioner.user)
    assert back(other, peer, asked) == "No login was begun here: begin again."
    back(browser, peer, asked)
    assert back(browser, peer, asked) == "No login was begun here: begin again."
    assert PeerLogin.objects.count() == 1


def test_a_code_that_the_peer_refuses_logs_nobody_in(browser: Browser, peer: Peer, north: OtherServer) -> None:
    north.token_answer = refused("invalid_grant", "no such code")
    assert back(browser, peer, begin(browser, peer)) == "North gave no token for this login: begin again."
    assert not PeerLogin.objects.exists()


def test_a_peer_that_does_not_answer_is_said_to_be_away(browser: Browser, peer: Peer) -> None:
    Peer.objects.update(issuer="http://127.0.0.1:1")
    response = browser.get(f"/account/peers/{peer.pk}/", follow=True)
    assert "does not answer" in str(next(iter(response.context["messages"])))


@pytest.mark.parametrize("who", ["stranger", "patient"])
def test_who_may_not_see_a_peer_sees_neither_page_nor_name(peer: Peer, ann: User, who: str) -> None:
    user = PatientFactory(user=UserFactory()).user if who == "patient" else MembershipFactory().practitioner.user
    keep_login(ann, peer, {"access_token": "a"})
    browser = Browser()
    browser.force_login(user)
    assert "North" not in browser.get("/account/peers/").content.decode()
    assert "Connected exchanges" not in browser.get("/").content.decode()
    for path in (f"/account/peers/{peer.pk}/", f"/account/peers/{peer.pk + 1}/"):
        assert browser.get(path).status_code == browser.post(path).status_code == 404
    assert PeerLogin.objects.count() == 1


def test_who_has_not_logged_in_here_is_sent_to_the_login(peer: Peer) -> None:
    for path in ("", f"{peer.pk}/", "answer/"):
        assert "/accounts/login/" in Browser().get(f"/account/peers/{path}")["Location"]


def test_a_form_of_another_page_ends_no_login(peer: Peer, ann: User) -> None:
    keep_login(ann, peer, {"access_token": "a"})
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(ann)
    assert strict.post(f"/account/peers/{peer.pk}/").status_code == 403
    assert PeerLogin.objects.exists()


def test_a_peer_that_trusts_this_exchange_asks_nobody_to_log_in(browser: Browser, peer: Peer) -> None:
    Peer.objects.update(method=Peer.Method.EXCHANGE)
    assert "there is nothing to log in to" in browser.get("/account/peers/").content.decode()
    assert browser.get(f"/account/peers/{peer.pk}/")["Location"] == "/account/peers/"
