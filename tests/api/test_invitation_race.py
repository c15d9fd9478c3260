"""Many apps come with invitations of one patient at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from threading import Barrier

import pytest
from django.core.cache import caches
from django.db import connection
from django.test import Client
from oauth2_provider.models import Grant

from core.actions.invitations import issue_invitation
from core.models import Client as OAuthClient
from core.models import Patient, StudyClient, User
from tests.factories import (
    EnrolmentFactory,
    MembershipFactory,
    OrganizationClientFactory,
    PatientFactory,
    StudyFactory,
)
from tests.personas import principal_of

APPS = 8

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def nora() -> Patient:
    caches["process"].clear()
    patient = PatientFactory(telecom_email="nora@test.invalid")
    EnrolmentFactory(study=StudyFactory(), patient=patient)
    return patient


def invited(patient: Patient) -> str:
    """The token of an invitation to an app of its own."""
    study = patient.enrolments.get().study
    client = OAuthClient.objects.get(pk=OrganizationClientFactory(organization=study.organization).pk)
    StudyClient.objects.create(study=study, client=client)
    manager = principal_of(MembershipFactory(organization=study.organization, role="manager").practitioner.user)
    token = issue_invitation(actor=manager, door="rest", patient=patient, client=client, send_email=False).token
    assert token is not None
    return token


def redeemed_at_once(tokens: list[str]) -> list[int]:
    ready = Barrier(APPS, timeout=60)

    def redeem(token: str) -> int:
        ready.wait()
        try:
            return Client().post(f"/api/v1/invitation/{token}").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(APPS) as apps:
        return sorted(apps.map(redeem, islice(cycle(tokens), APPS)))


def test_of_many_who_redeem_one_invitation_at_once_one_gets_the_grant(nora: Patient) -> None:
    assert redeemed_at_once([invited(nora)]) == [200] + [409] * (APPS - 1)
    assert Grant.objects.count() == 1
    assert User.objects.filter(email="nora@test.invalid").count() == 1


def test_of_many_first_invitations_that_are_redeemed_at_once_one_makes_the_account(nora: Patient) -> None:
    tokens = []
    for number in range(APPS):
        nora.telecom_email = f"nora-{number}@test.invalid"  # so that nothing but the patient's row stands in the way
        nora.save()
        tokens.append(invited(nora))
    assert redeemed_at_once(tokens) == [200] + [409] * (APPS - 1)
    grant = Grant.objects.get()
    nora.refresh_from_db()
    assert grant.user == nora.user
    assert User.objects.filter(email__startswith="nora-").count() == 1
