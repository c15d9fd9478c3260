"""Who sees what a resource was, and where observations came from: whoever sees the resource itself, now."""

import pytest
from django.urls import reverse

from core.actions.observations import NewObservation, record_observations
from core.models import (
    AuditEvent,
    CodeableConcept,
    DataSource,
    Ingest,
    Observation,
    Organization,
    Patient,
    Practitioner,
    PractitionerOrganization,
    ResourceHistory,
    Study,
    StudyPatientScopeConsent,
    StudyScopeRequest,
)
from core.seed import scopes
from tests import personas
from tests.factories import ObservationFactory
from tests.versions import settle

pytestmark = pytest.mark.django_db

KINDS = (Organization, Patient, Practitioner, PractitionerOrganization, Study, DataSource)


@pytest.fixture(autouse=True)
def demo(db):
    personas.seed_demo_world()
    settle()


def who_sees(kind, resource_id):
    """The names of those who see all former versions of a resource; nobody may see only some."""
    rows = ResourceHistory.objects.filter(resource_id=resource_id)
    count = rows.filter(resource_type=kind.__name__).count()
    assert count
    seen = {
        name: rows.visible_to(personas.principal_of(personas.user_of(name)), kind).count()
        for name in personas.EVERYBODY
    }
    assert set(seen.values()) <= {0, count}
    return {name for name in seen if seen[name]}


def code_of(code):
    return CodeableConcept.objects.get(coding_code=code)


def changed_observation(code=scopes.HEART_RATE):
    observation = ObservationFactory(patient=personas.patient_of("ll_patient_peter"), code=code_of(code))
    settle()
    Observation.objects.filter(pk=observation.pk).update(status="amended")
    return observation


READERS = {personas.ADMIN, "manager_mary", "member_megan", "viewer_victor", "three_org_tom", "ll_patient_peter"}
"""Who reaches the Lifespan Lab's studies, and Peter."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_persona_sees_the_history_of_what_they_see(kind):
    changes = {"role": "viewer"} if kind is PractitionerOrganization else {"fhir_extra": {"language": "en"}}
    kind.objects.update(**changes)
    for name in personas.EVERYBODY:
        principal = personas.principal_of(personas.user_of(name))
        versions = ResourceHistory.objects.visible_to(principal, kind)
        changed = kind.objects.visible_to(principal).filter(version_id=2)
        assert set(versions.values_list("resource_id", flat=True)) == set(changed.values_list("pk", flat=True))


def test_a_former_observation_is_for_those_whom_consent_lets_read_it():
    assert who_sees(Observation, changed_observation().pk) == READERS


def test_a_withdrawn_consent_hides_former_observations_on_the_next_request():
    observation = changed_observation()
    StudyPatientScopeConsent.objects.filter(patient=observation.patient, code=observation.code).update(consented=False)
    assert who_sees(Observation, observation.pk) == {"ll_patient_peter"}


def test_a_former_observation_of_another_code_needs_the_consent_to_that_code():
    observation = changed_observation(scopes.BLOOD_GLUCOSE)
    settle()
    Observation.objects.filter(pk=observation.pk).update(code=code_of(scopes.HEART_RATE))
    assert Observation.objects.visible_to(personas.principal_of(personas.user_of("manager_mary"))).exists()
    assert who_sees(Observation, observation.pk) == {"ll_patient_peter"}


def test_a_deleted_observation_keeps_its_readers():
    observation = changed_observation()
    settle()
    Observation.objects.all().delete()
    assert who_sees(Observation, observation.pk) == READERS


def test_a_deleted_patient_is_history_for_superusers_and_their_observations_for_nobody():
    observation = changed_observation()
    patient = observation.patient
    settle()
    Patient.objects.filter(pk=patient.pk).delete()
    assert who_sees(Patient, patient.pk) == {personas.ADMIN}
    assert who_sees(Observation, observation.pk) == set()


def test_a_deleted_study_is_history_for_superusers():
    study = personas.study_of(personas.BT)
    Study.objects.filter(pk=study.pk).delete()
    assert who_sees(Study, study.pk) == {personas.ADMIN}


def test_a_deactivated_superuser_sees_no_history():
    personas.study_of(personas.BT).delete()
    admin = personas.user_of(personas.ADMIN)
    admin.is_active = False
    admin.save()
    assert not ResourceHistory.objects.visible_to(personas.principal_of(admin)).exists()


def test_without_a_kind_all_that_is_visible_comes():
    changed_observation()
    Patient.objects.update(gender="other")
    peter = personas.principal_of(personas.user_of("ll_patient_peter"))
    kinds = ResourceHistory.objects.visible_to(peter).values_list("resource_type", flat=True)
    assert sorted(kinds) == ["Observation", "Patient"]


def test_the_admin_shows_superusers_what_consent_lets_them_read(client):
    observation = changed_observation()
    page = reverse("admin:core_resourcehistory_change", args=[ResourceHistory.objects.get().pk])
    client.force_login(personas.user_of(personas.ADMIN))
    assert client.get(page).status_code == 200
    assert AuditEvent.objects.latest("id").patient_ids == [observation.patient_id]
    StudyPatientScopeConsent.objects.update(consented=False)
    assert client.get(page).status_code == 302
    assert client.get(reverse("admin:core_resourcehistory_changelist")).context["cl"].result_count == 0


def ingest():
    """A heart rate of Peter and one of Percy, sent together."""
    code = code_of(scopes.HEART_RATE)
    body = {
        "heart_rate": {"value": 60, "unit": "beats/min"},
        "effective_time_frame": {"date_time": "2026-03-01T08:30:00Z"},
    }
    sent = [
        NewObservation(
            patient_id=personas.patient_of(name).pk,
            code_id=code.pk,
            code=code.coding_code,
            data_point={"header": {}, "body": body},
        )
        for name in ("ll_patient_peter", "npl_patient_percy")
    ]
    record_observations(actor=None, door="fhir", activity="batch", observations=sent)
    return Ingest.objects.get()


def who_sees_the_ingest():
    return {
        name
        for name in personas.EVERYBODY
        if Ingest.objects.visible_to(personas.principal_of(personas.user_of(name))).exists()
    }


def test_an_ingest_is_for_those_who_read_some_of_its_observations():
    ingest()
    assert who_sees_the_ingest() == READERS | {"npl_patient_percy"}
    StudyScopeRequest.objects.filter(code=code_of(scopes.HEART_RATE)).delete()
    assert who_sees_the_ingest() == {"ll_patient_peter", "npl_patient_percy"}


def test_what_an_ingest_recorded_is_seen_by_consent_too():
    observations = ingest().observations.visible_to(personas.principal_of(personas.user_of("manager_mary")))
    assert [observation.patient for observation in observations] == [personas.patient_of("ll_patient_peter")]
