"""An invitation makes the patient's account, and lets nobody but the patient into one that is there."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.cache import caches
from django.test import Client
from oauth2_provider.models import AccessToken, Application, Grant, IDToken, RefreshToken

from core.models import AuditEvent, Patient, PatientInvitation, PatientOrganization, User
from core.oauth import tokens as tokens_module
from core.oauth.claims import claims_of
from tests import personas
from tests.api.invited import a_patient, an_app, bearer, exchange, invite, redeem
from tests.bearer import token_of
from tests.factories import PatientFactory, UserFactory

pytestmark = [pytest.mark.usefixtures("demo_world"), pytest.mark.django_db]

PROFILE = "/api/v1/users/profile"


@pytest.fixture(autouse=True)
def no_requests_yet() -> Iterator[None]:
    """None counted, that is, of the few that one address may make."""
    caches["process"].clear()
    yield
    caches["process"].clear()


@pytest.fixture
def app() -> Application:
    return an_app()


@pytest.fixture
def nora() -> Patient:
    return a_patient()


def log_in(patient: Patient, app: Application) -> dict[str, str]:
    """By a first invitation, which makes the account: the tokens that the app has then."""
    token = invite(patient, app).json()["token"]
    tokens: dict[str, str] = exchange(redeem(token).json(), token).json()
    patient.refresh_from_db()
    return tokens


def mailed_token() -> str:
    """Of the link in the newest message."""
    found = re.search(r"open\?code=localhost%3A8000_(\w{32})\n", mail.outbox[-1].body)
    assert found is not None
    return found[1]


# A patient who logs in


def test_tom_does_not_become_a_patient_who_has_a_login_elsewhere():
    percy, app = personas.patient_of("npl_patient_percy"), an_app(personas.O2)
    cosmic = personas.organization_of("Cosmic Cardio Lab")
    PatientOrganization.objects.create(patient=percy, organization=cosmic)
    Patient.objects.filter(pk=percy.pk).update(telecom_email="tom@test.invalid")
    for more in ({}, {"sendEmail": True}):
        refused = invite(percy, app, "three_org_tom", **more)
        assert refused.status_code == 409
        assert "has a login already: the app sends them to the exchange's login page" in refused.json()["detail"]
    assert not PatientInvitation.objects.exists()
    assert not Grant.objects.exists()
    assert not mail.outbox
    refusals = AuditEvent.objects.filter(patient_ids=[percy.pk], user_id=personas.user_of("three_org_tom").pk)
    assert set(refusals.values_list("action", "outcome")) == {("POST api/v1/invitation", "refused")}


@pytest.mark.parametrize("change", [{"is_superuser": True}, {"is_staff": True}, {"is_active": False}])
def test_an_account_with_rights_or_without_life_is_not_entered_by_invitation(app, nora, change):
    log_in(nora, app)
    assert invite(nora, app, sendEmail=True).status_code == 201
    User.objects.filter(pk=nora.user_id).update(**change)
    assert invite(nora, app, sendEmail=True).status_code == 409
    assert redeem(mailed_token()).status_code == 409
    assert not Grant.objects.exists()


def test_a_patient_who_became_a_practitioner_logs_in_themselves(app, nora):
    log_in(nora, app)
    invite(nora, app, sendEmail=True)
    as_practitioner = personas.user_of("viewer_victor").practitioner
    as_practitioner.user = nora.user
    as_practitioner.save()
    assert redeem(mailed_token()).status_code == 409
    assert invite(nora, app, sendEmail=True).status_code == 409


def test_a_patient_who_got_a_password_meanwhile_logs_in_with_it(app, nora):
    log_in(nora, app)
    invite(nora, app, sendEmail=True)
    nora.user.set_password("a password that nobody else knows")
    nora.user.save()
    refused = redeem(mailed_token())
    assert (refused.status_code, "has a login already" in refused.json()["detail"]) == (409, True)


# A patient whose account only an invitation opens


def test_whoever_invites_again_is_told_that_only_an_email_will_do(app, nora):
    log_in(nora, app)
    refused = invite(nora, app)
    assert (refused.status_code, "so set sendEmail" in refused.json()["detail"]) == (409, True)
    assert PatientInvitation.objects.get().status == "redeemed"


def test_an_invitation_into_an_account_reaches_nobody_but_the_patient(app, nora):
    log_in(nora, app)
    Patient.objects.filter(pk=nora.pk).update(telecom_email="megan@test.invalid")
    said = invite(nora, app, sendEmail=True)
    assert (said.status_code, said.json()["status"]) == (201, "issued")
    assert (said.json()["token"], said.json()["invitationLink"]) == (None, None)
    (message,) = mail.outbox
    assert message.to == ["nora@test.invalid"]
    assert "Apps that you use so far are logged out then." in message.body
    token = mailed_token()
    assert token not in said.content.decode()

    tokens = exchange(redeem(token).json(), token).json()
    profile = bearer(tokens["access_token"]).get(PROFILE).json()
    assert (profile["id"], profile["patient"]["id"]) == (nora.user_id, nora.pk)
    assert User.objects.filter(email__endswith="@test.invalid").count() == 1


def test_redeeming_it_ends_everything_that_the_account_had_given(app, nora):
    tokens = log_in(nora, app)
    elsewhere = token_of(nora.user)
    Grant.objects.create(
        user=nora.user, application=app, code="an old code", expires="2099-01-01T00:00Z", redirect_uri="https://x"
    )
    bystander = token_of(personas.user_of("ll_patient_peter"))
    invite(nora, app, sendEmail=True)
    assert bearer(tokens["access_token"]).get(PROFILE).status_code == 200  # until it is redeemed

    answer = redeem(mailed_token()).json()
    for ended in (tokens["access_token"], tokens["id_token"], elsewhere):
        assert bearer(ended).get(PROFILE).status_code == 401
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": app.client_id}
    assert Client().post("/o/token/", again).json()["error"] == "invalid_grant"
    assert [grant.code for grant in Grant.objects.all()] == [answer["grant"]["code"]]
    assert bearer(bystander).get(PROFILE).status_code == 200
    for model in (AccessToken, IDToken):
        assert not model.objects.filter(user=nora.user).exists()
    assert not RefreshToken.objects.filter(user=nora.user, revoked=None).exists()
    assert exchange(answer, mailed_token()).status_code == 200


def test_a_refresh_that_is_under_way_meanwhile_gives_nothing(app, nora, monkeypatch):
    lost = log_in(nora, app)["refresh_token"]
    invite(nora, app, sendEmail=True)

    def redeem_it(user: User, narrowing: int | None) -> dict[str, Any]:
        assert redeem(mailed_token()).status_code == 200
        return claims_of(user, narrowing)

    monkeypatch.setattr(tokens_module, "claims_of", redeem_it)  # between looking the token up and saving its successor
    again = {"grant_type": "refresh_token", "refresh_token": lost, "client_id": app.client_id}
    assert Client().post("/o/token/", again).json()["error"] == "invalid_grant"
    assert not AccessToken.objects.filter(user=nora.user).exists()


def test_where_no_email_can_be_sent_there_is_no_way_back_in(app, nora, monkeypatch):
    log_in(nora, app)
    monkeypatch.setattr(settings, "CAN_SEND_EMAIL", False)
    assert invite(nora, app, sendEmail=True).status_code == 503
    assert PatientInvitation.objects.get().status == "redeemed"


def test_an_invitation_does_not_outlive_the_address_that_it_was_sent_to(app, nora):
    log_in(nora, app)
    invite(nora, app, sendEmail=True)
    User.objects.filter(pk=nora.user_id).update(email="nora@elsewhere.invalid")
    refused = redeem(mailed_token())
    assert (refused.status_code, "is not what it was" in refused.json()["detail"]) == (409, True)


def test_an_invitation_opens_no_other_account_that_the_patient_came_to_have(app, nora):
    log_in(nora, app)
    invite(nora, app, sendEmail=True)
    Patient.objects.filter(pk=nora.pk).update(user=UserFactory())
    assert redeem(mailed_token()).status_code == 409
    assert not Grant.objects.exists()


# A patient who had no account when they were invited


def test_a_first_invitation_does_not_open_an_account_that_came_to_be_meanwhile(app, nora):
    kept = invite(nora, an_app()).json()["token"]
    tokens = log_in(nora, app)
    refused = redeem(kept)
    assert (refused.status_code, "a first invitation does not open" in refused.json()["detail"]) == (409, True)
    assert not Grant.objects.exists()
    assert bearer(tokens["access_token"]).get(PROFILE).status_code == 200


def test_a_first_invitation_that_is_issued_again_to_an_account_becomes_the_patients_alone(app, nora):
    other = an_app()
    old = invite(nora, other).json()
    log_in(nora, app)
    new = invite(nora, other, sendEmail=True).json()
    assert (new["id"], new["status"], new["token"]) == (old["id"], "reissued", None)
    assert redeem(old["token"]).status_code == 404
    assert redeem(mailed_token()).status_code == 200


def test_the_account_is_made_by_the_address_that_the_invitation_was_issued_for(app, nora):
    token = invite(nora, app).json()["token"]
    Patient.objects.filter(pk=nora.pk).update(telecom_email="changed@test.invalid")
    assert redeem(token).status_code == 200
    assert Patient.objects.get(pk=nora.pk).user.email == "nora@test.invalid"


def test_a_patient_without_an_email_is_refused_with_what_to_do(app):
    patient = PatientFactory(organizations=[personas.organization_of("Lifespan Lab")])
    response = invite(patient, app)
    assert (response.status_code, "has no e-mail" in response.json()["detail"]) == (409, True)


@pytest.mark.parametrize("name", ["admin", "manager_mark", "npl_patient_percy"])
def test_an_email_in_a_record_opens_nobodys_account(app, name):
    patient = a_patient(telecom_email=personas.user_of(name).email.upper())
    refused = invite(patient, app)
    assert (refused.status_code, "cannot become a login" in refused.json()["detail"]) == (409, True)
    assert not PatientInvitation.objects.exists()


def test_an_account_that_waits_for_nobody_is_not_taken_either(app, nora):
    token = invite(nora, app).json()["token"]
    UserFactory(email="nora@test.invalid")
    assert redeem(token).status_code == 409
    assert not Grant.objects.exists()
    assert Patient.objects.get(pk=nora.pk).user is None
    assert PatientInvitation.objects.get().status == "issued"


def test_the_app_of_an_invitation_is_among_the_patients_connected_apps_until_they_withdraw_it(app, nora):
    tokens = log_in(nora, app)
    nora.refresh_from_db()
    browser = Client()
    browser.force_login(nora.user)
    [shown] = browser.get("/account/apps/").context["apps"]
    assert shown["pk"] == app.pk
    browser.post(f"/account/apps/{app.pk}/", {"withdraw": "on"})
    assert bearer(tokens["access_token"]).get(PROFILE).status_code == 401
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": app.client_id}
    assert Client().post("/o/token/", again).json()["error"] == "invalid_grant"
