"""/api/v1/patients/{id}/consents: what clients read, who answers for whom, and what each reader learns."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from core.models import AuditEvent, CodeableConcept, ConsentHistory, Study, StudyPatientScopeConsent
from core.seed import scopes
from core.seed.times import ENROLLED_AT
from tests.bearer import client_of
from tests.factories import ConsentFactory, StudyFactory
from tests.personas import BGL, BP, BP_AND_HR, BT, O2, organization_of, patient_of, seed_demo_world, study_of, user_of

pytestmark = pytest.mark.django_db

PRESSURE, RATE, OXYGEN = scopes.BLOOD_PRESSURE, scopes.HEART_RATE, scopes.OXYGEN_SATURATION


@pytest.fixture(autouse=True)
def world() -> None:
    seed_demo_world()


def as_(name: str, **fields: Any) -> Client:
    return client_of(user_of(name), **fields)


def url_of(patient: str) -> str:
    return f"/api/v1/patients/{patient_of(patient).pk}/consents"


def code_of(code: str) -> dict[str, Any]:
    row = CodeableConcept.objects.get(coding_code=code)
    return {"id": row.pk, "codingSystem": row.coding_system, "codingCode": code, "text": row.text}


def scope(code: str, consented: bool | None = True, *, system: str = "https://w3id.org/openmhealth") -> dict[str, Any]:
    named = {"codingSystem": system, "codingCode": code}
    return named if consented is None else {**named, "consented": consented}


def answers(study: Study, *given: dict[str, Any]) -> dict[str, Any]:
    return {"studyId": study.pk, "scopeConsents": list(given)}


def send(client: Client, verb: str, patient: str, *studies: Any, **more: Any) -> Any:
    body = {"studyScopeConsents": list(studies), **more}
    return getattr(client, verb)(url_of(patient), json.dumps(body), content_type="application/json")


def consented(patient: str) -> set[tuple[str, str, bool]]:
    given = StudyPatientScopeConsent.objects.filter(patient=patient_of(patient))
    return set(given.values_list("study__name", "code__coding_code", "consented"))


def trail() -> list[tuple[str, str, list[int], int | None]]:
    rows = AuditEvent.objects.filter(door="rest").order_by("pk")
    return list(rows.values_list("action", "outcome", "patient_ids", "study_id"))


def without_patient(answer: Any) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    del body["patient"]
    return body


def test_mary_reads_what_peter_said_and_what_he_was_asked() -> None:
    answered, asked, mary = study_of(BP_AND_HR), study_of(BP), as_("manager_mary")
    lab = organization_of("Lifespan Lab")
    answer = mary.get(url_of("ll_patient_peter")).json()
    assert answer["patient"] == mary.get(f"/api/v1/patients/{patient_of('ll_patient_peter').pk}").json()
    assert answer["consolidatedConsentedScopes"] == [code_of(PRESSURE), code_of(RATE)]
    [study] = answer["studies"]
    sources = study.pop("dataSources")
    assert [source["name"] for source in sources] == ["Wrist wearable", "Blood pressure cuff"]
    assert sources[1]["supportedScopes"] == [code_of(PRESSURE), code_of(RATE)]
    said = {"consented": True, "consentedTime": ENROLLED_AT.isoformat().replace("+00:00", "Z")}
    assert study == {
        "id": answered.pk,
        "name": BP_AND_HR,
        "description": answered.description,
        "iconUrl": "",
        "organization": {"id": lab.pk, "name": lab.name, "type": "laboratory"},
        "scopeConsents": [{"code": code_of(PRESSURE), **said}, {"code": code_of(RATE), **said}],
    }
    [pending] = answer["studiesPendingConsent"]
    assert pending["id"] == asked.pk
    assert pending["pendingScopeConsents"] == [{"code": code_of(PRESSURE), "consented": None, "consentedTime": None}]
    assert trail()[0][2] == [patient_of("ll_patient_peter").pk]


@pytest.mark.parametrize(
    ("person", "studies", "kinds"),
    [
        ("manager_mark", [BGL], [scopes.BLOOD_GLUCOSE]),
        ("three_org_tom", [O2], [OXYGEN]),
        ("ccl_cardio_patient_pat", [BGL, O2], [scopes.BLOOD_GLUCOSE, OXYGEN]),
        ("admin", [BGL, O2], [scopes.BLOOD_GLUCOSE, OXYGEN]),
    ],
)
def test_each_person_learns_of_pats_studies_as_far_as_they_reach(
    person: str, studies: list[str], kinds: list[str]
) -> None:
    answer = as_(person).get(url_of("ccl_cardio_patient_pat")).json()
    assert [study["name"] for study in answer["studies"]] == studies
    assert [code["codingCode"] for code in answer["consolidatedConsentedScopes"]] == kinds


def test_a_foreign_patients_consents_look_like_nobodys() -> None:
    megan, percy = as_("member_megan"), patient_of("npl_patient_percy")
    for pk in (percy.pk, 99_999_999):
        answer = megan.get(f"/api/v1/patients/{pk}/consents")
        assert (answer.status_code, answer.json()) == (404, {"detail": f"No patient {pk} that you can see."})


@pytest.mark.parametrize("method", ["post", "patch"])
def test_peter_answers_his_second_study_himself(method: str) -> None:
    peter, study = as_("ll_patient_peter"), study_of(BP)
    before = timezone.now()
    answer = send(peter, method, "ll_patient_peter", answers(study, scope(PRESSURE, False)))
    assert answer.status_code == 200
    assert without_patient(answer) == without_patient(peter.get(url_of("ll_patient_peter")))
    assert (BP, PRESSURE, False) in consented("ll_patient_peter")
    change = ConsentHistory.objects.latest("pk")
    assert (change.before, change.after, change.user_id) == (None, False, user_of("ll_patient_peter").pk)
    assert change.method == "rest"
    assert change.consented_time is not None
    assert change.consented_time >= before
    assert trail()[0] == ("record_consents", "success", [patient_of("ll_patient_peter").pk], study.pk)


def test_megan_records_a_paper_form_and_the_history_says_so() -> None:
    form = {"method": "paper form", "consentedTime": "2026-09-01T10:00:00+02:00"}
    answer = send(as_("member_megan"), "post", "ll_patient_peter", answers(study_of(BP), scope(PRESSURE)), **form)
    said = next(s for s in answer.json()["studies"] if s["name"] == BP)["scopeConsents"][0]
    assert (said["consented"], said["consentedTime"]) == (True, "2026-09-01T08:00:00Z")
    change = ConsentHistory.objects.latest("pk")
    assert (change.user_id, change.method) == (user_of("member_megan").pk, "rest: paper form")
    assert change.consented_time == datetime(2026, 9, 1, 8, tzinfo=UTC)
    assert change.client_id == "jhe-mcp-stdio"


def test_a_withdrawal_works_on_the_next_request() -> None:
    peter, mary = as_("ll_patient_peter"), as_("manager_mary")
    send(peter, "patch", "ll_patient_peter", answers(study_of(BP_AND_HR), scope(PRESSURE, False)))
    seen = mary.get(url_of("ll_patient_peter")).json()
    assert [code["codingCode"] for code in seen["consolidatedConsentedScopes"]] == [RATE]


def test_an_answer_taken_back_is_pending_again() -> None:
    peter = as_("ll_patient_peter")
    answer = send(peter, "delete", "ll_patient_peter", answers(study_of(BP_AND_HR), scope(PRESSURE, None)))
    assert answer.status_code == 200
    pending = {s["name"]: s["pendingScopeConsents"] for s in answer.json()["studiesPendingConsent"]}
    assert [s["code"]["codingCode"] for s in pending[BP_AND_HR]] == [PRESSURE]
    again = send(peter, "delete", "ll_patient_peter", answers(study_of(BP_AND_HR), scope(PRESSURE)))
    assert again.json() == answer.json()
    assert [row[0] for row in trail()] == ["take_back_consents", "take_back_consents"]


@pytest.mark.parametrize("method", ["post", "patch", "delete"])
@pytest.mark.parametrize(
    ("person", "patient", "study", "status"),
    [
        ("viewer_victor", "ll_patient_peter", BP, 403),
        ("three_org_tom", "ll_patient_peter", BP, 403),
        ("manager_mark", "ccl_cardio_patient_pat", O2, 400),  # a study of Pat's that Mark does not reach
        ("manager_mark", "ll_patient_peter", BP, 404),
        ("ll_patient_pamela", "ll_patient_peter", BP, 404),
    ],
)
def test_nobody_answers_for_whom_they_may_not(method: str, person: str, patient: str, study: str, status: int) -> None:
    before = consented(patient)
    code = OXYGEN if study == O2 else PRESSURE
    answer = send(as_(person), method, patient, answers(study_of(study), scope(code, False)))
    assert answer.status_code == status
    assert consented(patient) == before
    assert [(row[1], row[2]) for row in trail()] == [("refused", [patient_of(patient).pk])]


def test_a_study_out_of_reach_and_none_at_all_look_the_same() -> None:
    mark, pat = as_("manager_mark"), patient_of("ccl_cardio_patient_pat")
    for pk in (study_of(O2).pk, 99_999_999):
        answer = send(mark, "post", "ccl_cardio_patient_pat", {"studyId": pk, "scopeConsents": [scope(OXYGEN)]})
        sentence = f"studyScopeConsents[0].studyId: Patient {pat.pk} takes part in no study {pk} that you can see."
        assert (answer.status_code, answer.json()) == (400, {"detail": sentence})


@pytest.mark.parametrize("method", ["post", "patch"])
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"studyScopeConsents": []}, "studyScopeConsents: This list may not be empty."),
        ({}, "studyScopeConsents: This field is required."),
        ([], "Invalid data. Expected a dictionary, but got list."),
        (
            {"studyScopeConsents": [{"studyId": "STUDY"}]},
            "studyScopeConsents[0].scopeConsents: This field is required.",
        ),
        (
            {"studyScopeConsents": [{"studyId": "STUDY", "scopeConsents": [scope(PRESSURE, None)]}]},
            "studyScopeConsents[0].scopeConsents[0].consented: This field is required.",
        ),
        (
            {"studyScopeConsents": [{"studyId": 1, "scopeConsents": [{**scope(PRESSURE), "consented": "maybe"}]}]},
            "studyScopeConsents[0].scopeConsents[0].consented: Must be a valid boolean.",
        ),
        (
            {"studyScopeConsents": [{"studyId": "STUDY", "scopeConsents": [scope(PRESSURE), scope(RATE)]}]},
            "studyScopeConsents[0].scopeConsents[1]: The study does not request this code.",
        ),
        (
            {"studyScopeConsents": [{"studyId": "STUDY", "scopeConsents": [scope(PRESSURE, system="x")]}]},
            "studyScopeConsents[0].scopeConsents[0]: The study does not request this code.",
        ),
        (
            {"studyScopeConsents": [{"studyId": "STUDY", "scopeConsents": [scope(PRESSURE), scope(PRESSURE, False)]}]},
            "studyScopeConsents[0].scopeConsents[1]: Is named twice: send one answer.",
        ),
        (
            {
                "studyScopeConsents": [{"studyId": "STUDY", "scopeConsents": [scope(PRESSURE)]}],
                "consentedTime": "2999-01-01T00:00:00Z",
            },
            "consentedTime: Lies in the future: send when the patient did answer.",
        ),
    ],
)
def test_a_wrong_body_is_refused_with_the_place_of_the_fault(method: str, wrong: Any, sentence: str) -> None:
    before = consented("ll_patient_peter")
    body = json.dumps(wrong).replace('"STUDY"', str(study_of(BP).pk))
    client = as_("member_megan")
    answer = getattr(client, method)(url_of("ll_patient_peter"), body, content_type="application/json")
    assert (answer.status_code, answer.json()) == (400, {"detail": sentence})
    assert consented("ll_patient_peter") == before


def test_one_fault_refuses_the_answers_to_all_studies() -> None:
    before = consented("ll_patient_peter")
    right, wrong = answers(study_of(BP), scope(PRESSURE)), answers(study_of(BT), scope(PRESSURE))
    answer = send(as_("ll_patient_peter"), "post", "ll_patient_peter", right, wrong)
    assert answer.json()["detail"].startswith("studyScopeConsents[1].studyId: ")
    assert consented("ll_patient_peter") == before


def test_several_studies_at_once_leave_one_row_in_the_trail() -> None:
    one, two = answers(study_of(BP), scope(PRESSURE)), answers(study_of(BP_AND_HR), scope(RATE, False))
    assert send(as_("ll_patient_peter"), "post", "ll_patient_peter", one, two).status_code == 200
    assert trail() == [("record_consents", "success", [patient_of("ll_patient_peter").pk], None)]
    assert {(BP, PRESSURE, True), (BP_AND_HR, RATE, False)} <= consented("ll_patient_peter")


def test_a_clock_that_is_a_little_ahead_is_forgiven() -> None:
    ahead = (timezone.now() + timedelta(minutes=2)).isoformat()
    given = answers(study_of(BP), scope(PRESSURE))
    assert send(as_("member_megan"), "post", "ll_patient_peter", given, consentedTime=ahead).status_code == 200


@pytest.mark.parametrize(
    ("given", "method", "status"),
    [
        ("patient/Consent.cruds patient/Patient.r", "post", 200),
        ("patient/Consent.r patient/Patient.r", "post", 403),
        ("patient/Consent.r patient/Patient.r", "delete", 403),
        ("patient/Consent.c", "post", 403),  # the answer would hold the record
        ("patient/Observation.cruds patient/Patient.r", "post", 403),
    ],
)
def test_a_token_answers_only_with_the_scope_for_it(given: str, method: str, status: int) -> None:
    peter = as_("ll_patient_peter", scope=given)
    sent = answers(study_of(BP), scope(PRESSURE))
    assert send(peter, method, "ll_patient_peter", sent).status_code == status
    assert ((BP, PRESSURE, True) in consented("ll_patient_peter")) == (status == 200)


def test_more_studies_cost_no_more_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    mary, url, peter = as_("manager_mary"), url_of("ll_patient_peter"), patient_of("ll_patient_peter")
    mary.get(url)
    queries = 11  # token, patient and two lists of theirs, enrolments, requests, codes, two of sources, answers, audit
    with django_assert_num_queries(queries):
        mary.get(url)
    for _ in range(5):
        code = CodeableConcept.objects.get(coding_code=PRESSURE)
        ConsentFactory(study=StudyFactory(organization=organization_of("Lifespan Lab")), patient=peter, code=code)
    with django_assert_num_queries(queries):
        assert len(mary.get(url).json()["studies"]) == 6
