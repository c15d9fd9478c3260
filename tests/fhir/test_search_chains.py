"""Chains, `_has`, `_include` and `_revinclude`; and that what nobody may read cannot be felt for either."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.models import AuditEvent
from tests import factories
from tests.bearer import client_of

BASE = "/FHIR/R5"


@pytest.fixture
def lab(db):
    return factories.OrganizationFactory(name="Lab")


@pytest.fixture
def elsewhere(lab):
    return factories.OrganizationFactory(name="Elsewhere")


@pytest.fixture
def heart_rate(lab):
    return factories.CodeFactory(coding_code="omh:heart-rate:2.0")


@pytest.fixture
def study(lab, heart_rate):
    return factories.StudyFactory(organization=lab, name="Hearts", scopes=[heart_rate])


@pytest.fixture
def ada(lab, study, heart_rate):
    """Of the lab's study, and consenting."""
    ada = factories.PatientFactory(organizations=[lab], name_given="Ada", name_family="Nagy")
    factories.PatientIdentifierFactory(patient=ada, system="https://test.invalid/ids", value="ada")
    factories.ConsentFactory(study=study, patient=ada, code=heart_rate)
    factories.ObservationFactory(patient=ada, code=heart_rate, data_source=factories.DataSourceFactory(name="Watch"))
    return ada


@pytest.fixture
def bela(lab, elsewhere, heart_rate):
    """Also of the lab; the study that Béla consented to is run elsewhere."""
    bela = factories.PatientFactory(organizations=[lab, elsewhere], name_given="Béla", name_family="Kis")
    hidden = factories.StudyFactory(organization=elsewhere, name="Hidden", scopes=[heart_rate])
    factories.ConsentFactory(study=hidden, patient=bela, code=heart_rate)
    factories.ObservationFactory(patient=bela, code=heart_rate)
    return bela


def member_of(*organizations, role="viewer"):
    practitioner = factories.PractitionerFactory()
    for organization in organizations:
        factories.MembershipFactory(practitioner=practitioner, organization=organization, role=role)
    return practitioner.user


@pytest.fixture
def client(lab):
    return client_of(member_of(lab))


def entries(client, path, mode="match"):
    answer = client.get(f"{BASE}/{path}", headers={"Prefer": "handling=strict"})
    assert answer.status_code == 200, answer.content
    return [
        f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        for entry in answer.json()["entry"]
        if entry["search"]["mode"] == mode
    ]


@pytest.mark.parametrize(
    "query",
    [
        "Observation?patient.name=ada",
        "Observation?subject:Patient.identifier=https://test.invalid/ids|ada",
        "Observation?patient:identifier=https://test.invalid/ids|ada",
        "Observation?patient.organization={lab}",
        "Observation?patient.organization.name=lab",
        "Observation?patient._has:Group:member:_id={study}",
        "Observation?patient._has:_group:member:_id={study}",
        "Observation?patient._has:Group:member:name=hearts",
        "Observation?device.device-name=watch",
    ],
)
def test_observations_are_found_through_what_they_refer_to(client, ada, lab, study, query):
    assert len(entries(client, query.format(lab=lab.pk, study=study.pk))) == 1


@pytest.mark.parametrize(
    "query",
    [
        "Observation?patient.name=bela",
        "Observation?patient._has:Group:member:_id=1",
        "Observation?patient.organization=1",
        "Observation?patient._has:Group:member:name=hidden",
    ],
)
def test_what_refers_elsewhere_is_not_found(client, ada, bela, query):
    assert entries(client, query) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Patient?_has:Group:member:_id={study}", ["ada"]),
        ("Patient?_has:Group:member:name=hearts", ["ada"]),
        ("Patient?_has:Observation:patient:code=omh:heart-rate:2.0", ["ada"]),
        ("Patient?_has:Consent:patient:status=active", ["ada"]),
        ("Patient?_has:Group:member:_has:Group:member:_id=1", None),
        ("Patient?_has:Observation:patient:device.device-name=watch", ["ada"]),
        ("Device?_has:Observation:device:patient={ada}", ["watch"]),
        ("Organization?_has:Patient:organization:_id={ada}", ["lab"]),
        ("Organization?_has:PractitionerRole:organization:role=viewer", ["lab"]),
        ("Organization?_has:PractitionerRole:organization:_has:X:y:z=1", None),
    ],
)
def test_resources_are_found_through_what_refers_to_them(client, ada, bela, lab, study, query, found):
    path = query.format(study=study.pk, ada=ada.pk)
    if found is None:
        assert client.get(f"{BASE}/{path}", headers={"Prefer": "handling=strict"}).status_code == 400
        return
    watch = ada.observations.get().data_source
    known = {"ada": f"Patient/{ada.pk}", "watch": f"Device/{watch.pk}", "lab": f"Organization/{lab.pk}"}
    assert entries(client, path) == [known[name] for name in found]


# No oracle: each question about what the caller may not read is answered as if it were not there.


@pytest.mark.parametrize(
    "query",
    [
        "Patient?_has:Group:member:name=hidden",  # a study of another organization
        "Patient?_has:Observation:patient:_lastUpdated=ge2000&family=kis",  # without consent here
        "Patient?_has:Consent:patient:status=active&family=kis",
        "Patient?organization={elsewhere}",  # a membership that is not the caller's to know
        "Patient?organization.name=elsewhere",
        "Group?member={bela}",
        "Group?member.name=bela",
        "ResearchStudy?title=hidden",
        "Device?_has:Observation:device:patient={bela}",
        "Consent?patient={bela}",
    ],
)
def test_a_condition_says_nothing_about_what_the_caller_may_not_read(client, ada, bela, elsewhere, query):
    path = query.format(elsewhere=elsewhere.pk, bela=bela.pk)
    assert entries(client, path) == []
    everywhere = client_of(member_of(*bela.organizations.all()))
    seen = entries(everywhere, path)
    assert seen or "device" in path  # who works there as well does find it; no device is named by that reading


def test_what_is_missing_is_missing_among_what_the_caller_reads(client, ada, bela):
    """Béla is a member of a study, but nobody here may know."""
    branch = factories.OrganizationFactory()
    colleague = client_of(member_of(branch, *ada.organizations.all()))
    assert entries(colleague, "Patient?organization:missing=true") == []
    assert entries(client, "Group?member:missing=true") == []
    ada.enrolments.all().delete()
    assert len(entries(client, "Group?member:missing=true")) == 1


def test_a_total_counts_what_the_caller_reads(client, ada, bela):
    bundle = client.get(f"{BASE}/Observation?_summary=count").json()
    assert (bundle["total"], bundle["entry"]) == (1, [])


def test_a_chain_needs_the_scope_of_what_it_looks_at(ada, lab, study):
    narrow = client_of(member_of(lab), scope="user/Observation.rs")
    refused = narrow.get(f"{BASE}/Observation?patient.name=ada")
    assert refused.status_code == 403
    assert "user/Patient.s" in refused.json()["issue"][0]["diagnostics"]
    assert narrow.get(f"{BASE}/Observation?patient._has:Group:member:name=hearts").status_code == 403
    assert len(entries(narrow, f"Observation?patient={ada.pk}")) == 1
    assert len(entries(narrow, f"Observation?patient._has:Group:member:_id={study.pk}")) == 1


def test_chains_have_an_end(client, ada):
    endless = ".".join(["partof"] * 9 + ["name"])
    answer = client.get(f"{BASE}/Organization", {endless: "x"})
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "value")


# Includes


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("Observation?_include=Observation:patient", ["ada"]),
        ("Observation?_include=Observation:device", ["watch"]),
        ("Observation?_include=Observation:subject:Patient&_include=Observation:patient", ["ada"]),
        ("Observation?_include=Observation:*", ["ada", "watch"]),
        ("Observation?_include=*", ["ada", "watch"]),
        ("Patient?_include=Patient:organization", ["lab"]),
        ("Observation?_include=Observation:patient&_include:iterate=Patient:organization", ["ada", "lab"]),
        ("Patient?_revinclude=Group:member", ["group"]),
        ("Patient?_revinclude=Consent:patient", ["consent"]),
        ("Patient?_revinclude=Observation:patient", ["observation"]),
        ("Group?_include=Group:member&_count=1", ["ada"]),
        ("Observation?_include=Observation:patient:Group", []),
    ],
)
def test_others_come_along(client, ada, bela, lab, study, path, found):
    observation = ada.observations.get()
    known = {
        "ada": f"Patient/{ada.pk}",
        "lab": f"Organization/{lab.pk}",
        "watch": f"Device/{observation.data_source_id}",
        "group": f"Group/{study.pk}",
        "consent": f"Consent/{study.pk}-{ada.pk}",
        "observation": f"Observation/{observation.pk}",
    }
    assert sorted(entries(client, path, "include")) == sorted(known[name] for name in found)


def test_what_would_be_too_much_to_come_along_is_cut_and_said(client, lab, monkeypatch):
    monkeypatch.setattr("core.fhir.resources.patient.PatientType.max_page", 2)
    for _ in range(3):
        factories.PatientFactory(organizations=[lab])
    path = "Organization?_revinclude=Patient:organization"
    assert len(entries(client, path, "include")) == 2
    [outcome] = [
        e["resource"] for e in client.get(f"{BASE}/{path}").json()["entry"] if e["search"]["mode"] == "outcome"
    ]
    assert outcome["issue"][0]["code"] == "incomplete"


def test_what_comes_along_needs_its_scope_too(ada, lab):
    narrow = client_of(member_of(lab), scope="user/Observation.rs")
    assert narrow.get(f"{BASE}/Observation?_include=Observation:patient").status_code == 403


def test_what_comes_along_is_in_the_audit_trail(client, ada):
    entries(client, "Group?_include=Group:member")
    assert AuditEvent.objects.latest("pk").patient_ids == [ada.pk]


def test_a_page_takes_as_many_queries_with_twenty_included_as_with_two(client, lab):
    counts = []
    for number in (2, 18):
        for _ in range(number):
            factories.PatientFactory(organizations=[lab, factories.OrganizationFactory()])
        with CaptureQueriesContext(connection) as queries:
            assert len(entries(client, "Organization?_revinclude=Patient:organization", "include")) in (2, 20)
        counts.append(len(queries))
    assert counts[0] == counts[1]


# Compartments and the whole record


def test_a_compartment_has_what_belongs_to_the_patient(client, ada, bela):
    observation = ada.observations.get()
    assert entries(client, f"Patient/{ada.pk}/Observation") == [f"Observation/{observation.pk}"]
    assert entries(client, f"Patient/{ada.pk}/Observation?code=other") == []
    assert entries(client, f"Patient/{bela.pk}/Observation") == []
    assert entries(client, f"Device/{observation.data_source_id}/Observation") == [f"Observation/{observation.pk}"]
    form = "application/x-www-form-urlencoded"
    posted = client.post(f"{BASE}/Patient/{ada.pk}/Consent/_search", "status=active", content_type=form).json()
    assert len(posted["entry"]) == 1
    assert posted["link"][0]["url"].endswith(f"/Patient/{ada.pk}/Consent?status=active")


def test_a_compartment_pages_within_itself(client, ada, heart_rate):
    for _ in range(2):
        factories.ObservationFactory(patient=ada, code=heart_rate)
    bundle = client.get(f"{BASE}/Patient/{ada.pk}/Observation?_count=2").json()
    [following] = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
    assert f"/Patient/{ada.pk}/Observation?" in following
    assert len(entries(client, following.split("/R5/")[1])) == 1


def test_all_of_a_compartment_is_one_bundle(client, ada, bela, study):
    everything = entries(client, f"Patient/{ada.pk}/*")
    assert everything == [
        f"Consent/{study.pk}-{ada.pk}",
        f"Group/{study.pk}",
        f"Observation/{ada.observations.get().pk}",
    ]


@pytest.mark.parametrize("path", ["Patient/{hidden}/Observation", "Patient/{ada}/Medication", "Shoe/1/Observation"])
def test_no_compartment_of_what_is_not_there(client, ada, path):
    hidden = factories.PatientFactory()
    assert client.get(f"{BASE}/{path.format(hidden=hidden.pk, ada=ada.pk)}").status_code == 404


def test_everything_of_a_patient_comes_with_what_it_refers_to(client, ada, bela, lab, study):
    observation = ada.observations.get()
    assert entries(client, f"Patient/{ada.pk}/$everything") == [
        f"Patient/{ada.pk}",
        f"Organization/{lab.pk}",
        f"ResearchStudy/{study.pk}",
        f"Consent/{study.pk}-{ada.pk}",
        f"Device/{observation.data_source_id}",
        f"Observation/{observation.pk}",
    ]
    assert entries(client, f"Patient/{bela.pk}/$everything") == [f"Patient/{bela.pk}", f"Organization/{lab.pk}"]


def test_everything_comes_in_pages_too(client, ada):
    whole = entries(client, f"Patient/{ada.pk}/$everything")
    found, path = [], f"Patient/{ada.pk}/$everything?_count=4"
    while path:
        bundle = client.get(f"{BASE}/{path}").json()
        found += [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle["entry"]]
        path = next((link["url"].split("/R5/")[1] for link in bundle["link"] if link["relation"] == "next"), "")
    assert found == whole


def test_everything_can_be_of_some_types_and_since_some_time(client, ada, study):
    path = f"Patient/{ada.pk}/$everything"
    assert entries(client, f"{path}?_type=Consent") == [f"Consent/{study.pk}-{ada.pk}"]
    assert entries(client, f"{path}?_since=2200-01-01T00:00:00Z") == []
    assert entries(client, f"{path}?_type=Observation&start=2026-09-02") == []
    assert len(entries(client, f"{path}?_type=Observation&start=2026-09-01&end=2026-09-01")) == 1
    for malformed in ("_type=Shoe", "_since=yesterday", "_page=x", "_count=x"):
        assert client.get(f"{BASE}/{path}?{malformed}").status_code == 400


def test_a_patient_asks_for_everything_of_their_own(ada):
    ada.user = factories.UserFactory()
    ada.save()
    own = client_of(ada.user)
    assert f"Patient/{ada.pk}" in entries(own, "Patient/$everything")
    assert entries(own, "Patient/$everything") == entries(own, f"Patient/{ada.pk}/$everything")


def test_a_practitioner_has_no_record_of_their_own(client):
    assert client.get(f"{BASE}/Patient/$everything").status_code == 400


def test_everything_of_a_patient_elsewhere_is_not_found(client):
    assert client.get(f"{BASE}/Patient/{factories.PatientFactory().pk}/$everything").status_code == 404


def test_everything_leaves_out_what_the_token_does_not_cover(ada, lab):
    narrow = client_of(member_of(lab), scope="user/Patient.rs user/Device.s")
    types = {entry.split("/")[0] for entry in entries(narrow, f"Patient/{ada.pk}/$everything")}
    assert types == {"Patient"}  # which devices are the patient's say observations alone
    assert narrow.get(f"{BASE}/Patient/{ada.pk}/$everything?_type=Observation").status_code == 403
