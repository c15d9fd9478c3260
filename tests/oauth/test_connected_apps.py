"""Connected apps: what people let clients do is shown to them, made less, and taken back at once."""

import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken

from core.actions.client_consents import leave, withdraw
from core.actions.clients import STDIO_CLIENT_ID
from core.models import AuditEvent, ClientConsent, ConsentedToken, Narrowing, User
from core.oauth import tokens as tokens_module
from core.oauth.claims import claims_of
from core.oauth.issue import issue
from core.policy.errors import InvalidInput
from tests import personas
from tests.factories import UserFactory
from tests.oauth import flow
from tests.oauth.flow import stands

APPS = "/account/apps/"
BOTH = [settings.MCP_URL, settings.BASE_URL]


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def stdio() -> Application:
    return Application.objects.get(client_id=STDIO_CLIENT_ID)


def page_of_stdio() -> str:
    return f"{APPS}{stdio().pk}/"


def text(page: HttpResponse) -> str:
    return " ".join(page.content.decode().split())


def press_withdraw(user: User) -> HttpResponse:
    return browser_of(user).post(page_of_stdio(), {"withdraw": "on"})


def tokens(user: User, **answer) -> dict[str, str]:
    """Of a client for REST and MCP that the person narrowed as they answered."""
    page = flow.ask(browser_of(user), scope="openid mcp user/*.rs offline_access", resource=BOTH)
    return flow.redeem(flow.said(flow.answer(page, **answer))["code"]).json()


def rest(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})


# Shown


def test_somebody_sees_who_acts_for_them_with_what_since_when(mary: User) -> None:
    tokens(mary)
    page = text(browser_of(mary).get(APPS))
    assert "JupyterHealth MCP on this computer" in page
    assert "Let an AI assistant read" in page
    assert "all of your studies, those that come later too" in page
    assert "MCP, for AI assistants; REST and FHIR, for programs" in page
    assert "Connected since" in page
    assert "last got a token" in page


def test_several_logins_of_one_client_are_one_app(mary: User) -> None:
    tokens(mary)
    tokens(mary, reached=[personas.study_of(personas.BP).pk])
    assert [app["pk"] for app in browser_of(mary).get(APPS).context["apps"]] == [stdio().pk]


def test_somebody_without_apps_reads_so_and_nobody_sees_those_of_others(mary: User) -> None:
    tokens(mary)
    stranger = browser_of(UserFactory())
    assert "There are none." in text(stranger.get(APPS))
    assert stranger.get(page_of_stdio()).status_code == 404
    assert stranger.post(page_of_stdio(), {"withdraw": "on"}).status_code == 404
    assert ClientConsent.objects.count() == 1


@pytest.mark.parametrize("path", ["", "1/"])
def test_nobody_sees_apps_without_a_login(db: None, path: str) -> None:
    for response in (Client().get(APPS + path), Client().post(APPS + path)):
        assert response.status_code in (302, 405)


def test_the_pages_are_guarded(mary: User) -> None:
    tokens(mary)
    for path in (APPS, page_of_stdio()):
        page = browser_of(mary).get(path)
        assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
        assert "no-store" in page["Cache-Control"]


def test_the_name_of_an_app_is_text(mary: User) -> None:
    tokens(mary)
    Application.objects.update(name="<script>alert(1)</script>\u202e")
    for path in (APPS, page_of_stdio()):
        assert "<script>" not in browser_of(mary).get(path).content.decode()
    done = browser_of(mary).post(page_of_stdio(), {"withdraw": "on"}, follow=True).content.decode()
    assert "<script>" not in done


# Taken back


def test_withdrawing_ends_every_code_and_token_of_the_client_at_once(mary: User) -> None:
    given, other, code = tokens(mary), tokens(mary), flow.code(mary)
    assert rest(given["access_token"]).get("/api/v1/studies").status_code == 200
    assert press_withdraw(mary)["Location"] == APPS
    assert rest(given["access_token"]).get("/api/v1/studies").status_code == 401
    for one in (given, other):
        assert not stands(one["access_token"])
        assert not stands(one["id_token"])
        assert flow.refused(flow.refresh(one["refresh_token"])) == "invalid_grant"
    assert flow.refused(flow.redeem(code)) == "invalid_grant"
    for model in (ClientConsent, ConsentedToken, AccessToken, IDToken, Grant):
        assert not model.objects.exists()
    assert not RefreshToken.objects.filter(revoked=None).exists()


def test_withdrawing_leaves_other_clients_and_other_people_alone(mary: User, web_app: Application) -> None:
    victor = personas.user_of("viewer_victor")
    theirs, here = tokens(victor), flow.tokens(mary)
    callback = "https://notebook.example.org/callback"
    web = flow.redeem(
        flow.code_for_web(mary, web_app, callback),
        client_id=web_app.client_id,
        redirect_uri=callback,
        client_secret="a secret of the notebook",
    ).json()
    press_withdraw(mary)
    assert stands(theirs["access_token"])
    assert stands(web["access_token"])
    assert not stands(here["access_token"])


def test_withdrawing_takes_its_narrowing_along(mary: User) -> None:
    tokens(mary, reached=[personas.study_of(personas.BP).pk])
    press_withdraw(mary)
    assert not Narrowing.objects.exists()


def test_withdrawing_leaves_an_audit_row(mary: User) -> None:
    tokens(mary)
    press_withdraw(mary)
    row = AuditEvent.objects.get(action="withdraw_client_consent")
    assert (row.door, row.user_id) == ("web", mary.pk)
    assert row.detail == {"client": STDIO_CLIENT_ID, "person": mary.pk}


def test_another_site_withdraws_nothing_for_somebody(mary: User) -> None:
    tokens(mary)
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(mary)
    assert browser.post(page_of_stdio(), {"withdraw": "on"}).status_code == 403
    assert browser.get(page_of_stdio(), {"withdraw": "on"}).status_code == 200
    assert ClientConsent.objects.exists()


def test_a_refresh_that_is_under_way_when_the_consent_is_withdrawn_gets_nothing_that_lasts(mary: User) -> None:
    """Withdrawn before the refresh has its turn: it finds none."""
    given = flow.tokens(mary)
    ClientConsent.objects.all().delete()
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["code", "refresh_token"])
def test_what_is_given_while_a_consent_is_being_withdrawn_ends_with_it(
    mary: User, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The exchange has its turn; the withdrawal comes in the middle, waits, and ends what the exchange gave."""
    code = flow.code(mary)
    given = flow.redeem(flow.code(mary)).json() if what == "refresh_token" else {}
    application, actor = stdio(), personas.principal_of(mary)
    begun = threading.Event()

    def withdraw_meanwhile() -> None:
        begun.set()
        try:
            withdraw(actor=actor, door="test", user=mary, application=application)
        finally:
            connection.close()

    thread = threading.Thread(target=withdraw_meanwhile)

    def claims(user: User, narrowing: int | None) -> dict:
        if not begun.is_set():
            thread.start()
            begun.wait(60)
            _until_somebody_waits()
        return claims_of(user, narrowing)

    monkeypatch.setattr(tokens_module, "claims_of", claims)
    response = flow.redeem(code) if what == "code" else flow.refresh(given["refresh_token"])
    thread.join(60)
    fresh = response.json()
    assert response.status_code == 200
    assert not stands(fresh["access_token"])
    assert not stands(fresh["id_token"])
    assert flow.refused(flow.refresh(fresh["refresh_token"])) == "invalid_grant"
    assert not AccessToken.objects.exists()
    assert not ClientConsent.objects.exists()


def _until_somebody_waits() -> None:
    """Until another connection waits for a lock: the withdrawal has come as far as it can."""
    for _ in range(20_000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return
    raise AssertionError("The withdrawal does not wait for the exchange.")


@pytest.mark.django_db(transaction=True)
def test_two_senders_of_a_refresh_with_a_withdrawal_between_them_are_both_out(mary: User) -> None:
    given = flow.tokens(mary)
    first = flow.refresh(given["refresh_token"]).json()
    withdraw(actor=None, door="test", user=mary, application=stdio())
    assert flow.refused(flow.refresh(given["refresh_token"])) == "invalid_grant"
    assert flow.refused(flow.refresh(first["refresh_token"])) == "invalid_grant"
    assert not stands(first["access_token"])


# Made less


def test_a_client_can_be_left_fewer_studies_with_every_token_that_it_has(mary: User) -> None:
    kept, lost = personas.study_of(personas.BP), personas.study_of(personas.BP_AND_HR)
    given, opaque = tokens(mary), issue(mary, scopes=("openid", "user/*.rs"))["access_token"]
    page = browser_of(mary).get(page_of_stdio())
    assert {pk for pk, _ in page.context["form"].fields["reached"].choices} == {kept.pk, lost.pk}
    browser_of(mary).post(page_of_stdio(), {"reached": [kept.pk]})
    for token in (given["access_token"], opaque):
        assert [row["id"] for row in rest(token).get("/api/v1/studies").json()["results"]] == [kept.pk]
    renewed = flow.refresh(given["refresh_token"]).json()
    assert flow.verified(renewed["access_token"], settings.MCP_URL)["jhe_permissions"]["studies"] == [kept.pk]
    assert f"these studies: {kept.name}" in text(browser_of(mary).get(APPS))
    row = AuditEvent.objects.get(action="narrow_client_consent")
    assert row.detail == {"client": STDIO_CLIENT_ID, "studies": [kept.pk]}


def test_a_client_is_never_left_more_than_it_had(mary: User) -> None:
    kept, other = personas.study_of(personas.BP), personas.study_of(personas.BP_AND_HR)
    given = tokens(mary, reached=[kept.pk])
    page = browser_of(mary).get(page_of_stdio())
    assert [pk for pk, _ in page.context["form"].fields["reached"].choices] == [kept.pk]
    assert browser_of(mary).post(page_of_stdio(), {"reached": [kept.pk, other.pk]}).status_code == 400
    assert browser_of(mary).post(page_of_stdio(), {"reached": [other.pk]}).status_code == 400
    assert browser_of(mary).post(page_of_stdio(), {}).status_code == 400
    assert [row["id"] for row in rest(given["access_token"]).get("/api/v1/studies").json()["results"]] == [kept.pk]


def test_not_even_the_action_itself_leaves_more_than_there_was(mary: User) -> None:
    kept, other = personas.study_of(personas.BP), personas.study_of(personas.BP_AND_HR)
    given = tokens(mary, reached=[kept.pk])
    less = {"actor": personas.principal_of(mary), "door": "test", "user": mary, "application": stdio()}
    leave(**less, reach={"studies": [kept.pk, other.pk]})
    with pytest.raises(InvalidInput):  # of the organization, it had one study
        leave(**less, reach={"organizations": [kept.organization_id]})
    assert [row["id"] for row in rest(given["access_token"]).get("/api/v1/studies").json()["results"]] == [kept.pk]


def test_two_logins_of_one_client_keep_of_what_each_had_what_is_left(mary: User) -> None:
    first, second = personas.study_of(personas.BP), personas.study_of(personas.BP_AND_HR)
    narrow, wide = tokens(mary, reached=[first.pk]), tokens(mary)
    browser_of(mary).post(page_of_stdio(), {"reached": [second.pk]})
    assert rest(narrow["access_token"]).get("/api/v1/studies").json()["results"] == []
    assert [row["id"] for row in rest(wide["access_token"]).get("/api/v1/studies").json()["results"]] == [second.pk]


# Linked


def test_every_token_that_comes_of_a_login_knows_its_consent(mary: User) -> None:
    given = flow.tokens(mary)
    first = flow.refresh(given["refresh_token"]).json()
    flow.refresh(given["refresh_token"])
    flow.refresh(first["refresh_token"])
    assert ConsentedToken.objects.count() == AccessToken.objects.count() == 2
    assert ClientConsent.objects.get().family == RefreshToken.objects.first().token_family


def test_a_token_made_on_the_machine_itself_is_among_the_connected_apps(mary: User) -> None:
    issue(mary)
    assert [app["pk"] for app in browser_of(mary).get(APPS).context["apps"]] == [stdio().pk]
    press_withdraw(mary)
    assert not AccessToken.objects.exists()


def test_a_consent_without_tokens_is_forgotten_when_a_fresh_one_says_as_much(mary: User) -> None:
    given = flow.tokens(mary)
    Client().post("/o/revoke_token/", {"token": given["refresh_token"], "client_id": STDIO_CLIENT_ID})
    ClientConsent.objects.update(given=timezone.now() - timedelta(hours=2))
    flow.tokens(mary)
    assert ClientConsent.objects.count() == 1


def test_a_consent_with_tokens_is_kept_beside_a_fresh_one(mary: User) -> None:
    given = flow.tokens(mary)
    ClientConsent.objects.update(given=timezone.now() - timedelta(days=20))
    flow.tokens(mary)
    assert ClientConsent.objects.count() == 2
    assert stands(given["access_token"])


# Beyond what was agreed to


def test_a_client_that_was_let_in_here_gets_no_token_for_mcp(mary: User) -> None:
    code = flow.code(mary, resource=None)
    assert flow.refused(flow.redeem(code, resource=settings.MCP_URL)) == "invalid_target"
    given = flow.tokens(mary, resource=None)
    assert flow.refused(flow.refresh(given["refresh_token"], resource=settings.MCP_URL)) == "invalid_target"
