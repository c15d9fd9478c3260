"""Each kind of search parameter, with its modifiers and prefixes, on small worlds (FHIR R5 search.html#ptypes)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from core.models import Patient, PatientIdentifier, StudyPatientScopeConsent
from core.seed.world import write_vocabulary
from tests import factories
from tests.bearer import client_of

BASE = "/FHIR/R5"
SYSTEM = "https://test.invalid/ids"


@pytest.fixture
def lab(db):
    write_vocabulary()
    return factories.OrganizationFactory(name="Lab")


@pytest.fixture
def client(lab):
    return client_of(factories.MembershipFactory(organization=lab, role="manager").practitioner.user)


@pytest.fixture
def people(lab):
    """Ödön was born in June 1980, Zoë on 17 May 1980, Odette nobody knows when."""

    def person(given, family, birth_date, **more):
        return factories.PatientFactory(
            organizations=[lab], name_given=given, name_family=family, birth_date=birth_date, **more
        )

    odon = person("Ödön", "Nagy", date(1980, 6, 1), gender="male", telecom_email="Odon@test.invalid")
    zoe = person("Zoë", "O'Neil, Jr.", date(1980, 5, 17), gender="female", telecom_phone="555")
    odette = person("Odette", "nagy-Kis", None)
    PatientIdentifier.objects.create(patient=odon, system=SYSTEM, value="a|1")
    PatientIdentifier.objects.create(patient=odon, system="", value="none")
    PatientIdentifier.objects.create(patient=zoe, system="https://test.invalid/other", value="2")
    return {odon.pk: "Ödön", zoe.pk: "Zoë", odette.pk: "Odette"}


def found(client, path, query=None):
    answer = client.get(f"{BASE}/{path}", query or {}, headers={"Prefer": "handling=strict"})
    assert answer.status_code == 200, answer.content
    return [entry["resource"]["id"] for entry in answer.json()["entry"]]


@pytest.mark.parametrize(
    ("name", "value", "names"),
    [
        # string
        ("family", "nagy", "Ödön Odette"),
        ("family", "NAGY-", "Odette"),
        ("given", "od", "Ödön Odette"),
        ("given", "ÓD", "Ödön Odette"),
        ("given:exact", "Zoë", "Zoë"),
        ("given:exact", "zoe", ""),
        ("given:contains", "O", "Ödön Zoë Odette"),
        ("name", "nag", "Ödön Odette"),
        ("name", r"o'neil\, jr", "Zoë"),
        ("name", "zoe,odette", "Zoë Odette"),
        ("name", "100%", ""),
        ("name", "_d", ""),
        # token
        ("gender", "male", "Ödön"),
        ("gender", "male,female", "Ödön Zoë"),
        ("gender", "http://hl7.org/fhir/administrative-gender|female", "Zoë"),
        ("gender", "|female", ""),
        ("gender", "http://elsewhere.invalid|female", ""),
        ("gender", "http://hl7.org/fhir/administrative-gender|", "Ödön Zoë Odette"),
        ("gender", "Male", ""),
        ("gender:not", "male", "Zoë Odette"),
        ("gender:not", "male,female", "Odette"),
        ("identifier", rf"{SYSTEM}|a\|1", "Ödön"),
        ("identifier", "2", "Zoë"),
        ("identifier", "|none", "Ödön"),
        ("identifier", "|2", ""),
        ("identifier", f"{SYSTEM}|", "Ödön"),
        ("identifier:not", "2", "Ödön Odette"),
        ("identifier:missing", "true", "Odette"),
        ("identifier:missing", "false", "Ödön Zoë"),
        ("active", "true", "Ödön Zoë Odette"),
        ("active", "false", ""),
        ("active:not", "false", "Ödön Zoë Odette"),
        ("email", "odon@TEST.invalid", "Ödön"),
        ("email:missing", "true", "Zoë Odette"),
        ("phone", "555", "Zoë"),
        ("telecom", "555,odon@test.invalid", "Ödön Zoë"),
        ("telecom", "email|555", ""),
        ("telecom", "phone|555", "Zoë"),
        ("telecom", "phone|", "Zoë"),
        ("telecom:missing", "true", "Odette"),
        # date, of a day
        ("birthdate", "1980", "Ödön Zoë"),
        ("birthdate", "1980-05", "Zoë"),
        ("birthdate", "1980-05-17", "Zoë"),
        ("birthdate", "ne1980-05", "Ödön"),
        ("birthdate", "gt1980-05-17", "Ödön"),
        ("birthdate", "ge1980-05-17", "Ödön Zoë"),
        ("birthdate", "ge1980-05-17T12:00", "Ödön Zoë"),
        ("birthdate", "lt1980-06", "Zoë"),
        ("birthdate", "le1980-06", "Ödön Zoë"),
        ("birthdate", "sa1980-05", "Ödön"),
        ("birthdate", "eb1980-06", "Zoë"),
        ("birthdate", "ap1980-05", "Ödön Zoë"),
        ("birthdate", "1980-05-17T12:00", ""),
        ("birthdate:missing", "true", "Odette"),
        # what nobody has
        ("_tag", "x", ""),
        ("_source:below", "https://test.invalid/", ""),
        ("_tag:missing", "true", "Ödön Zoë Odette"),
        ("_profile", "https://test.invalid/p", ""),
    ],
)
def test_people_are_found(client, people, name, value, names):
    assert [people[int(id_)] for id_ in found(client, "Patient", {name: value})] == names.split()


def test_a_parameter_that_comes_again_narrows_further(client, people):
    answer = found(client, "Patient?birthdate=ge1980-05&birthdate=lt1980-06")
    assert [people[int(id_)] for id_ in answer] == ["Zoë"]


def test_ids_are_found_and_what_can_be_none_finds_nothing(client, people):
    first, second, _ = people
    assert found(client, "Patient", {"_id": f"{first},{second},x,007,99999"}) == [str(first), str(second)]
    assert found(client, "Patient", {"_id": "x"}) == []


@pytest.mark.parametrize("prefix", ["eq", "ne", "gt", "ge", "lt", "le", "sa", "eb", "ap"])
def test_the_time_of_the_last_change_is_an_instant(client, people, prefix):
    now = datetime.now(UTC)
    day, before, after = now.date(), now.date() - timedelta(days=30), now.date() + timedelta(days=30)
    is_found = {
        "eq": (day,),
        "ne": (before, after),
        "gt": (before,),
        "ge": (before, day),
        "lt": (after,),
        "le": (day, after),
        "sa": (before,),
        "eb": (after,),
        "ap": (day,),  # a tenth of the way from now to then is three days
    }[prefix]
    for moment in (before, day, after):
        ids = found(client, "Patient", {"_lastUpdated": f"{prefix}{moment.isoformat()}"})
        assert bool(ids) is (moment in is_found), moment


REFERENCES = [
    "{id}",
    "Organization/{id}",
    "http://localhost:8000/FHIR/R5/Organization/{id}",
    "Organization/{id}/_history/1",
]
OTHERS = ["Patient/{id}", "https://elsewhere.invalid/Organization/{id}", "urn:uuid:{id}", "Organization/", "x", "/"]


@pytest.mark.parametrize("spelling", REFERENCES)
def test_a_reference_is_found_in_each_spelling(client, people, lab, spelling):
    assert len(found(client, "Patient", {"organization": spelling.format(id=lab.pk)})) == 3


@pytest.mark.parametrize("spelling", OTHERS)
def test_what_refers_to_something_else_finds_nothing(client, people, lab, spelling):
    assert found(client, "Patient", {"organization": spelling.format(id=lab.pk)}) == []


def test_a_reference_can_name_its_type_beside(client, people, lab):
    assert len(found(client, "Patient", {"organization:Organization": str(lab.pk)})) == 3
    assert found(client, "Patient", {"organization:Organization": f"Patient/{lab.pk}"}) == []


def test_a_reference_can_be_missing(client, people, lab):
    branch = factories.OrganizationFactory(part_of=lab, name="Branch")
    user = factories.MembershipFactory(organization=lab).practitioner
    factories.MembershipFactory(organization=branch, practitioner=user)
    colleague = client_of(user.user)
    assert found(colleague, "Organization", {"partof:missing": "true"}) == [str(lab.pk)]
    assert found(colleague, "Organization", {"partof:missing": "false"}) == [str(branch.pk)]
    assert found(colleague, "Organization", {"partof": str(lab.pk)}) == [str(branch.pk)]


def test_a_target_is_found_by_its_identifier(client, lab):
    patient = factories.PatientFactory(organizations=[lab])
    factories.PatientIdentifierFactory(patient=patient, system=SYSTEM, value="7")
    study = factories.StudyFactory(organization=lab)
    factories.EnrolmentFactory(study=study, patient=patient)
    assert found(client, "Group", {"member:identifier": f"{SYSTEM}|7"}) == [str(study.pk)]
    assert found(client, "Group", {"member:identifier": f"{SYSTEM}|8"}) == []


def test_the_other_types_are_found_by_what_they_say(client, lab):
    heart_rate = factories.CodeFactory(coding_code="omh:heart-rate:2.0", text="Heart rate")
    study = factories.StudyFactory(organization=lab, name="Hearts", description="At night", scopes=[heart_rate])
    factories.StudyFactory(organization=lab, name="Lungs")
    device = factories.DataSourceFactory(name="Watch", type="service")
    device.scope_links.create(code=heart_rate)
    patient = factories.PatientFactory(organizations=[lab])
    factories.ConsentFactory(study=study, patient=patient, code=heart_rate)
    viewer = factories.MembershipFactory(
        organization=lab, practitioner__name_family="Vance", practitioner__identifier="npi-1"
    )
    code = "https://w3id.org/openmhealth|omh:heart-rate:2.0"
    here = datetime.now(UTC).date().isoformat()
    both = [str(pk) for pk in lab.studies.order_by("pk").values_list("pk", flat=True)]
    expected = {
        f"ResearchStudy?focus-code={code}": [str(study.pk)],
        "ResearchStudy?focus-code:text=heart": [str(study.pk)],
        "ResearchStudy?title=hear": [str(study.pk)],
        "ResearchStudy?description:contains=night": [str(study.pk)],
        f"ResearchStudy?site={lab.pk}": both,
        "ResearchStudy?status=active": both,
        "ResearchStudy?status=retired": [],
        "Group?name=lungs": both[1:],
        f"Group?member=Patient/{patient.pk}": [str(study.pk)],
        f"Group?managing-entity={lab.pk}&type=person&membership=enumerated": both,
        "Device?device-name=watch&type=service": [str(device.pk)],
        f"Device?specification={code}": [str(device.pk)],
        f"Consent?patient={patient.pk}": [f"{study.pk}-{patient.pk}"],
        f"Consent?subject=Patient/{patient.pk}&date={here}": [f"{study.pk}-{patient.pk}"],
        f"Consent?_id={study.pk}-{patient.pk}": [f"{study.pk}-{patient.pk}"],
        f"Consent?grantee={lab.pk}&status=active&category=research": [f"{study.pk}-{patient.pk}"],
        "Consent?date=lt2000": [],
        "Practitioner?family=vance": [str(viewer.practitioner_id)],
        "Practitioner?identifier=npi-1": [str(viewer.practitioner_id)],
        f"Practitioner?email={viewer.practitioner.user.email.upper()}": [str(viewer.practitioner_id)],
        "PractitionerRole?role=viewer": [str(viewer.pk)],
        f"PractitionerRole?practitioner={viewer.practitioner_id}&organization={lab.pk}": [str(viewer.pk)],
        "Organization?name=la&type=laboratory&active=true": [str(lab.pk)],
        "Organization?type=http://terminology.hl7.org/CodeSystem/organization-type|prov": [],
    }
    assert {query: found(client, query) for query in expected} == expected


def test_the_date_of_a_consent_is_that_of_its_last_answer(client, lab):
    patient = factories.PatientFactory(organizations=[lab])
    consent = factories.ConsentFactory(study=factories.StudyFactory(organization=lab), patient=patient)
    StudyPatientScopeConsent.objects.filter(pk=consent.pk).update(consented_time=datetime(2026, 3, 4, tzinfo=UTC))
    factories.ConsentFactory(study=consent.study, patient=patient, consented_time=datetime(2026, 3, 5, tzinfo=UTC))
    assert found(client, "Consent?date=2026-03-04") == []
    assert len(found(client, "Consent?date=2026-03-05")) == 1


def test_audit_events_are_found_by_who_did_what_and_when(client, lab):
    patient = factories.PatientFactory(organizations=[lab])
    other = factories.PatientFactory(organizations=[lab])
    client.get(f"{BASE}/Patient/{patient.pk}")
    client.get(f"{BASE}/Patient/1")
    client.get(f"{BASE}/Patient/{other.pk}")
    manager = lab.memberships.get().practitioner
    expected = {
        f"code=read&patient={patient.pk}": 1,
        "code=read": 3,
        "code=http://hl7.org/fhir/restful-interaction|read&outcome=4": 1,
        "outcome=http://terminology.hl7.org/CodeSystem/audit-event-outcome|0&code=read": 2,
        "action=R": 3,
        "action=D": 0,
        "code=create": 0,
        f"agent=Practitioner/{manager.pk}&code=read": 3,
        f"agent={manager.pk}&code=read": 3,
        "agent=Practitioner/1": 0,
        f"entity=Patient/{other.pk}&code=read": 1,
        f"entity=ResearchStudy/{other.pk}": 0,
        "date=lt2000": 0,
        "category=fhir&code=read": 3,
    }
    assert {query: len(found(client, f"AuditEvent?{query}")) for query in expected} == expected
    assert Patient.objects.count() == 2


def test_labels_that_were_sent_are_found_again(client, people):
    labels = [{"system": "https://test.invalid/tags", "code": "kept"}]
    zoe = next(id_ for id_, name in people.items() if name == "Zoë")
    profile = "https://test.invalid/profile"
    Patient.objects.filter(pk=zoe).update(fhir_extra={"meta": {"tag": labels, "profile": [profile]}})
    for query in (
        {"_tag": "kept"},
        {"_tag": "https://test.invalid/tags|kept"},
        {"_tag:missing": "false"},
        {"_profile": profile},
    ):
        assert found(client, "Patient", query) == [str(zoe)], query
    assert found(client, "Patient", {"_tag": "https://elsewhere.invalid|kept"}) == []
    assert len(found(client, "Patient", {"_tag:not": "kept"})) == 2


def test_observations_are_found_by_the_batch_that_they_came_with(client, lab):
    code = factories.CodeFactory(coding_code="omh:heart-rate:2.0")
    patient = factories.PatientFactory(organizations=[lab])
    factories.ConsentFactory(study=factories.StudyFactory(organization=lab), patient=patient, code=code)
    observation = factories.ObservationFactory(patient=patient, code=code, ingest_id=7)
    factories.ObservationFactory(patient=patient, code=code)
    base = "http://localhost:8000/FHIR/R5/Provenance"
    for query in ({"_source": f"{base}/7"}, {"_source:below": f"{base}/"}, {"_source:missing": "false"}):
        assert found(client, "Observation", query) == [str(observation.pk)], query
    for other in (f"{base}/8", "https://jupyterhealth.org/fhir/fhir-source/", "7"):
        assert found(client, "Observation", {"_source": other}) == []
        assert found(client, "Observation", {"_source:below": f"https://elsewhere.invalid/{other}"}) == []


def test_values_of_observations_are_compared(client, lab):
    code = factories.CodeFactory(coding_code="omh:blood-glucose:4.0")
    patient = factories.PatientFactory(organizations=[lab])
    factories.ConsentFactory(study=factories.StudyFactory(organization=lab), patient=patient, code=code)
    for value in (99.4, 100, 100.6, None):
        factories.ObservationFactory(
            patient=patient, code=code, value_quantity=value, value_unit="mg/dL" if value else ""
        )
    expected = {
        "100": 1,
        "99": 1,
        "eq1.0e2": 3,
        "ne100": 2,
        "gt100": 1,
        "ge100": 2,
        "lt100": 1,
        "le100": 2,
        "ap100": 3,
        "sa100": 1,
        "eb100": 1,
        "100|http://unitsofmeasure.org|mg/dL": 1,
        "100||mg/dL": 1,
        "100||mmol/L": 0,
        "gt100,lt100": 2,
    }
    name = "component-value-quantity"
    assert {value: len(found(client, "Observation", {name: value})) for value in expected} == expected
    assert len(found(client, "Observation", {f"{name}:missing": "true"})) == 1
    for malformed in ("many", "100|mg/dL", "1e999", "xx100"):
        assert client.get(f"{BASE}/Observation", {name: malformed}).status_code == 400


@pytest.mark.parametrize("query", ["name=a&" * 101, "&".join(["name=" + "a," * 300] * 4)])
def test_a_search_of_very_many_values_is_too_costly(client, query):
    answer = client.post(f"{BASE}/Patient/_search", query, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "too-costly")
