"""What the parties of an invitation do: who manages a patient invites, an app redeems and exchanges."""

from base64 import urlsafe_b64encode
from typing import Any

from django.test import Client
from oauth2_provider.models import Application

from core.models import Patient, StudyClient
from tests import personas
from tests.bearer import client_of
from tests.factories import OrganizationClientFactory, PatientFactory

INVITATION = "/api/v1/invitation"


def an_app(study: str = personas.BP) -> Application:
    """An app that sends data for a study, and belongs to the study's organization."""
    of = personas.study_of(study)
    client = OrganizationClientFactory(organization=of.organization).application
    StudyClient.objects.create(study=of, client=client)
    return client


def a_patient(**fields: Any) -> Patient:
    """Nora, a patient of Lifespan Lab without an account."""
    lab = personas.organization_of("Lifespan Lab")
    return PatientFactory(
        **{"organizations": [lab], "telecom_email": "Nora@test.invalid", "name_given": "Nora"} | fields
    )


def as_(name: str) -> Client:
    return client_of(personas.user_of(name))


def invite(patient: Patient, app: Application, by: str = "member_megan", **more: Any) -> Any:
    body = {"patient_id": patient.pk, "client_id": app.client_id, **more}
    return as_(by).post(INVITATION, body, content_type="application/json")


def redeem(token: str) -> Any:
    return Client().post(f"{INVITATION}/{token}")


def exchange(answer: dict[str, Any], token: str, **changes: Any) -> Any:
    """What an app does next: the grant and its verifier, to the token endpoint."""
    verifier = urlsafe_b64encode(token.encode()).decode().rstrip("=")
    return Client().post("/o/token/", {**answer["grant"], "code_verifier": verifier, **changes})


def bearer(token: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {token}"})
