"""What a superuser does in the admin: make things, be refused with a sentence, and leave a trail."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import authenticate
from django.test import Client, RequestFactory
from oauth2_provider.models import Application
from pytest_django.fixtures import Settings

from core.models import (
    AuditEvent,
    CodeableConcept,
    ConsentHistory,
    Organization,
    Patient,
    PatientIdentifier,
    PractitionerOrganization,
    Study,
    StudyPatient,
    StudyPatientScopeConsent,
    StudyScopeRequest,
    User,
)
from tests import personas
from tests.factories import (
    CodeFactory,
    ConsentFactory,
    EnrolmentFactory,
    MembershipFactory,
    ObservationFactory,
    OrganizationFactory,
    PatientFactory,
    PatientIdentifierFactory,
    StudyFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def superuser() -> User:
    return UserFactory(is_staff=True, is_superuser=True)


@pytest.fixture
def admin(superuser: User) -> Client:
    client = Client()
    client.force_login(superuser)
    return client


def inline(prefix: str, *rows: dict[str, Any], initial: int = 0) -> dict[str, Any]:
    """The part of a form that belongs to one inline."""
    data: dict[str, Any] = {f"{prefix}-TOTAL_FORMS": len(rows), f"{prefix}-INITIAL_FORMS": initial}
    for number, row in enumerate(rows):
        data |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return data


NO_STUDY_INLINES = {**inline("scope_requests"), **inline("data_source_links"), **inline("client_links")}


def errors(response: Any) -> list[str]:
    """Every error that the form shows; an empty list for a form that was saved."""
    context = response.context
    return [str(error) for errors in context["errors"] for error in errors] if context else []


# What an admin must be able to make


def test_an_organization_is_made(admin: Client) -> None:
    parent = OrganizationFactory()
    data = {"name": "New Lab", "type": "laboratory", "part_of": parent.pk}
    response = admin.post("/admin/core/organization/add/", data)
    assert response.status_code == 302
    assert Organization.objects.get(name="New Lab").part_of == parent


def test_a_study_is_made_with_its_scopes_sources_and_clients(admin: Client) -> None:
    organization, first, second = OrganizationFactory(), CodeFactory(), CodeFactory()
    client = Application.objects.get(client_id="jhe-mcp-stdio")
    data = {
        "name": "New Study",
        "description": "",
        "organization": organization.pk,
        "icon_url": "",
        **inline("scope_requests", {"code": first.pk}, {"code": second.pk}),
        **inline("data_source_links"),
        **inline("client_links", {"client": client.pk}),
    }
    response = admin.post("/admin/core/study/add/", data)
    assert errors(response) == []
    study = Study.objects.get(name="New Study")
    assert list(study.scopes.all()) == [first, second]
    assert list(study.clients.all()) == [client]


def member(**changes: Any) -> dict[str, Any]:
    return {
        "email": "New.Person@Example.com",
        "first_name": "New",
        "last_name": "Person",
        "password1": "a long and unusual one",
        "password2": "a long and unusual one",
        "organization": "",
        "role": "",
        **changes,
    }


def test_a_member_is_made_with_login_and_role_in_one_step(admin: Client) -> None:
    organization = OrganizationFactory()
    response = admin.post("/admin/core/user/add/", member(organization=organization.pk, role="manager"))
    assert errors(response) == []
    user = User.objects.get(email="new.person@example.com")
    assert user.check_password("a long and unusual one")
    assert not user.is_staff
    membership = PractitionerOrganization.objects.get(practitioner__user=user)
    assert (membership.organization, membership.role) == (organization, "manager")
    assert authenticate(RequestFactory().post("/"), email=user.email, password="a long and unusual one") == user


def test_a_user_without_a_membership_is_no_practitioner(admin: Client) -> None:
    admin.post("/admin/core/user/add/", member())
    assert not hasattr(User.objects.get(email="new.person@example.com"), "practitioner")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password2": "something else entirely"}, "The two password fields didn’t match."),
        ({"password1": "12345678", "password2": "12345678"}, "This password is too common."),
        ({"role": "manager"}, "Choose both an organization and a role, or neither."),
        ({"role": "superuser"}, "Select a valid choice. superuser is not one of the available choices."),
        ({"email": "nobody"}, "Enter a valid email address."),
    ],
)
def test_a_member_is_refused_with_a_sentence(admin: Client, changes: dict[str, str], sentence: str) -> None:
    assert sentence in errors(admin.post("/admin/core/user/add/", member(**changes)))
    assert not User.objects.filter(email="new.person@example.com").exists()


def test_one_address_makes_one_account_in_whatever_case(admin: Client) -> None:
    UserFactory(email="new.person@example.com")
    assert errors(admin.post("/admin/core/user/add/", member())) != []


def test_a_member_gets_a_second_role_on_the_practitioners_page(admin: Client) -> None:
    membership, other = MembershipFactory(role="viewer"), OrganizationFactory()
    practitioner = membership.practitioner
    rows = [
        {"id": membership.pk, "practitioner": practitioner.pk, "organization": membership.organization_id},
        {"practitioner": practitioner.pk, "organization": other.pk},
    ]
    data = {
        "user": practitioner.user_id,
        **inline("memberships", *[{**row, "role": "member"} for row in rows], initial=1),
    }
    response = admin.post(f"/admin/core/practitioner/{practitioner.pk}/change/", data)
    assert errors(response) == []
    assert list(practitioner.memberships.values_list("organization_id", "role")) == [
        (membership.organization_id, "member"),
        (other.pk, "member"),
    ]


def test_the_superuser_switch_also_opens_the_admin(admin: Client) -> None:
    user = UserFactory()
    data = {"email": user.email, "first_name": "", "last_name": "", "is_active": "on", "is_superuser": "on"}
    assert errors(admin.post(f"/admin/core/user/{user.pk}/change/", data)) == []
    user.refresh_from_db()
    assert (user.is_superuser, user.is_staff) == (True, True)


def test_a_new_password_is_set_and_hashed(admin: Client) -> None:
    user = UserFactory()
    data = {"password1": "a long and unusual one", "password2": "a long and unusual one", "usable_password": "true"}
    assert admin.post(f"/admin/core/user/{user.pk}/password/", data).status_code == 302
    user.refresh_from_db()
    assert user.check_password("a long and unusual one")


def application(**changes: str) -> dict[str, str]:
    return {
        "client_id": "a-notebook",
        "name": "A notebook",
        "client_type": "confidential",
        "client_secret": "copied-before-saving",
        "authorization_grant_type": "authorization-code",
        "redirect_uris": "https://notebook.example.com/callback",
        "algorithm": "RS256",
        **changes,
    }


def test_an_oauth_application_is_made_and_its_secret_hashed(admin: Client) -> None:
    response = admin.post("/admin/oauth2_provider/application/add/", application())
    assert errors(response) == []
    made = Application.objects.get(client_id="a-notebook")
    assert made.redirect_uris == "https://notebook.example.com/callback"
    assert "copied-before-saving" not in made.client_secret


def test_an_application_cannot_be_made_to_skip_the_consent_page(admin: Client) -> None:
    assert "skip_authorization" not in admin.get("/admin/oauth2_provider/application/add/").content.decode()
    admin.post("/admin/oauth2_provider/application/add/", application(skip_authorization="on"))
    assert not Application.objects.get(client_id="a-notebook").skip_authorization


def test_changing_an_application_keeps_its_secret(admin: Client) -> None:
    admin.post("/admin/oauth2_provider/application/add/", application())
    made = Application.objects.get(client_id="a-notebook")
    data = application(name="Another name", client_secret="")
    assert errors(admin.post(f"/admin/oauth2_provider/application/{made.pk}/change/", data)) == []
    assert Application.objects.get(pk=made.pk).client_secret == made.client_secret


@pytest.mark.parametrize("grant", ["password", "implicit", "openid-hybrid"])
def test_an_application_for_a_forbidden_grant_is_refused(admin: Client, grant: str) -> None:
    data = application(authorization_grant_type=grant)
    assert errors(admin.post("/admin/oauth2_provider/application/add/", data)) != []


# What the database refuses is an error of the form, with the input kept


def test_a_loop_of_organizations_is_an_error_of_the_form(admin: Client) -> None:
    top = OrganizationFactory()
    below = OrganizationFactory(part_of=OrganizationFactory(part_of=top))
    data = {"name": "Kept input", "type": "laboratory", "part_of": below.pk}
    response = admin.post(f"/admin/core/organization/{top.pk}/change/", data)
    assert errors(response) == ["An organization cannot be part of one of its own sub-organizations."]
    assert "Kept input" in response.content.decode()
    top.refresh_from_db()
    assert top.part_of is None


def consent(study: Study, patient: Patient, code: CodeableConcept) -> dict[str, Any]:
    return {"study": study.pk, "patient": patient.pk, "code": code.pk, "consented": "on"}


def test_a_consent_of_somebody_not_enrolled_is_an_error_of_the_form(admin: Client) -> None:
    code = CodeFactory()
    data = consent(StudyFactory(scopes=[code]), PatientFactory(), code)
    response = admin.post("/admin/core/studypatientscopeconsent/add/", data)
    assert errors(response) == ["The patient is not enrolled in this study: enrol the patient first."]


def test_a_consent_to_what_nobody_asked_for_is_an_error_of_the_form(admin: Client) -> None:
    enrolment = EnrolmentFactory()
    data = consent(enrolment.study, enrolment.patient, CodeFactory())
    response = admin.post("/admin/core/studypatientscopeconsent/add/", data)
    assert errors(response) == ["The study does not request this scope: add it to the study first."]


def test_an_enrolment_of_another_organizations_patient_is_an_error_of_the_form(admin: Client) -> None:
    study, patient = StudyFactory(), PatientFactory()
    data = {"study": study.pk, "patient": patient.pk, "enrolled_at_0": "2026-09-01", "enrolled_at_1": "12:00"}
    (sentence,) = errors(admin.post("/admin/core/studypatient/add/", data))
    assert "does not belong to organization" in sentence
    assert not StudyPatient.objects.exists()


def test_an_identifier_of_another_patient_is_an_error_of_the_form(admin: Client) -> None:
    taken = PatientIdentifierFactory()
    data = {"patient": PatientFactory().pk, "system": taken.system, "value": taken.value}
    assert errors(admin.post("/admin/core/patientidentifier/add/", data)) != []
    assert PatientIdentifier.objects.count() == 1


# Consents and enrolments, by an admin


def test_a_consent_given_and_withdrawn_in_the_admin_says_who_did_it(admin: Client, superuser: User) -> None:
    code = CodeFactory()
    enrolment = EnrolmentFactory(study=StudyFactory(scopes=[code]))
    data = consent(enrolment.study, enrolment.patient, code)
    assert errors(admin.post("/admin/core/studypatientscopeconsent/add/", data)) == []
    given = StudyPatientScopeConsent.objects.get()
    assert errors(admin.post(f"/admin/core/studypatientscopeconsent/{given.pk}/change/", {})) == []
    assert list(ConsentHistory.objects.values_list("before", "after", "user_id", "method")) == [
        (None, True, superuser.pk, "admin"),
        (True, False, superuser.pk, "admin"),
    ]
    withdrawn = StudyPatientScopeConsent.objects.get()
    assert withdrawn.consented_time > given.consented_time


def test_deleting_an_enrolment_ends_its_consents_and_keeps_their_history(admin: Client, superuser: User) -> None:
    given = ConsentFactory()
    enrolment = StudyPatient.objects.get()
    assert admin.post(f"/admin/core/studypatient/{enrolment.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not StudyPatientScopeConsent.objects.exists()
    last = ConsentHistory.objects.last()
    assert last is not None
    assert (last.patient_id, last.before, last.after, last.user_id) == (given.patient_id, True, None, superuser.pk)


def test_taking_a_scope_from_a_study_ends_the_consents_to_it(admin: Client, superuser: User) -> None:
    given = ConsentFactory()
    request = StudyScopeRequest.objects.get()
    data = {
        "name": "Study",
        "organization": given.study.organization_id,
        **NO_STUDY_INLINES,
        **inline("scope_requests", {"id": request.pk, "study": given.study_id, "DELETE": "on"}, initial=1),
    }
    assert errors(admin.post(f"/admin/core/study/{given.study_id}/change/", data)) == []
    assert not StudyPatientScopeConsent.objects.exists()
    assert ConsentHistory.objects.filter(after=None, user_id=superuser.pk).count() == 1
    assert trail(superuser) == [("end_scope", "success", [given.patient_id])]


def test_deleting_scope_requests_names_whose_consents_end(admin: Client, superuser: User) -> None:
    code = CodeFactory()
    studies = [StudyFactory(scopes=[code]) for _ in range(3)]
    first, second = (ConsentFactory(study=study, code=code) for study in studies[:2])
    one, *others = StudyScopeRequest.objects.order_by("pk")
    admin.post(f"/admin/core/studyscoperequest/{one.pk}/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [other.pk for other in others], "post": "yes"}
    admin.post("/admin/core/studyscoperequest/", chosen)
    assert not StudyScopeRequest.objects.exists()
    assert not StudyPatientScopeConsent.objects.exists()
    events = AuditEvent.objects.order_by("pk").values_list("action", "user_id", "study_id", "patient_ids")
    assert list(events) == [
        ("end_scope", superuser.pk, given.study_id, [given.patient_id]) for given in (first, second)
    ]


# What has a history stays


def refusal_to_delete(admin: Client, url: str) -> list[str]:
    response = admin.post(url, {"post": "yes"})
    assert response.status_code == 200
    return [str(sentence) for sentence in response.context["protected"]]


def test_a_patient_with_data_or_a_consent_history_stays(admin: Client) -> None:
    with_data = ObservationFactory().patient
    consented = ConsentFactory().patient
    for patient in (with_data, consented):
        (sentence,) = refusal_to_delete(admin, f"/admin/core/patient/{patient.pk}/delete/")
        assert "has observations or a consent history" in sentence
    assert Patient.objects.count() == 2


def delete_selected(admin: Client, model: str, *pks: int) -> str:
    data = {"action": "delete_selected", "_selected_action": pks, "post": "yes"}
    return admin.post(f"/admin/core/{model}/", data, follow=True).content.decode()


def test_deleting_from_a_list_refuses_too(admin: Client) -> None:
    kept, unused = ObservationFactory().code, CodeFactory()
    assert "has observations" in delete_selected(admin, "codeableconcept", kept.pk, unused.pk)
    assert CodeableConcept.objects.count() == 2
    assert "Successfully deleted 1" in delete_selected(admin, "codeableconcept", unused.pk)


def test_patients_are_not_deleted_by_the_list(admin: Client) -> None:
    patient = PatientFactory()
    delete_selected(admin, "patient", patient.pk)
    assert Patient.objects.get() == patient


def test_a_study_a_code_an_organization_and_a_user_with_history_stay(admin: Client, superuser: User) -> None:
    given = ConsentFactory()
    root = OrganizationFactory(pk=0, name="ROOT", type="root")
    full = OrganizationFactory()
    PatientFactory(organizations=[full])
    admin.get("/admin/core/patient/")
    for url, words in (
        (f"study/{given.study_id}", "has or had patients"),
        (f"codeableconcept/{given.code_id}", "is requested by a study"),
        (f"organization/{root.pk}", "root of all organizations"),
        (f"organization/{full.pk}", "has patients"),
        (f"user/{superuser.pk}", "named in the audit trail"),
    ):
        (sentence,) = refusal_to_delete(admin, f"/admin/core/{url}/delete/")
        assert words in sentence
    assert refusal_to_delete(admin, f"/admin/core/organization/{given.study.organization_id}/delete/")


def test_what_has_no_history_goes(admin: Client) -> None:
    patient, organization = PatientFactory(), OrganizationFactory()
    assert admin.post(f"/admin/core/patient/{patient.pk}/delete/", {"post": "yes"}).status_code == 302
    assert admin.post(f"/admin/core/organization/{organization.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Patient.objects.exists()
    assert not Organization.objects.exists()


@pytest.mark.parametrize("model", ["auditevent", "consenthistory", "observation", "observationidentifier"])
def test_what_happened_and_what_was_sent_is_read_only(admin: Client, model: str) -> None:
    ConsentFactory()
    ObservationFactory()
    admin.get("/admin/core/patient/")
    assert admin.get(f"/admin/core/{model}/add/").status_code == 403
    for row in (AuditEvent, ConsentHistory):
        pk = row.objects.latest("pk").pk
        url = f"/admin/core/{row._meta.model_name}/{pk}"
        assert admin.post(f"{url}/change/", {"user_id": 1}).status_code == 403
        assert admin.post(f"{url}/delete/", {"post": "yes"}).status_code == 403


# The trail


def trail(superuser: User) -> list[tuple[str, str, list[int]]]:
    events = AuditEvent.objects.filter(door="admin", user_id=superuser.pk).order_by("pk")
    return list(events.values_list("action", "outcome", "patient_ids"))


def test_a_list_of_patients_leaves_one_row_with_whom_it_showed(admin: Client, superuser: User) -> None:
    first, second = PatientFactory(), PatientFactory()
    admin.get("/admin/core/patient/")
    assert trail(superuser) == [("GET admin:core_patient_changelist", "success", [first.pk, second.pk])]
    assert AuditEvent.objects.get().source == "127.0.0.1"


@pytest.mark.parametrize("said", ["<script>alert(1)</script>", "9" * 60_000, "192.0.2.7, 192.0.2.8", ""])
def test_what_is_no_address_does_not_reach_the_trail(admin: Client, said: str) -> None:
    admin.get("/admin/core/patient/", REMOTE_ADDR=said)
    assert AuditEvent.objects.get().source == ""


def test_the_address_is_what_the_proxy_says_in_its_own_header_alone(admin: Client, settings: Settings) -> None:
    settings.CLIENT_IP = "HTTP_FLY_CLIENT_IP"
    forged = {"X-Forwarded-For": "203.0.113.9"}
    admin.get("/admin/core/patient/", headers={"Fly-Client-IP": "192.0.2.7", **forged})
    admin.get("/admin/core/patient/", headers=forged)
    assert list(AuditEvent.objects.order_by("pk").values_list("source", flat=True)) == ["192.0.2.7", ""]


def test_a_patients_pages_leave_one_row_each(admin: Client, superuser: User) -> None:
    patient = PatientFactory()
    for kind in ("change", "history", "delete"):
        admin.get(f"/admin/core/patient/{patient.pk}/{kind}/")
    assert trail(superuser) == [
        (f"GET admin:core_patient_{kind}", "success", [patient.pk]) for kind in ("change", "history", "delete")
    ]


def test_a_new_patient_leaves_one_row(admin: Client, superuser: User) -> None:
    data = {"name_family": "F", "name_given": "G", "gender": "other", **inline("identifiers")}
    assert errors(admin.post("/admin/core/patient/add/", {**data, **inline("patient_organizations")})) == []
    assert trail(superuser) == [("POST admin:core_patient_add", "success", [Patient.objects.get().pk])]


def suggestions(admin: Client, term: str, model: str, field: str) -> list[str]:
    asked = {"term": term, "app_label": "core", "model_name": model, "field_name": field}
    return [result["id"] for result in admin.get("/admin/autocomplete/", asked).json()["results"]]


@pytest.mark.parametrize("term", ["Unmistakable", "who@example.org", "MRN-7", "", "nobody has this"])
def test_a_search_while_typing_leaves_one_row_with_whom_it_showed(admin: Client, superuser: User, term: str) -> None:
    patient = PatientFactory(name_family="Unmistakable", telecom_email="who@example.org")
    PatientIdentifierFactory(patient=patient, value="MRN-7")
    shown = suggestions(admin, term, "studypatient", "patient")
    assert shown == ([] if term.startswith("nobody") else [str(patient.pk)])
    assert trail(superuser) == [("GET admin:autocomplete", "success", [int(pk) for pk in shown])]


def test_a_search_while_typing_names_the_patients_behind_logins_and_observations(
    admin: Client, superuser: User
) -> None:
    patient = PatientFactory(user=UserFactory(email="peter@example.org"))
    assert suggestions(admin, "peter@", "patient", "user") == [str(patient.user_id)]
    given = ConsentFactory(patient=patient)
    seen = ObservationFactory(patient=patient, code=given.code)
    assert suggestions(admin, str(patient.pk), "observationidentifier", "observation") == [str(seen.pk)]
    assert trail(superuser) == [("GET admin:autocomplete", "success", [patient.pk])] * 2


def test_a_search_while_typing_for_what_tells_of_nobody_leaves_no_row(admin: Client) -> None:
    study = StudyFactory()
    assert suggestions(admin, study.name, "studypatient", "study") == [str(study.pk)]
    assert not AuditEvent.objects.exists()


def test_a_search_while_typing_is_closed_to_everybody_else() -> None:
    client = Client()
    client.force_login(UserFactory(is_staff=True))
    asked = {"term": "", "app_label": "core", "model_name": "studypatient", "field_name": "patient"}
    assert client.get("/admin/autocomplete/", asked).status_code == 302
    assert not AuditEvent.objects.exists()


def test_what_is_not_there_leaves_a_refused_row(admin: Client, superuser: User) -> None:
    admin.get("/admin/core/patient/99/change/")
    assert trail(superuser) == [("GET admin:core_patient_change", "refused", [])]


def test_an_observation_without_consent_looks_missing_to_a_superuser_too(admin: Client, superuser: User) -> None:
    given = ConsentFactory()
    seen = ObservationFactory(patient=given.patient, code=given.code)
    unseen = ObservationFactory(patient=given.patient)
    assert admin.get(f"/admin/core/observation/{seen.pk}/change/").status_code == 200
    forbidden = admin.get(f"/admin/core/observation/{unseen.pk}/change/")
    missing = admin.get("/admin/core/observation/99/change/")
    assert (forbidden.status_code, forbidden.url) == (missing.status_code, missing.url)  # type: ignore[attr-defined]
    assert [outcome for _, outcome, _ in trail(superuser)] == ["success", "refused", "refused"]
    changelist = admin.get("/admin/core/observation/").context["cl"]
    assert list(changelist.result_list) == [seen]


def test_withdrawing_consent_closes_the_admin_on_the_next_request(admin: Client) -> None:
    given = ConsentFactory()
    seen = ObservationFactory(patient=given.patient, code=given.code)
    url = f"/admin/core/observation/{seen.pk}/change/"
    assert admin.get(url).status_code == 200
    StudyPatientScopeConsent.objects.update(consented=False)
    assert admin.get(url).status_code == 302


def test_no_name_of_a_patient_reaches_the_admins_own_log(admin: Client) -> None:
    patient = PatientFactory(name_family="Unmistakable")
    data = {"name_family": "Unmistakable", "name_given": "Changed", "gender": "other"}
    url = f"/admin/core/patient/{patient.pk}/change/"
    assert errors(admin.post(url, {**data, **inline("identifiers"), **inline("patient_organizations")})) == []
    entry = LogEntry.objects.get()
    assert "Unmistakable" not in f"{entry.object_repr} {entry.change_message}"


def test_the_trail_is_searched_by_the_id_of_a_patient(admin: Client) -> None:
    patient = PatientFactory()
    admin.get(f"/admin/core/patient/{patient.pk}/change/")
    found = admin.get("/admin/core/auditevent/", {"q": str(patient.pk)}).context["cl"].result_list
    assert [event.patient_ids for event in found] == [[patient.pk]]


def test_personas_are_not_superusers() -> None:
    personas.seed_demo_world()
    assert list(User.objects.filter(is_staff=True).values_list("email", flat=True)) == ["admin@example.com"]
