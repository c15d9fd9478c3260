"""Who gets what status from which route: every route and method of /api/v1/, for everybody.

The columns are the demo's people, as each stands to Lifespan Lab, its study on blood pressure and heart rate, and its
patient Peter:

    admin  superuser            victor  viewer                        peter   the patient
    mary   manager              tom     viewer; manager elsewhere     pamela  a fellow patient in the same studies
    megan  member               mark    manager elsewhere             percy   a patient elsewhere

Without a token it is 401 for all. `{lab}` in a path or body is an id of the world (`ids_of_the_world`). Each request
begins in the same world and is rolled back.
"""

from dataclasses import dataclass, field
from typing import Any

from core.actions.client_consents import give
from core.models import CodeableConcept, DataSource, Practitioner, StudyClient
from tests import personas
from tests.factories import InvitationFactory, ObservationFactory, OrganizationClientFactory, PatientFactory
from tests.mcp_tokens import made_for

PEOPLE = {
    "admin": "admin",
    "mary": "manager_mary",
    "megan": "member_megan",
    "victor": "viewer_victor",
    "tom": "three_org_tom",
    "mark": "manager_mark",
    "peter": "ll_patient_peter",
    "pamela": "ll_patient_pamela",
    "percy": "npl_patient_percy",
}

EVERYBODY_200 = "200 200 200 200 200 200 200 200 200"
SUPERUSER_200 = "200 403 403 403 403 403 403 403 403"
SUPERUSER_201 = "201 403 403 403 403 403 403 403 403"
SUPERUSER_204 = "204 403 403 403 403 403 403 403 403"


@dataclass(frozen=True)
class Row:
    method: str
    path: str
    statuses: str
    body: dict[str, Any] = field(default_factory=dict)


ORGANIZATIONS = [
    #                              admin mary megan victor tom mark peter pamela percy
    Row("GET", "organizations", EVERYBODY_200),
    Row(
        "POST",
        "organizations",
        "201 201 403 403 403 404 404 404 404",
        {"name": "A room of the lab", "type": "team", "partOf": "{lab}"},
    ),
    Row("GET", "organizations/types", EVERYBODY_200),
    Row("GET", "organizations/{lab}", "200 200 200 200 200 404 404 404 404"),
    Row(
        "PUT",
        "organizations/{lab}",
        "200 200 403 403 403 404 404 404 404",
        {"name": "Lifespan", "type": "laboratory", "partOf": "{saturn}"},
    ),
    Row("PATCH", "organizations/{lab}", "200 200 403 403 403 404 404 404 404", {"name": "Lifespan"}),
    Row("DELETE", "organizations/{lab}", "409 409 403 403 403 404 404 404 404"),
    Row("GET", "organizations/{lab}/tree", "200 200 200 200 200 404 404 404 404"),
    Row("GET", "organizations/{lab}/users", "200 200 200 200 200 404 404 404 404"),
    Row(
        "POST",
        "organizations/{lab}/user",
        "200 200 403 403 403 404 404 404 404",
        {"jheUserId": "{megan_user}", "role": "viewer"},
    ),
    Row(
        "DELETE",
        "organizations/{lab}/remove_user",
        "204 204 403 403 403 404 404 404 404",
        {"jheUserId": "{megan_user}"},
    ),
    Row("GET", "organizations/{lab}/studies", "200 200 200 200 200 404 404 404 404"),
]

PRACTITIONERS = [
    #                              admin mary megan victor tom mark peter pamela percy
    Row("GET", "practitioners", EVERYBODY_200),
    Row(
        "POST",
        "practitioners",
        "201 201 403 403 403 404 404 404 404",
        {"telecomEmail": "new@example.com", "organization": "{lab}", "role": "viewer", "nameFamily": "New"},
    ),
    Row("GET", "practitioners/{megan}", "200 200 200 200 200 404 404 404 404"),
    Row("PUT", "practitioners/{megan}", "200 200 403 403 403 404 404 404 404", {"nameFamily": "Mills"}),
    Row("PATCH", "practitioners/{megan}", "200 200 403 403 403 404 404 404 404", {"nameFamily": "Mills"}),
    Row("DELETE", "practitioners/{megan}", "204 204 403 403 403 404 404 404 404"),
]

STUDIES = [
    #                              admin mary megan victor tom mark peter pamela percy
    Row("GET", "studies", EVERYBODY_200),
    Row(
        "POST",
        "studies",
        "201 201 201 403 403 404 404 404 404",
        {"name": "Another study", "organization": "{lab}"},
    ),
    Row("GET", "studies/{study}", "200 200 200 200 200 404 200 200 404"),
    Row(
        "PUT",
        "studies/{study}",
        "200 200 200 403 403 404 403 403 404",
        {"name": "Renamed", "organization": "{lab}"},
    ),
    Row("PATCH", "studies/{study}", "200 200 200 403 403 404 403 403 404", {"name": "Renamed"}),
    Row("DELETE", "studies/{study}", "409 409 409 403 403 404 403 403 404"),
    Row("GET", "studies/{study}/patients", "200 200 200 200 200 404 403 403 404"),
    Row("POST", "studies/{study}/patients", "200 200 200 403 403 404 403 403 404", {"patientIds": ["{peter}"]}),
    Row("DELETE", "studies/{study}/patients", "204 204 204 403 403 404 403 403 404", {"patientIds": ["{peter}"]}),
    Row("GET", "studies/{study}/scope_requests", "200 200 200 200 200 404 200 200 404"),
    Row("POST", "studies/{study}/scope_requests", "200 200 200 403 403 404 403 403 404", {"scopeCodeId": "{glucose}"}),
    Row(
        "DELETE",
        "studies/{study}/scope_requests",
        "204 204 204 403 403 404 403 403 404",
        {"scopeCodeId": "{blood_pressure}"},
    ),
    Row("GET", "studies/{study}/data_sources", "200 200 200 200 200 404 200 200 404"),
    Row("POST", "studies/{study}/data_sources", "200 200 200 403 403 404 403 403 404", {"dataSourceId": "{scale}"}),
    Row("DELETE", "studies/{study}/data_sources", "204 204 204 403 403 404 403 403 404", {"dataSourceId": "{cuff}"}),
    Row("GET", "studies/{study}/clients", "200 200 200 200 200 404 200 200 404"),
    Row("POST", "studies/{study}/clients", "200 200 200 403 403 404 403 403 404", {"clientId": "jhe-mcp-stdio"}),
    Row("DELETE", "studies/{study}/clients", "404 404 404 403 403 404 403 403 404", {"clientId": "jhe-mcp-stdio"}),
]

CATALOGUE = [
    Row("GET", "data_sources", EVERYBODY_200),
    Row("POST", "data_sources", SUPERUSER_201, {"name": "Ring", "type": "personal_device"}),
    Row("GET", "data_sources/all_scopes", EVERYBODY_200),
    Row("GET", "data_sources/{scale}", EVERYBODY_200),
    Row("PUT", "data_sources/{scale}", SUPERUSER_200, {"name": "Scales", "type": "personal_device"}),
    Row("PATCH", "data_sources/{scale}", SUPERUSER_200, {"name": "Scales"}),
    Row("DELETE", "data_sources/{scale}", SUPERUSER_204),
    Row("GET", "data_sources/{scale}/supported_scopes", EVERYBODY_200),
    Row("POST", "data_sources/{scale}/supported_scopes", SUPERUSER_200, {"scopeCodeId": "{glucose}"}),
    Row("DELETE", "data_sources/{scale}/supported_scopes", SUPERUSER_204, {"scopeCodeId": "{weight}"}),
    Row("GET", "codes", EVERYBODY_200),
    Row("GET", "codes/{glucose}", EVERYBODY_200),
]

_BLOOD_PRESSURE = {"codingSystem": "https://w3id.org/openmhealth", "codingCode": "omh:blood-pressure:4.0"}
_ANSWERS = {"studyScopeConsents": [{"studyId": "{study}", "scopeConsents": [{**_BLOOD_PRESSURE, "consented": True}]}]}

PATIENTS = [
    #                              admin mary megan victor tom mark peter pamela percy
    Row("GET", "patients", EVERYBODY_200),
    Row(
        "POST",
        "patients",
        "201 201 201 403 403 404 404 404 404",
        {"nameFamily": "New", "nameGiven": "Nora", "organizations": ["{lab}"]},
    ),
    Row("GET", "patients/me", "404 404 404 404 404 404 200 200 200"),
    Row("GET", "patients/global_lookup?email=nobody@example.com", EVERYBODY_200),
    Row("GET", "patients/{peter}", "200 200 200 200 200 404 200 404 404"),
    Row(
        "PUT",
        "patients/{peter}",
        "200 200 200 403 403 404 403 404 404",
        {"nameFamily": "Larsen", "nameGiven": "Peter"},
    ),
    Row("PATCH", "patients/{peter}", "200 200 200 403 403 404 403 404 404", {"nameGiven": "Peter"}),
    Row("DELETE", "patients/{peter}", "409 409 409 403 403 404 403 404 404"),
    Row("PUT", "patients/{peter}/organizations/{lab}", "200 200 200 403 403 404 403 404 404"),
    Row("DELETE", "patients/{peter}/organizations/{lab}", "409 409 409 403 403 404 403 404 404"),
    Row("GET", "patients/{peter}/consents", "200 200 200 200 200 404 200 404 404"),
    Row("POST", "patients/{peter}/consents", "200 200 200 403 403 404 200 404 404", _ANSWERS),
    Row("PATCH", "patients/{peter}/consents", "200 200 200 403 403 404 200 404 404", _ANSWERS),
    Row("DELETE", "patients/{peter}/consents", "200 200 200 403 403 404 200 404 404", _ANSWERS),
]

_HEART_RATE = {
    "subjectPatientId": "{peter}",
    "codingCode": "omh:heart-rate:2.0",
    "omhData": {
        "header": {
            "uuid": "1a5f8a1e-6f0d-4a33-8d0b-0d6fc6a6a001",
            "schema_id": {"namespace": "omh", "name": "heart-rate", "version": "2.0"},
            "source_creation_date_time": "2026-09-01T08:00:00-07:00",
            "modality": "sensed",
        },
        "body": {
            "heart_rate": {"value": 61, "unit": "beats/min"},
            "effective_time_frame": {"date_time": "2026-09-01T08:00:00-07:00"},
        },
    },
}

OBSERVATIONS = [
    #                              admin mary megan victor tom mark peter pamela percy
    Row("GET", "observations", EVERYBODY_200),
    Row("POST", "observations", "201 201 201 403 403 404 201 404 404", _HEART_RATE),
    Row("GET", "observations/{observation}", "200 200 200 200 200 404 200 404 404"),
    Row("PUT", "observations/{observation}", "200 200 200 403 403 404 200 404 404", _HEART_RATE),
    Row(
        "PATCH",
        "observations/{observation}",
        "200 200 200 403 403 404 200 404 404",
        {"omhData": _HEART_RATE["omhData"], "status": "corrected"},
    ),
    Row("DELETE", "observations/{observation}", "204 204 204 403 403 404 204 404 404"),
]

_CLIENT = {"name": "An app", "organization": "{lab}", "redirectUris": ["https://app.example.org/callback"]}

CLIENTS = [
    #                              admin mary megan victor tom mark peter pamela percy
    Row("GET", "clients", EVERYBODY_200),
    Row("POST", "clients", "201 201 403 403 403 404 404 404 404", _CLIENT),
    Row("GET", "clients/{client}", "200 200 200 200 200 404 200 200 404"),
    Row("PUT", "clients/{client}", "200 200 403 403 403 404 403 403 404", _CLIENT),
    Row("PATCH", "clients/{client}", "200 200 403 403 403 404 403 403 404", {"name": "An app"}),
    Row("DELETE", "clients/{client}", "204 204 403 403 403 404 403 403 404"),
    Row("POST", "clients/{client}/secret", "409 409 403 403 403 404 403 403 404"),  # a public one has none
    Row(
        "POST",
        "clients/own",
        "201 201 201 201 201 201 403 403 403",
        {"name": "A script", "scopes": ["system/Observation.rs"]},
    ),
    Row("GET", "invitation", EVERYBODY_200),
    Row(
        "POST",
        "invitation",
        "201 201 201 403 403 404 404 404 404",
        {"patientId": "{newcomer}", "clientId": "{client}"},
    ),
    Row(
        "POST",
        "invitation",
        "409 409 409 403 403 404 403 404 404",  # Peter logs in
        {"patientId": "{peter}", "clientId": "{client}"},
    ),
    Row("GET", "invitation/{invitation}", "200 200 200 404 404 404 404 404 404"),
    Row("DELETE", "invitation/{invitation}", "204 204 204 404 404 404 404 404 404"),
]

MCP_TOKENS = [
    #                              admin mary megan victor tom mark peter pamela percy
    Row("GET", "mcp_tokens", EVERYBODY_200),
    Row("POST", "mcp_tokens", "201 201 201 201 201 404 201 201 404", {"studies": ["{study}"], "ttl": "1d"}),
    Row("GET", "mcp_tokens/introspect", "403 403 403 403 403 403 403 403 403"),
    Row("GET", "mcp_tokens/{mcp_token}", "200 200 404 404 404 404 404 404 404"),  # Mary's
    Row("GET", "mcp_tokens/{mcp_token}/uses", "200 200 404 404 404 404 404 404 404"),
    Row("POST", "mcp_tokens/{mcp_token}/revoke", "200 200 404 404 404 404 404 404 404"),
    Row("DELETE", "mcp_tokens/{mcp_token}", "204 204 404 404 404 404 404 404 404"),
]

PERSONAL = [
    Row("GET", "client_consents", EVERYBODY_200),
    Row("GET", "client_consents/{client}", "404 200 404 404 404 404 404 404 404"),  # Mary's
    Row("DELETE", "client_consents/{client}", "404 204 404 404 404 404 404 404 404"),
    Row("GET", "users/profile", EVERYBODY_200),
    Row("PATCH", "users/profile", EVERYBODY_200, {"firstName": "Kim"}),
    Row("GET", "settings", EVERYBODY_200),
    Row("GET", "settings/exchange.name", EVERYBODY_200),
    Row("PUT", "settings/exchange.name", SUPERUSER_200, {"value": "An exchange"}),
    Row("PATCH", "settings/exchange.name", SUPERUSER_200, {"value": "An exchange"}),
    Row("DELETE", "settings/exchange.name", SUPERUSER_204),
]

OPEN = [
    Row("POST", "invitation/a-token-that-nobody-has", "404 404 404 404 404 404 404 404 404"),
]
"""Where nobody logs in: who asks makes no difference."""

MATRIX = [
    *ORGANIZATIONS,
    *PRACTITIONERS,
    *STUDIES,
    *CATALOGUE,
    *PATIENTS,
    *OBSERVATIONS,
    *CLIENTS,
    *MCP_TOKENS,
    *PERSONAL,
]


def ids_of_the_world() -> dict[str, int]:
    """What stands in the braces of paths and bodies. Makes what the demo world does not have."""
    megan = Practitioner.objects.get(user__email="member_megan@example.com")
    code = dict(CodeableConcept.objects.values_list("coding_code", "pk"))
    source = dict(DataSource.objects.values_list("name", "pk"))
    lab = personas.organization_of("Lifespan Lab")
    client = OrganizationClientFactory(organization=lab)
    StudyClient.objects.create(study=personas.study_of(personas.BP_AND_HR), client=client.application)
    give(user=personas.user_of("manager_mary"), application=client.application, code="a code", scope="openid")
    invitation = InvitationFactory(patient=personas.patient_of("ll_patient_pamela"), client=client.application)
    heart_rate = CodeableConcept.objects.get(pk=code["omh:heart-rate:2.0"])
    observation = ObservationFactory(patient=personas.patient_of("ll_patient_peter"), code=heart_rate)
    return {
        "client": client.pk,
        "invitation": invitation.pk,
        "mcp_token": made_for("manager_mary")[0].pk,
        "lab": lab.pk,
        "saturn": personas.organization_of("Saturn School of Data Science").pk,
        "megan": megan.pk,
        "megan_user": megan.user_id,
        "study": personas.study_of(personas.BP_AND_HR).pk,
        "peter": personas.patient_of("ll_patient_peter").pk,
        "newcomer": PatientFactory(organizations=[lab], telecom_email="newcomer@test.invalid").pk,
        "observation": observation.pk,
        "glucose": code["omh:blood-glucose:4.0"],
        "blood_pressure": code["omh:blood-pressure:4.0"],
        "weight": code["omh:body-weight:3.0"],
        "scale": source["Scale"],
        "cuff": source["Blood pressure cuff"],
    }
