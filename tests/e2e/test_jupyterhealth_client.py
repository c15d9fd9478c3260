"""The PyPI package jupyterhealth-client, both released versions, unchanged, against the running exchange.

Every public method, as everybody of the demo world; what comes is what the demo world says (demo_answers.py).
"""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jupyterhealth_client
import psycopg2
import pytest

from core.seed import demo_world as demo
from core.seed import scopes
from demo.services import ROOT, Exchange
from jhe import embedded
from tests.e2e import demo_answers as expected

OLDER = Path(__file__).with_name("jupyterhealth-client-0.4.0.txt")
PAT, BGL = "ccl_cardio_patient_pat", "Cardiology Div Study on BGL"
TOKENS = """
import json
from core.models import User
from core.oauth.issue import issue
print(json.dumps({user.email: issue(user)["access_token"] for user in User.objects.filter(email__in=%r)}))
"""


@pytest.fixture(scope="session")
def older_client(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Version 0.4.0 in a folder of its own, under a name of its own, on the packages that 0.5.0 runs on too."""
    folder = tmp_path_factory.mktemp("jupyterhealth-client-0.4.0")
    # The environment has no pip of its own; the Python that it was made from has.
    install = [
        getattr(sys, "_base_executable", sys.executable),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
    ]
    options = ["--disable-pip-version-check", f"--target={folder}", f"--requirement={OLDER}"]
    done = subprocess.run([*install, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"jupyterhealth-client 0.4.0 cannot be installed: {done.stderr.strip().rpartition(chr(10))[2]}")
    package = folder / "jupyterhealth_client"
    spec = importlib.util.spec_from_file_location(
        "jupyterhealth_client_0_4_0", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tokens(exchange: Exchange) -> dict[str, str]:
    """An access token for each of the demo's people, as `dev_token --resource ''` prints them one by one."""
    emails = [f"{name}@example.com" for name in expected.EVERYBODY]
    command = [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", TOKENS % emails]
    printed = subprocess.run(command, cwd=ROOT, env=exchange.environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, str] = json.loads(printed.stdout)
    return {email.partition("@")[0]: token for email, token in found.items()}


LogIn = Callable[[str], Any]


@pytest.fixture(params=["0.5.0", "0.4.0"])
def log_in(request: pytest.FixtureRequest, exchange: Exchange, tokens: dict[str, str]) -> Iterator[LogIn]:
    """The client of somebody, by name."""
    module = jupyterhealth_client if request.param == "0.5.0" else request.getfixturevalue("older_client")
    clients = []

    def log_in(person: str) -> Any:
        clients.append(module.JupyterHealthClient(exchange.web_url, token=tokens[person]))
        return clients[-1]

    yield log_in
    for client in clients:
        client.session.close()


@pytest.fixture
def newer(exchange: Exchange, tokens: dict[str, str]) -> Iterator[LogIn]:
    """As `log_in`, for what 0.4.0 does not have."""
    clients = []

    def log_in(person: str) -> Any:
        clients.append(jupyterhealth_client.JupyterHealthClient(exchange.web_url, token=tokens[person]))
        return clients[-1]

    yield log_in
    for client in clients:
        client.session.close()


everybody = pytest.mark.parametrize("person", expected.EVERYBODY)


def names(rows: Any) -> list[str]:
    return [row["name"] for row in rows]


def emails(patients: Any) -> list[str]:
    return [patient["telecomEmail"].partition("@")[0] for patient in patients]


def status_of(error: Any) -> int:
    status: int = error.value.requests_error.response.status_code
    return status


@everybody
def test_everybody_learns_who_they_are(log_in: LogIn, person: str) -> None:
    user = log_in(person).get_user()
    known = {**expected.PRACTITIONERS, **expected.PATIENTS}.get(person)
    assert user["email"] == f"{person}@example.com"
    assert (user["firstName"], user["lastName"]) == ((known.given, known.family) if known else ("Ada", "Admin"))
    assert user["isSuperuser"] is (person == expected.ADMIN)
    assert user["userType"] == ("patient" if person in expected.PATIENTS else "practitioner")
    assert (user["patient"] is not None) == (person in expected.PATIENTS)
    assert {"id", "settings"} <= user.keys()


@everybody
def test_everybody_lists_and_gets_their_organizations(log_in: LogIn, person: str) -> None:
    client = log_in(person)
    listed = list(client.list_organizations())
    assert sorted(names(listed)) == sorted(expected.organizations(person))
    for organization in listed:
        assert client.get_organization(organization["id"]) == organization
    kinds = {organization.name: organization.type for organization in demo.ORGANIZATIONS}
    assert all(kinds.get(each["name"], "root") == each["type"] for each in listed)


@everybody
def test_everybody_lists_and_gets_their_studies(log_in: LogIn, person: str) -> None:
    client = log_in(person)
    listed = list(client.list_studies())
    assert sorted(names(listed)) == sorted(expected.studies(person))
    for study in listed:
        assert client.get_study(study["id"]) == study
        [planned] = [each for each in demo.STUDIES if each.name == study["name"]]
        assert (study["organization"]["name"], study["description"]) == (planned.organization, planned.description)
        of_organization = names(client.list_studies(organization_id=study["organization"]["id"]))
        assert study["name"] in of_organization
    assert list(client.list_studies(organization_id=99_999_999)) == []


@everybody
def test_everybody_lists_gets_and_looks_up_their_patients(log_in: LogIn, person: str) -> None:
    client = log_in(person)
    listed = list(client.list_patients())
    assert sorted(emails(listed)) == sorted(expected.patients(person))
    for patient, name in zip(listed, emails(listed), strict=True):
        assert client.get_patient(patient["id"]) == patient
        assert client.lookup_patient(email=patient["telecomEmail"].upper()) == patient
        assert client.lookup_patient(external_id=name) == patient
        assert client.lookup_patient(external_id=name, system=demo.IDENTIFIER_SYSTEM) == patient
        planned = expected.PATIENTS[name]
        assert patient["birthDate"] == planned.birth_date.isoformat()
    for name in expected.PATIENTS.keys() - expected.patients(person):
        with pytest.raises(KeyError):
            client.lookup_patient(email=f"{name}@example.com")
        with pytest.raises(KeyError):
            client.lookup_patient(external_id=name)
    with pytest.raises(KeyError):
        client.lookup_patient(external_id=person, system="https://other.invalid")


@everybody
def test_everybody_lists_the_patients_of_their_organizations_and_studies(log_in: LogIn, person: str) -> None:
    client = log_in(person)
    for organization in client.list_organizations():
        belonging = [n for n, p in expected.PATIENTS.items() if organization["name"] in p.organizations]
        assert sorted(emails(client.list_patients(organization_id=organization["id"]))) == sorted(belonging)
    for study in client.list_studies():
        enrolled = [p for p in expected.PATIENTS if study["name"] in {s.name for s in expected.studies_of(person, p)}]
        assert sorted(emails(client.list_patients(study_id=study["id"]))) == sorted(enrolled)


@everybody
def test_everybody_reads_the_consents_of_their_patients(log_in: LogIn, person: str) -> None:
    client = log_in(person)
    for patient in client.list_patients():
        [name] = emails([patient])
        consents = client.get_patient_consents(patient["id"])
        assert consents["patient"] == patient
        known = expected.studies_of(person, name)
        answered = {study.name: set(study.scopes) for study in known if name in study.consented}
        assert {
            study["name"]: {scope["code"]["codingCode"] for scope in study["scopeConsents"] if scope["consented"]}
            for study in consents["studies"]
        } == answered
        assert set(names(consents["studiesPendingConsent"])) == {s.name for s in known if name in s.unanswered}
        consented = {code["codingCode"] for code in consents["consolidatedConsentedScopes"]}
        assert consented == set().union(*answered.values())


@everybody
def test_everybody_lists_the_data_sources(log_in: LogIn, person: str) -> None:
    listed = list(log_in(person).list_data_sources())
    assert {source["name"]: {scope["codingCode"] for scope in source["supportedScopes"]} for source in listed} == {
        source.name: set(source.scopes) for source in demo.DATA_SOURCES
    }


def test_what_somebody_may_not_see_is_an_error_with_our_sentence(log_in: LogIn) -> None:
    admin, megan = log_in("admin"), log_in("member_megan")
    percy = admin.lookup_patient(external_id="npl_patient_percy")["id"]
    with pytest.raises(Exception, match=f"404 .*\nNo patient {percy} that you can see") as refusal:
        megan.get_patient(percy)
    assert status_of(refusal) == 404
    for refused in (megan.get_study, megan.get_organization, megan.get_patient_consents):
        with pytest.raises(Exception, match="that you can see") as refusal:
            refused(99_999_999)
        assert status_of(refusal) == 404


def test_a_patient_is_found_by_the_deprecated_way_too(log_in: LogIn) -> None:
    with pytest.warns(DeprecationWarning, match="get_patient_by_external_id is deprecated"):
        found = log_in("manager_mary").get_patient_by_external_id("ll_patient_peter")
    assert found["nameGiven"] == "Peter"


def test_a_token_that_nobody_has_is_refused(exchange: Exchange) -> None:
    client = jupyterhealth_client.JupyterHealthClient(exchange.web_url, token="nobody's")
    with pytest.raises(jupyterhealth_client.RequestError) as refusal:
        client.get_user()
    client.session.close()
    assert status_of(refusal) == 401


def grants_of(observations: Any, ids: dict[int, str]) -> Counter[tuple[str, str]]:
    """(patient, code) -> how many."""
    return Counter(
        (ids[int(each["subject"]["reference"].partition("/")[2])], each["code"]["coding"][0]["code"])
        for each in observations
    )


def counted(grants: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    return {grant: expected.readings(*grant) for grant in grants}


@everybody
def test_everybody_lists_the_observations_of_their_studies_and_patients(log_in: LogIn, person: str) -> None:
    client = log_in(person)
    patients = {patient["id"]: emails([patient])[0] for patient in client.list_patients()}
    for study in client.list_studies():
        planned = [each for each in demo.STUDIES if each.name == study["name"]]
        found = grants_of(client.list_observations(study_id=study["id"], limit=None), patients)
        assert found == counted(expected.grants(person, planned))
    for patient_id, name in patients.items():
        found = grants_of(client.list_observations(patient_id=patient_id, limit=None), patients)
        assert found == counted({grant for grant in expected.grants(person) if grant[0] == name})


def test_observations_narrow_by_patient_study_and_code_and_become_a_table(log_in: LogIn) -> None:
    mary = log_in("manager_mary")
    peter = mary.lookup_patient(external_id="ll_patient_peter")["id"]
    [study] = [study["id"] for study in mary.list_studies() if study["name"] == "Lifespan Study on BP & HR"]
    code = jupyterhealth_client.Code.HEART_RATE.value
    table = mary.list_observations_df(patient_id=peter, study_id=study, code=code)
    assert len(table) == expected.readings("ll_patient_peter", scopes.HEART_RATE)
    assert set(table["code_coding_0_code"]) == {code}
    assert set(table["subject_reference"]) == {f"Patient/{peter}"}
    assert table["heart_rate_value"].between(30, 220).all()
    assert table["id"].is_unique
    times = table["effective_time_frame_date_time"]
    assert str(times.dtype).endswith("UTC]")
    assert times.is_monotonic_decreasing, "the newest come first"
    assert (
        (times.dt.tz_localize(None) - table["effective_time_frame_date_time_local"]).dt.total_seconds() == 25_200
    ).all()
    assert len(mary.list_observations_df(patient_id=peter, code=code, limit=5)) == 5
    assert mary.list_observations_df(patient_id=peter, code=scopes.BLOOD_GLUCOSE).empty


@pytest.fixture
def many_readings(exchange: Exchange) -> Iterator[int]:
    """Pat has more readings of glucose than fit two pages of the client; the world is as it was afterwards."""
    of_pat = """
        patient_id = (SELECT p.id FROM core_patient p JOIN core_user u ON u.id = p.user_id WHERE u.email = %(email)s)
        AND code_id = (SELECT id FROM core_codeableconcept WHERE coding_code = %(code)s)
    """
    more = f"""
        INSERT INTO core_observation (patient_id, code_id, status, effective_start, value_unit, omh_data)
        SELECT patient_id, code_id, 'final', effective_start - weeks * interval '7 days', '', omh_data
        FROM core_observation, generate_series(1, 3) AS weeks WHERE {of_pat}
    """  # noqa: S608
    named = {"email": f"{PAT}@example.com", "code": scopes.BLOOD_GLUCOSE}
    connection = psycopg2.connect(embedded.database_url(exchange.data_dir))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM core_observation")
        [(last,)] = cursor.fetchall()
        cursor.execute(more, named)
        yield 4 * expected.readings(PAT, scopes.BLOOD_GLUCOSE)
        cursor.execute("DELETE FROM core_observation WHERE id > %s", [last])
    connection.close()


def test_more_than_two_pages_of_observations_come_each_once(log_in: LogIn, many_readings: int) -> None:
    assert many_readings > 2_000
    mark = log_in("manager_mark")
    pat = mark.lookup_patient(external_id=PAT)["id"]
    [study] = [study["id"] for study in mark.list_studies() if study["name"] == BGL]
    for asked in ({"patient_id": pat}, {"study_id": study}, {"patient_id": pat, "code": scopes.BLOOD_GLUCOSE}):
        found = [each["id"] for each in mark.list_observations(**asked, limit=None)]
        assert len(found) == len(set(found)) == many_readings
        assert len(list(mark.list_observations(**asked))) == 2_000, "as many as the client asks for by itself"


@everybody
def test_everybody_reads_resources_over_fhir(newer: LogIn, person: str) -> None:
    client = newer(person)
    patients = {patient["id"]: emails([patient])[0] for patient in client.list_patients()}
    assert {int(patient["id"]) for patient in client.list_fhir("Patient")} == patients.keys()
    found = grants_of(client.list_fhir("Observation", params={"_count": 100}), patients)
    assert found == counted(expected.grants(person))
    for patient_id in patients:
        patient = client.get_fhir("Patient", patient_id)
        assert (patient["resourceType"], patient["id"]) == ("Patient", str(patient_id))
        of_one = grants_of(client.list_fhir("Observation", patient_id=patient_id, limit=3), patients)
        assert sum(of_one.values()) <= 3
    for study in client.list_studies():
        assert client.get_fhir("ResearchStudy", study["id"])["title"] == study["name"]
        through = client.get_fhir("Observation", study_id=study["id"], params={"_summary": "count"})
        planned = [each for each in demo.STUDIES if each.name == study["name"]]
        assert through["total"] == sum(counted(expected.grants(person, planned)).values())


def test_the_server_says_what_it_can_do(newer: LogIn) -> None:
    mary = newer("manager_mary")
    statement = mary.get_fhir_capability_statement()
    assert (statement["resourceType"], statement["fhirVersion"]) == ("CapabilityStatement", "5.0.0")
    served = {"AuditEvent", "Consent", "Device", "Group", "Observation", "Organization", "Patient", "Practitioner"}
    assert served <= set(mary.list_fhir_resource_types())


def test_any_request_can_be_made(newer: LogIn) -> None:
    mary = newer("manager_mary")
    answer = mary.api_request("patients", params={"page_size": 1}, return_response=True)
    assert answer.status_code == 200
    assert mary.api_request(answer.json()["next"])["results"][0]["nameGiven"] == "Pamela"
    refused = mary.api_request("patients/1", check=False, return_response=True)
    assert refused.status_code == 404
