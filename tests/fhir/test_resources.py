"""Everything that the demo holds reads as valid FHIR R5, and each type says what its rows say."""

import json
from dataclasses import replace

import orjson
import pytest

from core.fhir.registry import TYPES
from core.fhir.structure import check_structure
from core.models import PatientOrganization, StudyPatient
from core.seed import demo_world, large, world
from tests import personas
from tests.bearer import client_of


@pytest.fixture(autouse=True)
def demo_world_with_some_readings(db):
    personas.seed_demo_world()
    world.write_readings(demo_world.PATIENTS[0])


def read(person, path, **query):
    return client_of(personas.user_of(person)).get(f"/FHIR/R5/{path}", query)


@pytest.mark.parametrize("type_name", TYPES)
@pytest.mark.parametrize("person", ["admin", "manager_mary", "three_org_tom", "ll_patient_peter"])
def test_everything_that_somebody_sees_is_valid_r5(type_name, person):
    client_of(personas.user_of("manager_mary")).get("/FHIR/R5/Patient/40001")  # so that there is an audit row
    type_, principal = TYPES[type_name], personas.principal_of(personas.user_of(person))
    rows = list(type_.fetched(type_.visible_to(principal))[:200])
    for row, resource in zip(rows, type_.render(rows, principal), strict=True):
        plain = json.loads(orjson.dumps(resource))
        assert plain["id"] == type_.id_of(row)
        assert plain["meta"]["versionId"] == str(type_.version_of(row))
        check_structure(plain, type_name)


def test_what_the_larger_demo_holds_is_valid_r5():
    world.write_cgm_patient(world.make_study(large.STUDY), replace(large.PATIENTS[0], days=1))
    principal = personas.principal_of(personas.user_of("manager_mary"))
    for name in ("Patient", "Consent", "Group", "ResearchStudy", "Provenance"):
        type_ = TYPES[name]
        for resource in type_.render(type_.fetched(type_.visible_to(principal)), principal):
            check_structure(json.loads(orjson.dumps(resource)), name)


def test_the_admin_sees_something_of_every_type_that_consent_does_not_gate():
    principal = personas.principal_of(personas.user_of("admin"))
    world_without = [name for name, type_ in TYPES.items() if not type_.visible_to(principal).exists()]
    assert world_without == []


def test_a_patient_is_read_with_name_birth_date_and_identifier():
    peter = personas.patient_of("ll_patient_peter")
    patient = read("viewer_victor", f"Patient/{peter.pk}").json()
    assert patient["name"] == [{"family": "Larsen", "given": ["Peter"]}]
    assert (patient["birthDate"], patient["gender"]) == ("1971-03-09", "male")
    assert patient["identifier"] == [{"system": demo_world.IDENTIFIER_SYSTEM, "value": "ll_patient_peter"}]
    lab = personas.organization_of(demo_world.LIFESPAN)
    assert patient["managingOrganization"] == {"reference": f"Organization/{lab.pk}"}


def test_a_practitioner_learns_of_no_organization_of_a_patient_that_they_do_not_read():
    pat = personas.patient_of("ccl_cardio_patient_pat")
    seen = {person: organizations(read(person, f"Patient/{pat.pk}").json()) for person in ("three_org_tom", "admin")}
    cosmic = f"Organization/{personas.organization_of(demo_world.COSMIC).pk}"
    cardiology = f"Organization/{personas.organization_of(demo_world.CARDIOLOGY).pk}"
    assert seen == {"three_org_tom": {cosmic}, "admin": {cosmic, cardiology}}


def test_a_patient_learns_all_of_their_own_organizations():
    pat = personas.patient_of("ccl_cardio_patient_pat")
    own = PatientOrganization.objects.filter(patient=pat).values_list("organization_id", flat=True)
    seen = organizations(read("ccl_cardio_patient_pat", f"Patient/{pat.pk}").json())
    assert seen == {f"Organization/{id_}" for id_ in own}


def organizations(patient):
    further = [extension["valueReference"] for extension in patient.get("extension", [])]
    return {reference["reference"] for reference in [patient["managingOrganization"], *further]}


def test_a_group_has_the_patients_that_the_reader_may_know_of():
    study = personas.study_of(personas.O2)
    members = {
        person: [m["entity"]["reference"] for m in read(person, f"Group/{study.pk}").json().get("member", [])]
        for person in ("three_org_tom", "ccl_patient_paul")
    }
    enrolled = [f"Patient/{id_}" for id_ in StudyPatient.objects.filter(study=study).values_list("patient", flat=True)]
    paul = personas.patient_of("ccl_patient_paul")
    assert members == {"three_org_tom": enrolled, "ccl_patient_paul": [f"Patient/{paul.pk}"]}
    assert len(enrolled) == 2


def test_a_consent_has_a_provision_for_each_yes_and_the_study_that_asked():
    pamela, study = personas.patient_of("ll_patient_pamela"), personas.study_of(personas.BP_AND_HR)
    consent = read("viewer_victor", f"Consent/{study.pk}-{pamela.pk}").json()
    codes = [provision["code"][0]["coding"][0]["code"] for provision in consent["provision"]]
    assert codes == ["omh:blood-pressure:4.0", "omh:heart-rate:2.0"]
    assert consent["extension"][0]["valueReference"]["reference"] == f"ResearchStudy/{study.pk}"
    assert (consent["decision"], consent["meta"]["versionId"]) == ("deny", "2")


def test_what_nobody_answered_is_no_consent():
    peter, study = personas.patient_of("ll_patient_peter"), personas.study_of(personas.BP)
    assert read("viewer_victor", f"Consent/{study.pk}-{peter.pk}").status_code == 404


@pytest.mark.parametrize("id_", ["30001", "30001-", "-40001", "30001-40001-1", "a-b"])
def test_what_cannot_be_the_id_of_a_consent_is_not_found(id_):
    assert read("admin", f"Consent/{id_}").status_code == 404


def test_a_patient_sees_who_looked_at_their_data_and_nobody_elses():
    peter = personas.patient_of("ll_patient_peter")
    study = personas.study_of(personas.BP_AND_HR)
    read("manager_mary", f"Group/{study.pk}")  # Peter and Pamela
    principal = personas.principal_of(personas.user_of("ll_patient_peter"))
    type_ = TYPES["AuditEvent"]
    [*rows] = type_.visible_to(principal).filter(action="read Group")
    [event] = type_.render(rows, principal)
    assert event["patient"] == {"reference": f"Patient/{peter.pk}"}
    assert [entity["what"]["reference"] for entity in event["entity"]] == [
        f"Patient/{peter.pk}",
    ]
    assert event["agent"][0]["who"]["display"] == "Mary Mason"


def test_a_provenance_names_the_observations_that_the_reader_may_read():
    principal = personas.principal_of(personas.user_of("viewer_victor"))
    type_ = TYPES["Provenance"]
    [*rows] = type_.visible_to(principal)
    [provenance] = type_.render(rows, principal)
    assert provenance["patient"] == {"reference": f"Patient/{personas.patient_of('ll_patient_peter').pk}"}
    assert provenance["target"]
    assert not type_.visible_to(personas.principal_of(personas.user_of("manager_mark"))).exists()
