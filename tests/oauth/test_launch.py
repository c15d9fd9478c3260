"""SMART App Launch 2.2, standalone: which patient an app is about, and who uses it."""

from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client as Browser

from core.models import Narrowing, PatientOrganization, PractitionerOrganization, User
from tests import personas
from tests.bearer import client_of
from tests.factories import PatientFactory, PatientIdentifierFactory, UserFactory
from tests.oauth import flow

pytestmark = [pytest.mark.usefixtures("demo_world"), pytest.mark.django_db]

SCOPE = "launch/patient openid fhirUser patient/*.rs"
FHIR = f"{settings.BASE_URL}/FHIR/R5"


def browser_of(name: str) -> Browser:
    browser = Browser()
    browser.force_login(personas.user_of(name))
    return browser


def page_for(name: str, /, **changes: Any) -> HttpResponse:
    request = {"scope": SCOPE, "aud": FHIR, "resource": None, **changes}
    return flow.ask(browser_of(name), **request)


def launched(name: str, patient: str | None = None, /, **changes: Any) -> dict[str, Any]:
    """What the token endpoint says to an app that this person let know a patient."""
    page = page_for(name, **changes)
    answer = flow.answer(page, **({} if patient is None else {"patient": patient}))
    said: dict[str, Any] = flow.redeem(flow.said(answer)["code"]).json()
    return said


def ids(token: str, path: str) -> set[str]:
    response = Browser(headers={"Authorization": f"Bearer {token}"}).get(path)
    assert response.status_code == 200, response.content
    return {entry["resource"]["id"] for entry in response.json()["entry"] if entry["search"]["mode"] == "match"}


def peters() -> str:
    return str(personas.patient_of("ll_patient_peter").pk)


def test_a_patients_app_is_told_who_they_are() -> None:
    said = launched("ll_patient_peter")
    assert said["patient"] == peters()
    claims = flow.verified(said["id_token"], "jhe-mcp-stdio")
    assert claims["fhirUser"] == f"{FHIR}/Patient/{peters()}"
    assert ids(said["access_token"], "/FHIR/R5/Patient") == {peters()}


def test_the_patient_is_named_again_when_the_token_is_refreshed() -> None:
    said = launched("ll_patient_peter")
    assert flow.refresh(said["refresh_token"]).json()["patient"] == peters()


def test_who_does_not_ask_is_not_told() -> None:
    said = launched("ll_patient_peter", scope="openid patient/*.rs")
    assert "patient" not in said
    assert "fhirUser" not in flow.verified(said["id_token"], "jhe-mcp-stdio")


def test_a_practitioner_who_chose_a_patient_lets_the_app_reach_that_one_alone() -> None:
    said = launched("manager_mary", peters())
    assert said["patient"] == peters()
    practitioner = personas.user_of("manager_mary").practitioner
    assert flow.verified(said["id_token"], "jhe-mcp-stdio")["fhirUser"] == f"{FHIR}/Practitioner/{practitioner.pk}"
    assert ids(said["access_token"], "/FHIR/R5/Patient") == {peters()}
    browser = Browser(headers={"Authorization": f"Bearer {said['access_token']}"})
    pamela = personas.patient_of("ll_patient_pamela").pk
    assert browser.get(f"/FHIR/R5/Patient/{pamela}").status_code == 404
    assert browser.get(f"/FHIR/R5/Patient/{pamela}/$everything").status_code == 404
    assert browser.get(f"/api/v1/patients/{pamela}").status_code == 404
    assert browser.get("/FHIR/R5/Group").status_code == 200
    members = browser.get("/FHIR/R5/Consent").json()["entry"]
    assert {entry["resource"]["subject"]["reference"] for entry in members} == {f"Patient/{peters()}"}


def test_the_token_of_a_patient_in_context_shows_no_trail_of_other_patients() -> None:
    whole = flow.tokens(personas.user_of("manager_mary"), scope="user/*.rs", resource=None)["access_token"]
    one = launched("manager_mary", peters())["access_token"]
    pamela = personas.patient_of("ll_patient_pamela").pk
    ids(whole, f"/FHIR/R5/Patient?_id={pamela}")  # leaves a row
    about_pamela = f"/FHIR/R5/AuditEvent?patient=Patient/{pamela}"
    assert ids(whole, about_pamela)
    assert ids(one, about_pamela) == set()


def test_the_patient_may_be_named_by_identifier_or_e_mail() -> None:
    PatientIdentifierFactory(patient_id=int(peters()), value="MRN-7")
    assert launched("manager_mary", "MRN-7")["patient"] == peters()
    assert launched("manager_mary", " LL_Patient_Peter@example.com ")["patient"] == peters()


@pytest.mark.parametrize("said", ["", "nobody", "0", "9" * 30, "\0", "%", "Peter"])
def test_a_patient_who_is_none_is_refused_on_the_page(said: str) -> None:
    page = flow.answer(page_for("manager_mary"), patient=said)
    assert page.status_code == 400
    assert 'role="alert"' in page.content.decode()
    assert not Narrowing.objects.exists()


def test_a_patient_whom_one_does_not_see_looks_like_none_at_all() -> None:
    percy = personas.patient_of("npl_patient_percy")
    hidden = flow.answer(page_for("manager_mary"), patient=str(percy.pk))
    missing = flow.answer(page_for("manager_mary"), patient="49999")
    assert (hidden.status_code, missing.status_code) == (400, 400)
    sentence = "There is no patient, or more than one, of this name that you can see."
    assert sentence in hidden.content.decode()
    assert sentence in missing.content.decode()


def test_an_app_cannot_choose_the_patient_in_its_request() -> None:
    assert flow.answer(page_for("manager_mary", patient=peters())).status_code == 400


def test_the_choice_is_made_each_time_anew_and_not_without_the_practitioner() -> None:
    launched("manager_mary", peters())
    assert page_for("manager_mary").status_code == 200
    assert flow.said(page_for("manager_mary", prompt="none"))["error"] == "consent_required"


def test_once_the_practitioner_may_not_see_the_patient_any_more_neither_may_the_app() -> None:
    token = launched("manager_mary", peters())["access_token"]
    PatientOrganization.objects.filter(patient=int(peters())).exclude(organization__name="x").delete()
    assert ids(token, "/FHIR/R5/Patient") == set()
    PractitionerOrganization.objects.filter(practitioner__user__email="manager_mary@example.com").delete()
    assert ids(token, "/FHIR/R5/Patient") == set()


def test_once_the_patient_is_deleted_the_app_reaches_nobody() -> None:
    newcomer = PatientFactory()
    PatientOrganization.objects.create(patient=newcomer, organization=personas.study_of(personas.BP).organization)
    said = launched("manager_mary", str(newcomer.pk))
    assert ids(said["access_token"], "/FHIR/R5/Patient") == {str(newcomer.pk)}
    assert client_of(personas.user_of("admin")).delete(f"/api/v1/patients/{newcomer.pk}").status_code == 204
    kinds = ("Patient", "Observation", "Consent")
    assert [ids(said["access_token"], f"/FHIR/R5/{kind}") for kind in kinds] == [set()] * 3
    renewed = flow.refresh(said["refresh_token"]).json()["access_token"]
    assert [ids(renewed, f"/FHIR/R5/{kind}") for kind in kinds] == [set()] * 3


def test_somebody_without_a_record_has_no_patient_to_name() -> None:
    user: User = UserFactory()
    browser = Browser()
    browser.force_login(user)
    page = flow.ask(browser, scope=SCOPE, resource=None)
    assert flow.said(flow.answer(page))["error"] == "invalid_scope"


@pytest.mark.parametrize("aud", ["https://evil.example.org/FHIR/R5", f"{FHIR}.evil.example.org", "", FHIR[:-1]])
def test_an_app_that_would_send_its_token_to_another_server_is_refused(aud: str) -> None:
    assert flow.said(page_for("ll_patient_peter", aud=aud))["error"] == "invalid_request"


@pytest.mark.parametrize("aud", [FHIR, f"{FHIR}/", settings.BASE_URL, None])
def test_an_app_names_the_server_with_or_without_a_slash_or_not_at_all(aud: str | None) -> None:
    assert page_for("ll_patient_peter", aud=aud).status_code == 200
