"""A world in which every list has many rows, and its manager, who sees them all."""

from dataclasses import dataclass

from core.actions.audit import record_access
from core.actions.mcp_tokens import create_token
from core.models import McpToken, Organization, Study, StudyClient, StudyDataSource, User
from tests.factories import (
    CodeFactory,
    ConsentFactory,
    DataSourceFactory,
    InvitationFactory,
    MembershipFactory,
    ObservationFactory,
    OrganizationClientFactory,
    OrganizationFactory,
    PatientFactory,
    PatientIdentifierFactory,
    PractitionerFactory,
    StudyFactory,
)

SIZE = 22
"""Rows in each list: more than two pages of the smaller, and one of the larger size that tests ask for."""


@dataclass(frozen=True)
class Crowd:
    manager: User
    ids: dict[str, int]
    """By the first word of a route, what its `pk` is."""


def crowd() -> Crowd:
    manager = PractitionerFactory()
    organization = OrganizationFactory()
    MembershipFactory(practitioner=manager, organization=organization, role="manager")
    study = StudyFactory(organization=organization)
    codes = CodeFactory.create_batch(SIZE)
    source = _data_sources(study, codes)
    for code in codes:
        sub_organization = OrganizationFactory(part_of=organization)
        MembershipFactory(practitioner=manager, organization=sub_organization, role="manager")
        MembershipFactory(organization=organization)
        StudyFactory(organization=organization)
        patient = _patient(organization, sub_organization)
        ConsentFactory(study=study, patient=patient, code=code)
        ObservationFactory.create_batch(2, patient=patient, code=code)
        client = OrganizationClientFactory(organization=organization).application
        StudyClient.objects.create(study=study, client=client)
        InvitationFactory(patient=patient, client=client)
    token = _mcp_tokens(manager.user, study)
    ids = {
        "organizations": organization.pk,
        "studies": study.pk,
        "data_sources": source.pk,
        "mcp_tokens": token.pk,
    }
    return Crowd(manager.user, ids)


def _mcp_tokens(user: User, study: Study) -> McpToken:
    """As many as the other lists have rows, of which the last one was used as often."""
    for _ in range(SIZE):
        token, _ = create_token(actor=None, door="command", user=user, ttl="1d", studies=[study.pk])
    for _ in range(SIZE):
        record_access(door="rest", action="GET", outcome="success", user_id=user.pk, client_id=token.client_id)
    return token


def _data_sources(study: Study, codes: list) -> object:
    """As many as there are codes, of which the last one supports them all, each other one three."""
    for _ in codes:
        source = DataSourceFactory()
        source.supported_scopes.set(codes[:3])
        StudyDataSource.objects.create(study=study, data_source=source)
    source.supported_scopes.set(codes)
    return source


def _patient(*organizations: Organization) -> object:
    patient = PatientFactory(organizations=list(organizations))
    PatientIdentifierFactory.create_batch(2, patient=patient)
    return patient
