"""The consent page: who asks, for what, and which studies; what is answered is what becomes of it."""

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from oauth2_provider.models import AccessToken, Application, Grant

from core.models import AuditEvent, ClientConsent, Narrowing, OrganizationClient, User
from core.oauth import narrowing_form
from tests import personas
from tests.factories import EnrolmentFactory, MembershipFactory, PatientFactory, StudyFactory, UserFactory
from tests.oauth import flow

CALLBACK = "https://notebook.example.org/callback"


@pytest.fixture
def browser(mary: User) -> Client:
    return browser_of(mary)


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(page: HttpResponse) -> str:
    return " ".join(page.content.decode().split())


def granted(page: HttpResponse, **changes) -> dict:
    """What the token endpoint gives for an answer to the page."""
    response = flow.redeem(flow.said(flow.answer(page, **changes))["code"])
    assert response.status_code == 200, response.content
    return response.json()


# Who asks


def test_the_page_says_who_vouches_for_the_client(browser: Client, web_app: Application) -> None:
    def known() -> str:
        return text(flow.ask(browser, client_id=web_app.client_id, redirect_uri=CALLBACK))

    assert "registered by the administrators of this exchange" in known()
    OrganizationClient.objects.create(application=web_app, organization=personas.organization_of("Lifespan Lab"))
    assert "It was registered by Lifespan Lab." in known()
    Application.objects.filter(pk=web_app.pk).update(registration_source="dcr")
    assert "It registered itself: nobody has checked its name" in known()
    cimd = "https://app.example.org/client.json"
    Application.objects.filter(pk=web_app.pk).update(registration_source="cimd", client_id=cimd)
    web_app.client_id = cimd
    Application.objects.filter(pk=web_app.pk).update(cimd_expires_at="2999-01-01T00:00Z")
    assert "It is known by what app.example.org says about it" in known()
    assert "It belongs to this exchange." in text(flow.ask(browser))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ('"><img src=x onerror=alert(1)>', "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;"),
        ("{{ request.user }}{% csrf_token %}", "{{ request.user }}{% csrf_token %}"),
        ("Good\u202eelif\u2066 app\u200b", "Good elif app"),
        ("Two\r\nlines", "Two lines"),
        ("\u202e\u200b", "cohort-notebook"),
        ("a" * 255, "a" * 79 + "…"),
    ],
)
def test_a_name_is_shown_as_text_that_pretends_nothing(
    browser: Client, web_app: Application, name: str, shown: str
) -> None:
    Application.objects.filter(pk=web_app.pk).update(name=name)
    page = flow.ask(browser, client_id=web_app.client_id, redirect_uri=CALLBACK).content.decode()
    assert f"<h1>Allow <bdi>{shown}</bdi> to use your account?</h1>" in page


def test_the_page_names_the_account_and_offers_another_login(browser: Client, mary: User) -> None:
    page = flow.ask(browser)
    assert f"You are logged in as {mary.email}." in text(page)
    assert "prompt=login" in page.context["another_account"]


# The page itself


def test_the_page_runs_nothing_is_framed_nowhere_and_lets_the_answer_go_where_it_says(
    browser: Client, web_app: Application
) -> None:
    page = flow.ask(browser, client_id=web_app.client_id, redirect_uri=CALLBACK)
    policy = page["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert policy.endswith("form-action 'self' https://notebook.example.org")
    assert (page["X-Frame-Options"], page["Referrer-Policy"]) == ("DENY", "same-origin")
    assert "no-store" in page["Cache-Control"]
    assert "<script" not in page.content.decode()
    assert flow.ask(browser)["Content-Security-Policy"].endswith("form-action 'self' http://127.0.0.1:49152")
    ipv6 = flow.ask(browser, redirect_uri="http://[::1]:49152/callback")
    assert ipv6["Content-Security-Policy"].endswith("form-action 'self' http:")


def test_a_refusal_is_guarded_like_the_page(browser: Client) -> None:
    page = flow.ask(browser, client_id="nobody")
    assert page.status_code == 400
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert "no-store" in page["Cache-Control"]


def test_every_box_has_a_label(browser: Client) -> None:
    page = flow.ask(browser, scope="openid mcp offline_access").content.decode()
    assert page.count('type="checkbox"') == page.count("<label") == 3


# What it asks for


def test_each_scope_is_told_once_in_words_and_nothing_is_hidden(browser: Client) -> None:
    scope = "openid email offline_access user/*.rs user/*.cruds user/Observation.c mcp"
    form = flow.ask(browser, scope=scope).context["form"]
    assert [(group, [part.scope for part, _ in parts]) for group, parts in form.grouped()] == [
        ("About you", ["openid", "email"]),
        ("Studies and health data", ["user/*.rs", "user/*.cud", "user/Observation.c", "mcp"]),
        ("For how long", ["offline_access"]),
    ]


def test_the_page_says_by_which_door(browser: Client) -> None:
    assert "MCP, for AI assistants" in text(flow.ask(browser))
    assert "REST and FHIR, for programs" in text(flow.ask(browser, resource=None))
    both = text(flow.ask(browser, resource=[settings.MCP_URL, settings.BASE_URL]))
    assert "MCP, for AI assistants; REST and FHIR, for programs" in both


def test_a_client_gets_less_when_something_is_unticked_and_is_told(browser: Client) -> None:
    scope = "openid email offline_access user/*.cruds user/Observation.c mcp"
    given = granted(flow.ask(browser, scope=scope), scopes=["email", "offline_access"])
    assert given["scope"] == "openid email offline_access user/*.rs mcp"
    assert flow.granted(given["access_token"]) == ClientConsent.objects.get().scope == given["scope"]
    assert flow.refused(flow.refresh(given["refresh_token"], scope=scope)) == "invalid_scope"


def test_a_client_gets_the_scopes_that_it_asked_for_when_all_stay_ticked(browser: Client) -> None:
    scope = "openid offline_access user/*.cruds mcp"
    assert granted(flow.ask(browser, scope=scope))["scope"] == scope


def test_what_a_client_cannot_do_without_is_not_unticked_and_nothing_is_added(browser: Client) -> None:
    given = granted(flow.ask(browser, scope="openid mcp email"), scopes=["email"])
    assert given["scope"] == "openid mcp email"
    refused = flow.answer(flow.ask(browser, scope="openid mcp email"), scopes=["email", "user/*.cruds"])
    assert refused.status_code == 400
    assert Grant.objects.count() == 0


def test_leaving_nothing_is_not_an_answer(browser: Client) -> None:
    response = flow.answer(flow.ask(browser, scope="user/Observation.c"), scopes=[])
    assert response.status_code == 400
    assert "Leave it one at least, or press Cancel." in text(response)


# Which studies


def test_a_practitioner_sees_the_studies_that_the_client_will_reach(browser: Client) -> None:
    form = flow.ask(browser).context["form"]
    assert [label for _, label in form.fields["reached"].choices] == [
        "Lifespan Study on BP & HR (Lifespan Lab)",
        "Lifespan Study on BP (Lifespan Lab)",
    ]


def test_all_ticked_means_everything_also_what_comes_later(browser: Client, mary: User) -> None:
    given = granted(flow.ask(browser))
    assert ClientConsent.objects.get().narrowing is None
    assert "narrowing" not in flow.verified(given["access_token"], settings.MCP_URL)
    assert not Narrowing.objects.exists()


def test_a_client_that_is_narrowed_to_one_study_has_it_in_every_token_and_after_each_refresh(
    browser: Client, mary: User
) -> None:
    study = personas.study_of(personas.BP)
    given = granted(flow.ask(browser, resource=[settings.MCP_URL, settings.BASE_URL]), reached=[study.pk])
    narrowing = ClientConsent.objects.get().narrowing
    assert list(narrowing.studies.all()) == [study]
    raced = flow.refresh(given["refresh_token"]).json()
    for tokens in (given, raced, flow.refresh(given["refresh_token"]).json()):
        access = flow.verified(tokens["access_token"], settings.MCP_URL)
        id_token = flow.verified(tokens["id_token"], "jhe-mcp-stdio")
        for claims in (access, id_token):
            assert claims["narrowing"] == narrowing.pk
            assert claims["jhe_permissions"]["studies"] == [study.pk]
    assert ClientConsent.objects.get().tokens.count() == AccessToken.objects.count() == 2


def test_a_narrowed_client_reaches_no_other_study_over_rest(browser: Client) -> None:
    study, other = personas.study_of(personas.BP), personas.study_of(personas.BP_AND_HR)
    scope = "openid user/*.rs"
    given = granted(flow.ask(browser, scope=scope, resource=None), reached=[study.pk])
    app = Client(headers={"Authorization": f"Bearer {given['access_token']}"})
    assert [row["id"] for row in app.get("/api/v1/studies").json()["results"]] == [study.pk]
    assert app.get(f"/api/v1/studies/{other.pk}").status_code in (403, 404)
    userinfo = app.get("/o/userinfo/").json()
    assert userinfo["jhe_permissions"]["studies"] == [study.pk]


def test_a_patient_chooses_among_the_studies_they_take_part_in(demo_world: None) -> None:
    peter = personas.user_of("ll_patient_peter")
    page = flow.ask(browser_of(peter), scope="openid patient/*.rs", resource=None)
    study = personas.study_of(personas.BP)
    assert {pk for pk, _ in page.context["form"].fields["reached"].choices} == {
        personas.study_of(personas.BP_AND_HR).pk,
        study.pk,
    }
    granted(page, reached=[study.pk])
    assert list(ClientConsent.objects.get().narrowing.studies.all()) == [study]


def test_somebody_in_no_study_is_told_so(db: None) -> None:
    page = flow.ask(browser_of(UserFactory()))
    assert "You are in no study at the moment." in text(page)
    granted(page)


def test_a_login_that_reaches_no_data_asks_for_no_studies(browser: Client) -> None:
    form = flow.ask(browser, scope="openid email").context["form"]
    assert "reached" not in form.fields


def test_no_study_at_all_is_not_an_answer(browser: Client) -> None:
    response = flow.answer(flow.ask(browser), reached=[])
    assert response.status_code == 400
    assert "Leave it one at least, or press Cancel." in text(response)
    assert not Grant.objects.exists()


@pytest.mark.parametrize("invented", ["0", "-1", "x", "99999999999999999999", "\0", ""])
def test_a_study_of_others_or_none_in_the_form_is_refused(browser: Client, invented: str) -> None:
    for reached in ([personas.study_of(personas.BP).pk, personas.study_of(personas.O2).pk], [invented]):
        response = flow.answer(flow.ask(browser), reached=reached)
        assert response.status_code == 400
    assert not Grant.objects.exists()
    assert not Narrowing.objects.exists()


def test_a_study_that_came_while_the_page_was_open_is_not_among_those_agreed_to(browser: Client) -> None:
    page = flow.ask(browser)
    StudyFactory(organization=personas.organization_of("Lifespan Lab"))
    granted(page)
    assert ClientConsent.objects.get().narrowing.studies.count() == 2


def test_a_study_that_went_while_the_page_was_open_is_said(browser: Client) -> None:
    page = flow.ask(browser)
    personas.study_of(personas.BP).delete()
    response = flow.answer(page)
    assert response.status_code == 400
    assert "What you reach has changed meanwhile" in text(response)


def test_somebody_in_very_many_studies_chooses_organizations(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing_form, "MAX_LISTED", 2)
    membership = MembershipFactory()
    second = MembershipFactory(practitioner=membership.practitioner).organization
    studies = [StudyFactory(organization=organization) for organization in (membership.organization, second, second)]
    page = flow.ask(browser_of(membership.practitioner.user))
    assert "Organizations, with all of their studies" in text(page)
    given = granted(page, reached=[second.pk])
    permissions = flow.verified(given["access_token"], settings.MCP_URL)["jhe_permissions"]
    assert permissions["studies"] == [study.pk for study in studies[1:]]
    MembershipFactory(practitioner=membership.practitioner)
    assert "too much to list here" in text(flow.ask(browser_of(membership.practitioner.user)))


def test_a_patient_who_is_a_practitioner_too_narrows_both_at_once(db: None) -> None:
    membership = MembershipFactory()
    own = EnrolmentFactory(patient=PatientFactory(user=membership.practitioner.user)).study
    StudyFactory(organization=membership.organization)
    form = flow.ask(browser_of(membership.practitioner.user)).context["form"]
    assert len(form.fields["reached"].choices) == 2
    assert own.pk in [pk for pk, _ in form.fields["reached"].choices]


def test_an_answer_leaves_one_audit_row_with_what_was_granted(browser: Client, mary: User) -> None:
    study = personas.study_of(personas.BP)
    granted(flow.ask(browser), reached=[study.pk])
    row = AuditEvent.objects.get(action="give_client_consent")
    assert (row.door, row.user_id, row.patient_ids) == ("oauth", mary.pk, [])
    assert row.detail == {"client": "jhe-mcp-stdio", "scope": "openid mcp", "studies": [study.pk]}
    flow.answer(flow.ask(browser), allow=False)
    assert AuditEvent.objects.filter(action="give_client_consent").count() == 1


def test_who_unticks_that_a_client_stays_connected_gives_it_no_refresh_token(browser: Client) -> None:
    scope = "openid mcp offline_access"
    page = flow.ask(browser, scope=scope)
    code = flow.said(flow.answer(page, scopes=[]))["code"]
    tokens = flow.redeem(code).json()
    assert tokens["scope"].split() == ["openid", "mcp"]
    assert "refresh_token" not in tokens
    assert flow.redeem(code).status_code == 400, "the code comes again"
    assert not AccessToken.objects.exists(), "and ends what it gave"
    assert "refresh_token" in flow.redeem(flow.said(flow.answer(flow.ask(browser, scope=scope)))["code"]).json()
    assert "refresh_token" in flow.redeem(flow.said(flow.answer(flow.ask(browser, scope="openid mcp")))["code"]).json()
