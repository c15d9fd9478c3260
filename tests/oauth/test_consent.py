"""The authorization endpoint: what a person is asked, and what is refused before anybody is asked."""

from urllib.parse import urlencode

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
    assert "Allow <bdi>Cohort Notebook</bdi> to use your account?" in page
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
    assert flow.ask(browser, scope=None).context["form"].scopes == ["openid", "mcp"]


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
    "tampered",
    [
        {"resource": "https://elsewhere.example.org"},
        {"scope": "openid user/*.cruds"},
        {"client_id": "cohort-notebook"},
        {"redirect_uri": "https://evil.example.org/callback"},
        {"response_type": "token"},
        {"code_challenge": "", "code_challenge_method": ""},
        {"code_challenge": flow.challenge("another verifier " * 3)},
        {"state": "of somebody else"},
        {"nonce": "of somebody else"},
        {"user": "1", "authenticated": "1", "narrowing": "-1", "reach": "everything"},
    ],
)
def test_nothing_that_the_form_sends_changes_the_request_that_was_shown(
    browser: Client, web_app: Application, tampered: dict[str, str]
) -> None:
    said = flow.said(flow.answer(flow.ask(browser), **tampered))
    assert (said.keys(), said["state"]) == ({"code", "state", "iss"}, flow.STATE)
    row = Grant.objects.get()
    assert (row.application.client_id, row.redirect_uri) == ("jhe-mcp-stdio", flow.REDIRECT_URI)
    assert (row.scope, row.resource, row.nonce) == ("openid mcp", [settings.MCP_URL], flow.NONCE)
    assert (row.code_challenge, row.code_challenge_method) == (flow.challenge(), "S256")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ({"resource": "https://elsewhere.example.org"}, "invalid_target"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"response_type": "token"}, "unauthorized_client"),
        ({"client_id": "nobody"}, None),
        ({"redirect_uri": "https://evil.example.org/callback"}, None),
    ],
)
def test_an_answer_to_a_request_that_was_never_shown_is_checked_like_the_request(
    browser: Client, url: dict[str, str | None], error: str | None
) -> None:
    response = browser.post(f"/o/authorize/?{urlencode(flow.asked(**url))}", {"allow": "on"})
    if error:
        assert f"error={error}" in response["Location"]
    else:
        assert response.status_code == 400
        assert "Location" not in response
    assert not Grant.objects.exists()


def test_claims_that_are_no_json_are_an_error_of_the_sender(browser: Client) -> None:
    assert flow.ask(browser, claims="{").status_code == 400


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
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.1:x/callback",
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


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "response_type", "scope", "state"])
def test_a_parameter_given_twice_is_refused(browser: Client, name: str) -> None:
    assert flow.ask(browser, **{name: [flow.asked()[name], "another"]}).status_code == 400


@pytest.mark.parametrize("name", ["code_challenge", "code_challenge_method", "nonce", "prompt", "max_age", "anything"])
def test_any_other_parameter_given_twice_is_refused_too(browser: Client, name: str) -> None:
    said = flow.said(flow.ask(browser, **{name: [flow.challenge(), flow.challenge()]}))
    assert (said["error"], said["state"]) == ("invalid_request", flow.STATE)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
        ({"request_uri": "https://169.254.169.254/request"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"response_mode": "web_message"}, "invalid_request"),
    ],
)
def test_other_ways_to_ask_or_to_be_answered_are_refused_by_name(
    browser: Client, parameters: dict[str, str], error: str
) -> None:
    response = flow.ask(browser, **parameters)
    assert f"error={error}" in response["Location"]
    assert response["Location"].startswith(flow.REDIRECT_URI)


@pytest.mark.parametrize("host", ["notebook.example.org.", "n\u043etebook.example.org", "xn--ntebook-2of.example.org"])
def test_a_host_that_only_looks_like_the_registered_one_is_another(
    browser: Client, web_app: Application, host: str
) -> None:
    response = flow.ask(browser, client_id=web_app.client_id, redirect_uri=f"https://{host}/callback")
    assert response.status_code == 400
    assert "Location" not in response
