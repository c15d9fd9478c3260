"""FHIR clients that others wrote, unchanged, against the running exchange: they create, search, page and read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fhirclient.models.fhirreference import FHIRReference
from fhirclient.models.humanname import HumanName
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException, FHIRServer
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

from demo.services import ROOT, Exchange

KIT = ROOT / "tests/npm/node_modules/fhir-kit-client"
LAB, PETER = 20003, 40001
"""Lifespan Lab, and Peter who is a patient of it, as a fresh demo world numbers them."""


@pytest.fixture(scope="session")
def base(exchange: Exchange) -> str:
    return f"{exchange.web_url}/FHIR/R5"


@pytest.fixture(scope="session")
def token(exchange: Exchange) -> str:
    """Megan's, for REST and FHIR."""
    command = [sys.executable, "manage.py", "dev_token", "member_megan@example.com", "--resource", ""]
    printed = subprocess.run(command, cwd=ROOT, env=exchange.environment, stdout=subprocess.PIPE, check=True)
    return printed.stdout.decode().strip()


@pytest.fixture
def fhirpy(base: str, token: str) -> SyncFHIRClient:
    return SyncFHIRClient(base, authorization=f"Bearer {token}")


@pytest.fixture
def smart(base: str, token: str) -> FHIRServer:
    server = FHIRServer(None, base_uri=base)
    server.session.headers["Authorization"] = f"Bearer {token}"
    return server


def test_fhirpy_creates_changes_and_deletes_a_patient(fhirpy: SyncFHIRClient) -> None:
    patient = fhirpy.resource(
        "Patient",
        name=[{"family": "Py", "given": ["Ada"]}],
        managingOrganization={"reference": f"Organization/{LAB}"},
    )
    patient.save()
    assert patient["meta"]["versionId"] == "1"
    patient["gender"] = "other"
    patient.save()
    assert fhirpy.reference("Patient", patient.id).to_resource()["gender"] == "other"
    patient.delete()
    with pytest.raises((ResourceNotFound, OperationOutcome)):
        fhirpy.reference("Patient", patient.id).to_resource()


def test_fhirpy_searches_and_pages(fhirpy: SyncFHIRClient) -> None:
    found = fhirpy.resources("Patient").search(family="l").sort("-family").fetch_all()
    assert [each["name"][0]["family"] for each in found] == ["Lopez", "Larsen"]
    observations = fhirpy.resources("Observation").search(patient=f"Patient/{PETER}").limit(20)
    everything = observations.fetch_all()
    ids = [each.id for each in everything]
    assert len(ids) > 40
    assert len(ids) == len(set(ids)) == observations.count()
    with_patient = fhirpy.resources("Observation").search(patient=PETER).include("Observation", "patient").limit(5)
    types = {entry["resource"]["resourceType"] for entry in with_patient.fetch_raw()["entry"]}
    assert types == {"Observation", "Patient"}


def test_fhirpy_creates_on_condition_once(fhirpy: SyncFHIRClient) -> None:
    mrn = {"system": "https://test.invalid/mrn", "value": "PY-1"}
    query = {"identifier": f"{mrn['system']}|{mrn['value']}"}
    sent = {
        "identifier": [mrn],
        "name": [{"family": "Once"}],
        "managingOrganization": {"reference": f"Organization/{LAB}"},
    }
    fhirpy.resource("Patient", **sent).create(**query)
    fhirpy.resource("Patient", **sent).create(**query)
    [only] = fhirpy.resources("Patient").search(**query).fetch_all()
    only.delete()  # the demo world is others' too


def test_fhirpy_is_told_why_a_patient_is_refused(fhirpy: SyncFHIRClient) -> None:
    with pytest.raises(OperationOutcome) as refused:
        fhirpy.resource("Patient", name=[{"family": "Nowhere"}]).save()
    assert "managingOrganization" in str(refused.value)


def test_fhirclient_creates_reads_and_searches(smart: FHIRServer) -> None:
    patient = Patient()
    patient.name = [HumanName({"family": "Smart", "given": ["Ada"]})]
    patient.managingOrganization = FHIRReference({"reference": f"Organization/{LAB}"})
    created = patient.create(smart)
    read = Patient.read(created["id"], smart)
    assert read.name[0].family == "Smart"
    found = list(Patient.where({"family": "Smart"}).perform_resources_iter(smart))
    assert [each.id for each in found] == [created["id"]]
    read.gender = "female"
    assert read.update(smart)["gender"] == "female"
    read.delete()
    with pytest.raises(FHIRNotFoundException):
        Patient.read("1", smart)


def test_fhirclient_pages_through_patients(smart: FHIRServer) -> None:
    everybody = {each.id for each in Patient.where({"_count": "1"}).perform_resources_iter(smart)}
    at_once = {each.id for each in Patient.where({"_count": "1000"}).perform_resources_iter(smart)}
    assert everybody == at_once
    assert str(PETER) in everybody


@pytest.mark.skipif(not KIT.exists(), reason="make test could not install tests/npm")
def test_fhir_kit_client_does_all_that_it_can(base: str, token: str) -> None:
    script = Path(__file__).with_name("fhir_kit_client.mjs")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["node", str(script), base, token, str(LAB), str(PETER)],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr.replace(token, "<token>")
    told = json.loads(result.stdout)
    assert {"Patient", "Observation", "Consent", "AuditEvent"} <= set(told["types"])
    assert told["created"] == [{"family": "Kit", "given": ["Client"]}]
    assert (told["gender"], told["birthDate"], told["first"]) == ("other", "1980-05-17", "unknown")
    assert told["versions"] == ["3", "2", "1"]
    assert (told["byName"], told["posted"]) == ([True], 1)
    assert told["pages"][:2] == [20, 20]
    assert told["compartment"] == sum(told["pages"])
    assert (told["batch"], told["refusal"]) == ("200 OK", 404)
