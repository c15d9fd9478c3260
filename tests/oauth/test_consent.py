"""The authorization endpoint: what a person is asked, and what is refused before anybody is asked."""

import pytest
from django.conf import settings
from django.db import IntegrityError
from django.test import Client
from oauth2_provider.models import Application, Grant

from core.models import User
from tests.oauth import flow

CALLBACK = "https://notebook.example.org/callback"


@pytest.fixture
def browser(somebody: User) -> Client:
    client = Client()
    client.force_login(somebody)
    return client


def test_the_page_names_the_client_where_the_answer_goes_and_what_is_asked_for(
    browser: Client, web_app: Application
) -> None:
    page = flow.ask(
        browser, client_id=web_app.client_id, redirect_uri=CALLBACK, scope="openid email mcp"
    ).content.decode()
    assert "Allow Cohort Notebook to use your account?" in page
    assert "<strong>notebook.example.org</strong>" in page
    for sentence in ("Know who you are", "See your e-mail address", "Let an AI assistant read"):
        assert sentence in page
    assert "See your name" not in page


def test_the_page_says_when_the_answer_goes_to_a_program_on_this_computer(browser: Client) -> None:
    assert "a program on this computer (127.0.0.1:49152)" in flow.ask(browser).content.decode()


def test_a_client_cannot_write_markup_into_the_page(browser: Client, web_app: Application) -> None:
    Application.objects.update(name="<script>alert(1)</script>")
    page = flow.ask(browser, client_id=web_app.client_id, redirect_uri=CALLBACK).content.decode()
    assert "<script>" not in page


def test_the_page_cannot_be_framed_or_kept(browser: Client) -> None:
    page = flow.ask(browser)
    assert page["X-Frame-Options"] == "DENY"
    assert "no-store" in page["Cache-Control"]


def test_somebody_who_is_not_logged_in_logs_in_first_and_comes_back(db: None) -> None:
    response = flow.ask(Client())
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=/o/authorize/")


def test_agreeing_gives_a_code_to_the_client_with_its_state_and_the_issuer(browser: Client) -> None:
    said = flow.said(flow.answer(flow.ask(browser)))
    assert said.keys() == {"code", "state", "iss"}
    assert (said["state"], said["iss"]) == (flow.STATE, settings.BASE_URL)


def test_declining_gives_no_code(browser: Client) -> None:
    said = flow.said(flow.answer(flow.ask(browser), allow=False))
    assert (said["error"], said["state"], said["iss"]) == ("access_denied", flow.STATE, settings.BASE_URL)
    assert not Grant.objects.exists()


def test_another_site_cannot_agree_for_somebody(somebody: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(somebody)
    assert flow.answer(flow.ask(browser)).status_code == 403
    assert not Grant.objects.exists()


def test_no_client_is_kept_that_would_skip_the_question(web_app: Application) -> None:
    with pytest.raises(IntegrityError, match="client_asks_everybody"):
        Application.objects.update(skip_authorization=True)


@pytest.mark.parametrize("skip", [{"approval_prompt": "auto"}, {"prompt": "none"}])
def test_a_client_cannot_skip_the_question_even_after_it_was_answered_once(
    browser: Client, somebody: User, skip: dict[str, str]
) -> None:
    flow.tokens(somebody)
    response = flow.ask(browser, **skip)
    if "prompt" in skip:
        assert flow.said(response)["error"] == "consent_required"
    else:
        assert response.status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge": "short"},
        {"code_challenge": "+" * 43},
        {"code_challenge": "a" * 500},
        {"nonce": "n" * 256},
        {"response_type": None},
    ],
)
def test_a_request_without_proper_pkce_or_with_faults_is_refused_before_anybody_is_asked(
    browser: Client, changes: dict[str, str | None]
) -> None:
    said = flow.said(flow.ask(browser, **changes))
    assert (said["error"], said["state"], said["iss"]) == ("invalid_request", flow.STATE, settings.BASE_URL)


@pytest.mark.parametrize(
    "response_type", ["token", "id_token", "id_token token", "code token", "code id_token", "none"]
)
@pytest.mark.parametrize("grant_type", [Application.GRANT_IMPLICIT, Application.GRANT_OPENID_HYBRID])
def test_only_codes_go_through_the_browser_whatever_the_client_is_registered_for(
    browser: Client, grant_type: str, response_type: str
) -> None:
    Application.objects.update(authorization_grant_type=grant_type)
    response = flow.ask(browser, response_type=response_type)
    assert response.status_code == 302
    assert "error=unauthorized_client" in response["Location"]


@pytest.mark.parametrize("scope", ["openid admin", "MCP", "openid\tmcp"])
def test_a_scope_that_does_not_exist_is_refused(browser: Client, scope: str) -> None:
    assert flow.said(flow.ask(browser, scope=scope))["error"] == "invalid_scope"


def test_without_a_scope_a_client_gets_what_an_assistant_needs(browser: Client) -> None:
    assert flow.ask(browser, scope=None).context["scopes"] == ["openid", "mcp"]


@pytest.mark.parametrize(
    "resource",
    ["https://elsewhere.example.org/mcp", "http://localhost:8001", "http://localhost:8001/mcp/x", "mcp", "#"],
)
def test_a_resource_that_is_not_served_is_refused(browser: Client, resource: str) -> None:
    said = flow.said(flow.ask(browser, resource=resource))
    assert (said["error"], said["state"]) == ("invalid_target", flow.STATE)


def test_one_unknown_resource_among_known_ones_is_refused(browser: Client) -> None:
    said = flow.said(flow.ask(browser, resource=[settings.MCP_URL, "https://elsewhere.example.org"]))
    assert said["error"] == "invalid_target"


@pytest.mark.parametrize(
    ("tampered", "error"),
    [
        ({"resource": "https://elsewhere.example.org"}, "invalid_target"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"code_challenge": "", "code_challenge_method": ""}, None),
    ],
)
def test_what_the_page_sends_back_is_checked_again(
    browser: Client, tampered: dict[str, str], error: str | None
) -> None:
    said = flow.said(flow.answer(flow.ask(browser), **tampered))
    assert said.get("error") == error
    assert not Grant.objects.exclude(code_challenge=flow.challenge()).exists()


def test_a_page_sent_back_for_another_kind_of_answer_is_refused(browser: Client) -> None:
    assert "error=unauthorized_client" in flow.answer(flow.ask(browser), response_type="token")["Location"]


def test_claims_that_are_no_json_are_an_error_of_the_sender(browser: Client) -> None:
    assert flow.ask(browser, claims="{").status_code == 400


@pytest.mark.parametrize("tampered", [{"client_id": None}, {"client_id": "nobody"}, {"redirect_uri": None}])
def test_a_page_that_comes_back_broken_is_an_error_of_the_sender(
    browser: Client, tampered: dict[str, str | None]
) -> None:
    assert flow.answer(flow.ask(browser), **tampered).status_code in (400, 404)


def test_a_page_sent_back_with_another_redirect_is_refused_without_a_redirect(browser: Client) -> None:
    response = flow.answer(flow.ask(browser), redirect_uri="https://evil.example.org/callback")
    assert response.status_code == 400
    assert not Grant.objects.exists()


# Redirects (RFC 9700 §2.1, RFC 8252 §7.3)


@pytest.mark.parametrize("port", ["", ":1", ":8080", ":65535"])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_native_program_may_listen_on_any_port(browser: Client, host: str, port: str) -> None:
    assert flow.ask(browser, redirect_uri=f"http://{host}{port}/callback").status_code == 200


@pytest.mark.parametrize(
    "redirect_uri",
    [
        None,
        "",
        "/callback",
        "http://localhost:49152/callback",
        "https://127.0.0.1:49152/callback",
        "http://127.0.0.1:49152/",
        "http://127.0.0.1:49152/Callback",
        "http://127.0.0.1:49152/callback/",
        "http://127.0.0.1:49152/callback/more",
        "http://127.0.0.1:49152/callback/../other",
        "http://127.0.0.1:49152/callback?x=1",
        "http://127.0.0.1:49152/callback#x",
        "http://127.0.0.1:49152/callback#",
        "http://127.0.0.1:49152/callback;x",
        "http://127.0.0.1:49152/%63allback",
        "http://user@127.0.0.1:49152/callback",
        "http://127.0.0.1@evil.example.org/callback",
        "http://127.0.0.1.evil.example.org/callback",
        "http://127.0.0.1\\@evil.example.org/callback",
        "http://127.0.0.2:49152/callback",
        "http://[::1/callback",
        "http://2130706433/callback",
        "javascript:alert(1)",
        "data:text/html,x",
    ],
)
def test_a_redirect_that_is_not_the_registered_one_is_refused_without_following_it(
    browser: Client, redirect_uri: str | None
) -> None:
    response = flow.ask(browser, redirect_uri=redirect_uri)
    assert response.status_code == 400
    assert "Location" not in response


@pytest.mark.parametrize(
    "redirect_uri",
    [
        f"{CALLBACK}/",
        f"{CALLBACK}/more",
        f"{CALLBACK}x",
        f"{CALLBACK}?x=1",
        f"{CALLBACK}#x",
        f"{CALLBACK}/..;/other",
        f" {CALLBACK}",
        f"{CALLBACK}\n",
        "http://notebook.example.org/callback",
        "HTTPS://notebook.example.org/callback",
        "https://NOTEBOOK.example.org/callback",
        "https://notebook.example.org:8443/callback",
        "https://notebook.example.org:443/callback",
        "https://user:secret@notebook.example.org/callback",
        "https://notebook.example.org@evil.example.org/callback",
        "https://notebook.example.org.evil.example.org/callback",
        "https://evil.example.org/callback",
        "https://evil.example.org\\.notebook.example.org/callback",
        "https://notebook.example.org//callback",
        "https://notebook.example.org/CALLBACK",
        "//notebook.example.org/callback",
    ],
)
def test_on_the_web_only_the_very_same_redirect_will_do(
    browser: Client, web_app: Application, redirect_uri: str
) -> None:
    assert flow.ask(browser, client_id=web_app.client_id, redirect_uri=CALLBACK).status_code == 200
    response = flow.ask(browser, client_id=web_app.client_id, redirect_uri=redirect_uri)
    assert response.status_code == 400
    assert "Location" not in response


@pytest.mark.parametrize("asked_for", ["http://plain.example.org/callback", None])
def test_http_leads_to_this_computer_only_even_where_it_is_registered(
    browser: Client, web_app: Application, asked_for: str | None
) -> None:
    Application.objects.filter(pk=web_app.pk).update(redirect_uris="http://plain.example.org/callback")
    assert flow.ask(browser, client_id=web_app.client_id, redirect_uri=asked_for).status_code == 400


@pytest.mark.parametrize("client_id", [None, "", "nobody", "jhe-mcp-stdio ", "\0", "x" * 5000])
def test_an_unknown_client_is_refused_without_a_redirect(browser: Client, client_id: str | None) -> None:
    response = flow.ask(browser, client_id=client_id)
    assert response.status_code == 400
    assert "Location" not in response


def test_a_parameter_given_twice_is_refused(browser: Client) -> None:
    evil = [flow.REDIRECT_URI, "http://127.0.0.1:1/callback"]
    assert flow.ask(browser, redirect_uri=evil).status_code == 400
