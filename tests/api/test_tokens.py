"""What opens REST and FHIR, and what does not: RFC 6750, RFC 8707, SMART v2 scopes, on real routes of both doors."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken

from core.models import AuditEvent, Organization, User
from tests.bearer import client_of, token_of
from tests.factories import MembershipFactory
from tests.oauth import flow

pytestmark = pytest.mark.django_db


@pytest.fixture
def organization() -> Organization:
    return MembershipFactory().organization


@pytest.fixture
def viewer(organization) -> User:
    return organization.memberships.get().practitioner.user


@pytest.fixture(params=["/api/v1/organizations/{}", "/FHIR/R5/Organization/{}"], ids=["rest", "fhir"])
def path(request, organization) -> str:
    return request.param.format(organization.pk)


def sentence(response) -> str:
    said = response.json()
    return said["detail"] if "detail" in said else said["issue"][0]["diagnostics"]


def with_header(value: str) -> Client:
    return Client(headers={"Authorization": value})


def test_a_token_of_a_login_opens_both_doors_opaque_or_jwt(viewer, path):
    for resource in (None, settings.BASE_URL):
        token = flow.tokens(viewer, resource=resource, scope="user/Organization.r")["access_token"]
        assert with_header(f"Bearer {token}").get(path).status_code == 200


def test_without_a_token_the_answer_says_bearer_and_names_no_error(path):
    response = Client().get(path)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="JupyterHealth Exchange"'


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer x", "bearer x", "Bearer \xff", "Bearer a b"])
def test_a_token_that_is_none_is_refused(path, header):
    response = with_header(header).get(path)
    assert (response.status_code, sentence(response)[:22]) == (401, "The token is not known")
    assert 'error="invalid_token"' in response["WWW-Authenticate"]


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "BeArEr"])
def test_the_scheme_is_spelled_as_one_likes(viewer, path, scheme):
    """RFC 9110 §11.1."""
    assert with_header(f"{scheme} {token_of(viewer)}").get(path).status_code == 200


def test_two_tokens_at_once_are_none(viewer, path):
    """Two headers are one with a comma by the time they come here (RFC 9110 §5.3)."""
    first, second = token_of(viewer), token_of(viewer)
    for header in (f"Bearer {first}, Bearer {second}", f"Bearer {first},", f"Bearer {first} Bearer {second}"):
        assert with_header(header).get(path).status_code == 401


@pytest.mark.parametrize("disguise", ["{}\0", "\0{}", "{}=", '"{}"', "{}.{}.", "<{}>", "{};", "{}\x7f", "token={}"])
def test_a_token_with_something_around_it_is_another(viewer, path, disguise):
    token = token_of(viewer)
    response = with_header("Bearer " + disguise.format(token, token)).get(path)
    assert (response.status_code, 'error="invalid_token"' in response["WWW-Authenticate"]) == (401, True)
    assert token not in response.content.decode() + response["WWW-Authenticate"]


@pytest.mark.parametrize("filling", ["x", ".", "\xff", "jhe_pat_"])
def test_a_huge_token_is_refused_like_any_other(path, filling):
    response = with_header("Bearer " + filling * 100_000).get(path)
    assert (response.status_code, len(response.content) < 500) == (401, True)


def test_a_token_in_another_header_or_a_cookie_opens_nothing(viewer, path):
    token = token_of(viewer)
    for name in ("Proxy-Authorization", "X-Authorization", "X-Access-Token", "Cookie"):
        value = f"access_token={token}" if name == "Cookie" else f"Bearer {token}"
        assert Client(headers={name: value}).get(path).status_code == 401


def test_a_session_opens_nothing(viewer, path):
    browser = Client()
    browser.force_login(viewer)
    assert browser.get(path).status_code == 401


def test_a_password_is_no_token(path):
    assert with_header("Basic bWFyeTpKaGUxMjM0IQ==").get(path).status_code == 401


def test_a_token_in_the_url_or_a_form_opens_nothing(viewer, path):
    token = token_of(viewer)
    assert Client().get(path, {"access_token": token}).status_code == 401
    assert Client().post(path, {"access_token": token}).status_code == 401


def test_an_expired_token_is_refused(viewer, path):
    response = client_of(viewer, expires=timezone.now() - timedelta(seconds=1)).get(path)
    assert (response.status_code, 'error="invalid_token"' in response["WWW-Authenticate"]) == (401, True)


def test_a_token_is_refused_on_the_next_request_after_it_was_revoked(viewer, path):
    token = flow.tokens(viewer, resource=None, scope="user/*.rs")["access_token"]
    browser = with_header(f"Bearer {token}")
    assert browser.get(path).status_code == 200
    assert Client().post("/o/revoke_token/", {"token": token, "client_id": "jhe-mcp-stdio"}).status_code == 200
    assert browser.get(path).status_code == 401


def test_a_person_is_refused_on_the_next_request_after_they_were_deactivated(viewer, path):
    client = client_of(viewer)
    assert client.get(path).status_code == 200
    User.objects.filter(pk=viewer.pk).update(is_active=False)
    assert client.get(path).status_code == 401


@pytest.mark.parametrize("resource", [[settings.MCP_URL], ["https://elsewhere.example.org"]])
def test_a_token_for_another_resource_is_refused(viewer, path, resource):
    response = client_of(viewer, resource=resource).get(path)
    assert (response.status_code, "another resource" in sentence(response)) == (401, True)


def test_a_token_for_several_resources_of_which_this_is_one_is_taken(viewer, path):
    assert client_of(viewer, resource=[settings.MCP_URL, settings.BASE_URL]).get(path).status_code == 200


def test_a_token_that_belongs_to_nobody_is_refused(viewer, path):
    client = client_of(viewer)
    AccessToken.objects.update(user=None)
    assert client.get(path).status_code == 401


def test_an_id_token_is_refused(viewer, path):
    token = flow.tokens(viewer, scope="openid user/*.rs", resource=None)["id_token"]
    assert with_header(f"Bearer {token}").get(path).status_code == 401


@pytest.mark.parametrize(
    "scope", ["openid", "mcp", "openid profile email offline_access mcp", "user/Patient.cruds", "user/*.s", ""]
)
def test_a_token_without_the_scope_is_refused_and_told_which_to_ask_for(viewer, path, scope):
    response = client_of(viewer, scope=scope).get(path)
    assert response.status_code == 403
    challenge = response["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="user/Organization.r"' in challenge
    assert sentence(response).startswith("The token has no scope for this: ask for user/Organization.r")


def test_a_refusal_for_want_of_scope_is_in_the_trail_and_one_without_a_person_is_not(viewer, path):
    client_of(viewer, scope="openid").get(path)
    event = AuditEvent.objects.get()
    assert (event.outcome, event.user_id) == ("refused", viewer.pk)
    Client().get(path)
    with_header("Bearer x").get(path)
    assert AuditEvent.objects.count() == 1


def test_another_refusal_names_no_scope(viewer):
    response = client_of(viewer).get("/api/v1/organizations/29999")
    assert response.status_code == 404
    assert "WWW-Authenticate" not in response


def test_knowing_who_asks_is_one_query(viewer, path, django_assert_num_queries):
    client = client_of(viewer, scope="openid")  # refused right after
    with django_assert_num_queries(2):  # the token, the audit row
        assert client.get(path).status_code == 403
