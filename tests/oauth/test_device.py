"""The device flow (RFC 8628): a program without a browser, and its person at another machine."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, DeviceGrant

from core.actions.client_consents import withdraw
from core.actions.clients import STDIO_CLIENT_ID
from core.models import ClientConsent, User
from core.oauth import device_codes
from tests import personas
from tests.factories import OrganizationClientFactory
from tests.oauth import flow
from tests.oauth.flow import stands

PAGE = "/o/device/"


@pytest.fixture
def browser(mary: User) -> Client:
    return browser_of(mary)


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def begin(**changes: Any) -> HttpResponse:
    asked = {"client_id": STDIO_CLIENT_ID, "scope": "openid mcp", "resource": settings.MCP_URL, **changes}
    body = "&".join(
        f"{name}={one}" for name, value in asked.items() for one in ([value] if isinstance(value, str) else value)
    )
    return Client().post("/o/device-authorization/", body, content_type="application/x-www-form-urlencoded")


def poll(codes: dict[str, Any], **changes: Any) -> HttpResponse:
    asked = {"grant_type": device_codes.GRANT_TYPE, "client_id": STDIO_CLIENT_ID, "device_code": codes["device_code"]}
    return Client().post("/o/token/", {**asked, **changes})


def heard(codes: dict[str, Any], **changes: Any) -> str:
    """What a device hears that waits for as long as it was told."""
    for grant in DeviceGrant.objects.all():
        last = grant.last_checked - timedelta(seconds=grant.interval)
        DeviceGrant.objects.filter(pk=grant.pk).update(last_checked=last)
    return flow.refused(poll(codes, **changes))


def enter(browser: Client, codes: dict[str, Any], **answer: Any) -> HttpResponse:
    return browser.post(PAGE, {"user_code": codes["user_code"], **answer})


def allow(browser: Client, codes: dict[str, Any], **changes: Any) -> HttpResponse:
    page = enter(browser, codes)
    fields = {field.html_name: field.value() for field in page.context["form"]}
    return enter(browser, codes, **{**fields, "allow": "on", **changes})


# Success


def test_a_program_without_a_browser_gets_tokens_for_what_it_asked_for(browser: Client, mary: User) -> None:
    codes = begin().json()
    assert codes.keys() == {"device_code", "user_code", "verification_uri", "expires_in", "interval"}
    assert codes["verification_uri"] == f"{settings.BASE_URL}{PAGE}"
    assert re.fullmatch("[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}", codes["user_code"])
    assert heard(codes) == "authorization_pending"
    page = enter(browser, codes)
    assert "Did somebody send you this code?" in page.content.decode()
    assert "is connected" in allow(browser, codes).content.decode()
    given = poll(codes).json()
    claims = flow.verified(given["access_token"], settings.MCP_URL)
    assert (claims["user_id"], claims["scope"], claims["client_id"]) == (mary.pk, "openid mcp", STDIO_CLIENT_ID)
    assert stands(given["access_token"])
    renewed = flow.refresh(given["refresh_token"]).json()
    assert flow.verified(renewed["access_token"], settings.MCP_URL)["user_id"] == mary.pk


def test_a_device_is_narrowed_like_everything_else_and_withdrawn_like_everything_else(
    browser: Client, mary: User
) -> None:
    study = personas.study_of(personas.BP)
    codes = begin(scope="openid mcp offline_access").json()
    allow(browser, codes, reached=[study.pk], scopes=["offline_access"])
    given = poll(codes).json()
    claims = flow.verified(given["access_token"], settings.MCP_URL)
    consent = ClientConsent.objects.get()
    assert (claims["scope"], claims["narrowing"]) == ("openid mcp offline_access", consent.narrowing_id)
    assert claims["jhe_permissions"]["studies"] == [study.pk]
    browser.post(f"/account/apps/{consent.application_id}/", {"withdraw": "on"})
    assert not stands(given["access_token"])
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"


@pytest.mark.parametrize(
    "typed", [str.lower, lambda code: code.replace("-", ""), lambda code: f" {code.replace('-', ' ')} "]
)
def test_a_code_is_found_however_it_is_typed(browser: Client, typed: Any) -> None:
    codes = begin().json()
    assert browser.post(PAGE, {"user_code": typed(codes["user_code"])}).status_code == 200


def test_a_client_of_an_organization_may_when_a_superuser_lets_it(browser: Client) -> None:
    link = OrganizationClientFactory(organization=personas.organization_of("Lifespan Lab"))
    client = {"client_id": link.application.client_id}
    assert begin(**client).json()["error"] == "unauthorized_client"
    link.device_flow = True
    link.save()
    codes = begin(**client).json()
    allow(browser, codes)
    assert poll(codes, **client).status_code == 200


def test_without_a_resource_the_token_is_for_this_server(browser: Client) -> None:
    codes = begin(resource=[], scope="openid user/*.rs").json()
    allow(browser, codes)
    assert flow.refused(poll(codes, resource=settings.MCP_URL)) == "invalid_target"
    assert not AccessToken.objects.exists()
    codes = begin(resource=[], scope="openid user/*.rs").json()
    allow(browser, codes)
    token = poll(codes).json()["access_token"]
    assert Client(headers={"Authorization": f"Bearer {token}"}).get("/api/v1/studies").status_code == 200


def test_discovery_names_the_endpoint_and_the_grant(db: None) -> None:
    said = Client().get("/.well-known/oauth-authorization-server").json()
    assert said["device_authorization_endpoint"] == f"{settings.BASE_URL}/o/device-authorization/"
    assert device_codes.GRANT_TYPE in said["grant_types_supported"]


# What a device hears (RFC 8628 §3.5)


def test_a_device_that_asks_too_soon_is_told_to_slow_down_and_then_has_to(db: None) -> None:
    codes = begin().json()
    assert flow.refused(poll(codes)) == "authorization_pending"
    assert [flow.refused(poll(codes)) for _ in range(2)] == ["slow_down", "slow_down"]
    assert DeviceGrant.objects.get().interval == codes["interval"] + 10
    assert heard(codes) == "authorization_pending"


def test_a_device_hears_that_its_person_refused(browser: Client) -> None:
    codes = begin().json()
    assert "was refused" in enter(browser, codes, deny="on").content.decode()
    assert heard(codes) == "access_denied"
    assert enter(browser, codes).status_code == 400
    assert not ClientConsent.objects.exists()


def test_a_device_hears_that_its_time_is_over_also_when_it_was_allowed(browser: Client) -> None:
    codes, late = begin().json(), begin().json()
    allow(browser, codes)
    DeviceGrant.objects.update(expires=timezone.now())
    assert heard(codes) == heard(late) == "expired_token"
    assert enter(browser, late).status_code == 400
    assert not AccessToken.objects.exists()


def test_a_device_code_works_once_and_coming_again_ends_what_it_gave(browser: Client) -> None:
    codes = begin().json()
    allow(browser, codes)
    given = poll(codes).json()
    assert flow.refused(poll(codes)) == "invalid_grant"
    assert not stands(given["access_token"])
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"


def test_a_device_code_is_of_no_use_to_another_client(browser: Client) -> None:
    link = OrganizationClientFactory(organization=personas.organization_of("Lifespan Lab"), device_flow=True)
    codes = begin().json()
    allow(browser, codes)
    assert flow.refused(poll(codes, client_id=link.application.client_id)) == "invalid_grant"
    assert poll(codes).status_code == 200


def test_a_consent_that_was_withdrawn_before_the_device_asked_gives_nothing(browser: Client, mary: User) -> None:
    codes = begin().json()
    allow(browser, codes)
    client = Application.objects.get(client_id=STDIO_CLIENT_ID)
    withdraw(actor=None, door="test", user=mary, application=client)
    assert flow.refused(poll(codes)) == "invalid_grant"


def test_a_deactivated_person_gives_a_device_nothing(browser: Client, mary: User) -> None:
    codes = begin().json()
    allow(browser, codes)
    User.objects.filter(pk=mary.pk).update(is_active=False)
    assert flow.refused(poll(codes)) == "invalid_grant"


@pytest.mark.parametrize(
    "changes", [{"device_code": ""}, {"device_code": "x"}, {"client_id": "nobody"}, {"scope": "openid user/*.cruds"}]
)
def test_a_device_gets_no_more_by_asking_differently(browser: Client, changes: dict[str, str]) -> None:
    codes = begin().json()
    allow(browser, codes)
    response = poll(codes, **changes)
    if "scope" in changes:
        assert response.json()["scope"] == "openid mcp"
    else:
        assert flow.refused(response) in ("invalid_grant", "invalid_request", "invalid_client")


# Beginning


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_id": "nobody"}, "invalid_request"),
        ({"client_id": []}, "invalid_request"),
        ({"client_id": "cohort-notebook"}, "invalid_client"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"scope": "system/*.rs"}, "invalid_scope"),
        ({"resource": "https://elsewhere.example.org"}, "invalid_target"),
    ],
)
def test_a_request_with_a_fault_begins_nothing(web_app: Application, changes: dict[str, Any], error: str) -> None:
    response = begin(**changes)
    assert response.status_code in (400, 401)
    assert json.loads(response.content)["error"].startswith(error)
    assert not DeviceGrant.objects.exists()


def test_what_was_begun_long_ago_is_forgotten(db: None) -> None:
    begin()
    DeviceGrant.objects.update(expires=timezone.now() - timedelta(hours=2))
    begin()
    assert DeviceGrant.objects.count() == 1


# The page


def test_nobody_enters_a_code_without_a_login_or_through_another_site(mary: User) -> None:
    codes = begin().json()
    assert enter(Client(), codes, allow="on").status_code == 302
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(mary)
    assert enter(strict, codes, allow="on").status_code == 403
    assert DeviceGrant.objects.get().status == DeviceGrant.AUTHORIZATION_PENDING


def test_the_page_takes_no_code_from_its_address_and_warns(browser: Client) -> None:
    codes = begin().json()
    page = browser.get(PAGE, {"user_code": codes["user_code"]})
    assert codes["user_code"] not in page.content.decode()
    assert "Did somebody send you a code?" in page.content.decode()
    for guarded in (page, enter(browser, codes)):
        assert "frame-ancestors 'none'" in guarded["Content-Security-Policy"]
        assert "no-store" in guarded["Cache-Control"]


@pytest.mark.parametrize("code", ["", "x", "BBBB-BBBB", "\0", "B" * 5_000, "ßßßß-ßßßß"])
def test_a_code_that_nobody_waits_with_is_said(browser: Client, code: str) -> None:
    response = browser.post(PAGE, {"user_code": code, "allow": "on"})
    assert response.status_code == 400
    assert "No program waits with this code." in response.content.decode()


def test_nobody_guesses_codes(browser: Client) -> None:
    codes = begin().json()
    for _ in range(20):
        browser.post(PAGE, {"user_code": "BBBB-BBBB"})
    assert enter(browser, codes).status_code == 429
    assert enter(browser_of(personas.user_of("viewer_victor")), codes).status_code == 200


def test_studies_and_scopes_that_were_not_offered_are_refused(browser: Client) -> None:
    codes = begin().json()
    assert allow(browser, codes, reached=[personas.study_of(personas.O2).pk]).status_code == 400
    assert allow(browser, codes, reached=[]).status_code == 400
    assert DeviceGrant.objects.get().status == DeviceGrant.AUTHORIZATION_PENDING


def test_one_person_answers_once(browser: Client) -> None:
    codes = begin().json()
    allow(browser, codes)
    victor = browser_of(personas.user_of("viewer_victor"))
    assert enter(victor, codes, allow="on").status_code == 400
    assert ClientConsent.objects.count() == 1
