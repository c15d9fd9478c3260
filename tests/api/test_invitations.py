"""/invitation: a patient is invited to an app; the app exchanges link for grant, and grant for tokens."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.conf import settings
from django.core import mail
from django.core.cache import caches
from django.db import IntegrityError, transaction
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, Grant

from core.models import AuditEvent, Patient, PatientInvitation
from core.web.logs import WithoutSecrets
from tests import personas
from tests.api.invited import INVITATION, a_patient, an_app, as_, bearer, exchange, invite, redeem
from tests.factories import OrganizationClientFactory

pytestmark = [pytest.mark.usefixtures("demo_world"), pytest.mark.django_db]


@pytest.fixture(autouse=True)
def no_requests_yet() -> Iterator[None]:
    """None counted, that is, of the few that one address may make."""
    caches["process"].clear()
    yield
    caches["process"].clear()


@pytest.fixture
def app() -> Application:
    """An app that sends data for a study of Lifespan Lab."""
    return an_app()


@pytest.fixture
def nora() -> Patient:
    """A patient of the lab without a login."""
    return a_patient()


def test_a_patient_comes_by_an_invitation_from_link_to_data(app, nora):
    issued = invite(nora, app)
    assert issued.status_code == 201
    said = issued.json()
    token = said["token"]
    invitation = PatientInvitation.objects.get()
    assert said == {
        "id": invitation.pk,
        "patientId": nora.pk,
        "client_id": app.client_id,
        "token": token,
        "status": "issued",
        "expires": said["expires"],
        "lastUpdated": said["lastUpdated"],
        "invitationLink": f"https://app.test.invalid/open?code={quote('localhost:8000', safe='')}_{token}",
    }
    assert len(token) == 32

    redeemed = redeem(token)
    assert redeemed.status_code == 200
    answer = redeemed.json()
    assert answer.keys() == {"grant", "token_endpoint", "expires"}
    assert answer["token_endpoint"] == f"{settings.BASE_URL}/o/token/"
    grant = answer["grant"]
    assert grant.keys() == {"grant_type", "redirect_uri", "client_id", "code"}
    assert (grant["grant_type"], grant["client_id"]) == ("authorization_code", app.client_id)
    assert grant["redirect_uri"] == "https://app.test.invalid/callback"

    tokens = exchange(answer, token).json()
    assert tokens["scope"] == "openid offline_access patient/*.cruds"
    profile = bearer(tokens["access_token"]).get("/api/v1/users/profile").json()
    assert (profile["patient"]["id"], profile["userType"]) == (nora.pk, "patient")
    assert (profile["email"], profile["firstName"]) == ("nora@test.invalid", "Nora")
    assert bearer(tokens["access_token"]).get(f"/api/v1/patients/{nora.pk}/consents").status_code == 200
    assert "refresh_token" in tokens


def test_neither_token_nor_link_are_shown_again_and_only_a_hash_is_kept(app, nora):
    said = invite(nora, app).json()
    row = PatientInvitation.objects.values().get()
    assert said["token"] not in str(row)
    for path in (INVITATION, f"{INVITATION}/{said['id']}"):
        shown = as_("member_megan").get(path)
        assert said["token"] not in shown.content.decode()
        assert row["token_hash"] not in shown.content.decode()
        assert "invitationLink" not in shown.content.decode()


def test_the_new_account_has_no_password_and_no_rights_but_the_patients_own(app, nora):
    redeem(invite(nora, app).json()["token"])
    nora.refresh_from_db()
    account = nora.user
    assert not account.has_usable_password()
    assert (account.is_staff, account.is_superuser, hasattr(account, "practitioner")) == (False, False, False)


def test_every_step_is_in_the_trail(app, nora):
    token = invite(nora, app).json()["token"]
    redeem(token)
    events = (
        AuditEvent.objects.filter(patient_ids__contains=[nora.pk])
        .order_by("id")
        .values_list("action", "user_id", "detail")
    )
    nora.refresh_from_db()
    megan = personas.user_of("member_megan").pk
    assert list(events) == [
        ("invitation_issued", megan, {}),
        ("invitation_redeemed", nora.user_id, {"issued_by": megan}),
    ]


# What the token endpoint refuses


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 43},
        {"code_verifier": ""},
        {"client_id": "jhe-mcp-stdio"},
        {"redirect_uri": "https://evil.example.org/"},
        {"code": "another"},
    ],
)
def test_a_grant_is_of_no_use_without_the_link_that_it_came_from(app, nora, changes):
    token = invite(nora, app).json()["token"]
    assert exchange(redeem(token).json(), token, **changes).status_code in (400, 401)
    assert not AccessToken.objects.filter(application=app).exists()


def test_a_grant_works_once_and_for_ten_minutes(app, nora):
    token = invite(nora, app).json()["token"]
    answer = redeem(token).json()
    Grant.objects.update(expires=timezone.now())
    assert exchange(answer, token).status_code == 400
    Grant.objects.update(expires=timezone.now() + timedelta(minutes=1))
    assert exchange(answer, token).status_code == 200
    assert exchange(answer, token).status_code == 400


def test_a_confidential_app_still_needs_its_secret(app, nora):
    Application.objects.filter(pk=app.pk).update(client_type="confidential")
    token = invite(nora, app).json()["token"]
    assert exchange(redeem(token).json(), token).json()["error"] == "invalid_client"


# The five states


def test_a_token_that_was_never_issued_is_unknown(app, nora):
    invite(nora, app)
    for token in ("x" * 32, "x", "🔑"):
        response = redeem(token)
        assert (response.status_code, response.json()["detail"][:19]) == (404, "No such invitation:")


def test_an_invitation_works_once(app, nora):
    token = invite(nora, app).json()["token"]
    assert redeem(token).status_code == 200
    again = redeem(token)
    assert (again.status_code, again.json()["detail"][:28]) == (409, "The invitation was used alre")
    assert status_of() == "redeemed"


def test_an_invitation_expires_after_a_week(app, nora):
    said = invite(nora, app).json()
    invitation = PatientInvitation.objects.get()
    assert timedelta(days=6, hours=23) < invitation.expires - timezone.now() <= timedelta(days=7)
    PatientInvitation.objects.update(expires=timezone.now())
    assert redeem(said["token"]).status_code == 410
    assert status_of() == "expired"
    assert not Grant.objects.exists()


def test_a_cancelled_invitation_is_refused_and_its_row_stays(app, nora):
    said = invite(nora, app).json()
    assert as_("manager_mary").delete(f"{INVITATION}/{said['id']}").status_code == 204
    assert redeem(said["token"]).status_code == 403
    assert status_of() == "cancelled"
    assert as_("manager_mary").delete(f"{INVITATION}/{said['id']}").status_code == 204
    assert AuditEvent.objects.filter(action="invitation_cancelled", patient_ids=[nora.pk]).exists()


def test_a_redeemed_invitation_is_not_cancelled(app, nora):
    said = invite(nora, app).json()
    redeem(said["token"])
    assert as_("manager_mary").delete(f"{INVITATION}/{said['id']}").status_code == 409


@pytest.mark.parametrize("expired", [False, True])
def test_inviting_again_gives_a_new_token_and_the_old_one_is_unknown(app, nora, expired):
    old = invite(nora, app).json()
    if expired:
        PatientInvitation.objects.update(expires=timezone.now())
    new = invite(nora, app).json()
    assert (new["id"], new["status"]) == (old["id"], "reissued")
    assert redeem(old["token"]).status_code == 404
    assert redeem(new["token"]).status_code == 200


def test_after_one_was_cancelled_a_patient_is_invited_anew(app, nora):
    old = invite(nora, app).json()
    as_("manager_mary").delete(f"{INVITATION}/{old['id']}")
    new = invite(nora, app).json()
    assert (new["id"] != old["id"], new["status"]) == (True, "issued")
    assert redeem(new["token"]).status_code == 200


def test_the_database_holds_one_open_invitation_of_a_patient_to_an_app(app, nora):
    invite(nora, app)
    with pytest.raises(IntegrityError), transaction.atomic():
        PatientInvitation.objects.create(
            patient=nora, client=app, token_hash="0" * 64, expires=timezone.now() + timedelta(days=1)
        )


# Who may invite whom to what


@pytest.mark.parametrize(
    ("by", "status"),
    [
        ("admin", 201),
        ("manager_mary", 201),
        ("member_megan", 201),
        ("viewer_victor", 403),
        ("three_org_tom", 403),
        ("manager_mark", 404),
        ("ll_patient_peter", 404),
    ],
)
def test_only_who_manages_the_patient_invites(app, nora, by, status):
    assert invite(nora, app, by).status_code == status
    assert PatientInvitation.objects.exists() is (status == 201)


def test_a_patient_does_not_invite_themselves(app):
    assert invite(personas.patient_of("ll_patient_peter"), app, "ll_patient_peter").status_code == 403


def test_only_apps_of_studies_that_one_manages_in_the_patients_organizations_are_invited_to(app, nora):
    percy = personas.patient_of("npl_patient_percy")
    assert invite(percy, app, "manager_mark").status_code == 404  # his patient, another's app
    foreign = OrganizationClientFactory(organization=personas.organization_of("Lifespan Lab")).application
    assert invite(nora, foreign).status_code == 404  # of no study
    missing = as_("member_megan").post(
        INVITATION, {"patientId": nora.pk, "clientId": "nobody"}, content_type="application/json"
    )
    assert missing.status_code == 404
    assert not PatientInvitation.objects.exists()


def test_the_app_may_be_named_by_the_number_of_its_row_too(app, nora):
    body = {"patientId": nora.pk, "clientId": app.pk}
    assert as_("member_megan").post(INVITATION, body, content_type="application/json").status_code == 201


def test_an_app_without_a_link_to_invite_with_is_refused(app, nora):
    app.organization_client.invitation_url = ""
    app.organization_client.save()
    response = invite(nora, app)
    assert (response.status_code, "has no invitationUrl" in response.json()["detail"]) == (400, True)


@pytest.mark.parametrize("missing", ["patient_id", "client_id"])
def test_patient_and_app_are_named(app, nora, missing):
    body = {"patient_id": nora.pk, "client_id": app.client_id}
    del body[missing]
    assert as_("member_megan").post(INVITATION, body, content_type="application/json").status_code == 400


# Lists, e-mail, limits


def test_who_manages_the_patients_lists_their_invitations(app, nora, django_assert_num_queries):
    invite(nora, app)
    invite(a_patient(telecom_email="noah@test.invalid"), app)
    client = as_("manager_mary")
    with django_assert_num_queries(3):  # the token, the page, the audit row
        rows = client.get(INVITATION).json()["results"]
    assert [row["status"] for row in rows] == ["issued", "issued"]
    assert [row["id"] for row in client.get(INVITATION, {"patientId": nora.pk}).json()["results"]] == [rows[0]["id"]]
    assert client.get(INVITATION, {"client_id": "nobody"}).json()["results"] == []
    assert AuditEvent.objects.filter(action="GET api/v1/invitation", patient_ids__contains=[nora.pk]).exists()
    for name in ("viewer_victor", "manager_mark", "ll_patient_peter"):
        assert as_(name).get(INVITATION).json()["results"] == []
        assert as_(name).get(f"{INVITATION}/{rows[0]['id']}").status_code == 404
        assert as_(name).delete(f"{INVITATION}/{rows[0]['id']}").status_code == 404


def test_the_link_goes_to_the_patient_by_email_when_asked_for(app, nora):
    link = invite(nora, app, sendEmail=True).json()["invitationLink"]
    (message,) = mail.outbox
    assert message.to == ["Nora@test.invalid"]
    assert link in message.body
    assert "within 7 days" in message.body
    invite(nora, app)
    assert len(mail.outbox) == 1


def test_where_no_email_can_be_sent_nothing_has_happened(app, nora, settings):
    settings.CAN_SEND_EMAIL = False
    assert invite(nora, app, send_email=True).status_code == 503
    assert not PatientInvitation.objects.exists()
    assert invite(nora, app).status_code == 201


def test_guessing_is_slowed_down_for_each_address(settings):
    settings.ANONYMOUS_RATE_LIMIT = "3/d"
    assert [redeem(f"guess-{n}").status_code for n in range(4)] == [404, 404, 404, 429]


def test_no_log_holds_the_token(app, nora):
    token = invite(nora, app).json()["token"]
    assert [redeem(token).status_code for _ in range(2)] == [200, 409]
    record = logging.LogRecord("django.request", 30, "", 0, "Conflict: %s", (f"{INVITATION}/{token}",), None)
    assert WithoutSecrets().filter(record)
    assert record.getMessage() == "Conflict: /api/v1/invitation/…"
    assert settings.LOGGING["handlers"]["stderr"]["filters"] == ["without_secrets"]
    assert settings.LOGGING["root"]["handlers"] == ["stderr"]


def status_of() -> str:
    (row,) = as_("manager_mary").get(INVITATION).json()["results"]
    return row["status"]
