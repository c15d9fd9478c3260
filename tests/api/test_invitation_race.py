"""Many apps come with one invitation at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from oauth2_provider.models import Grant

from core.actions.invitations import issue_invitation
from core.models import Client as OAuthClient
from core.models import StudyClient, User
from tests.factories import (
    EnrolmentFactory,
    MembershipFactory,
    OrganizationClientFactory,
    PatientFactory,
    StudyFactory,
)
from tests.personas import principal_of


@pytest.mark.django_db(transaction=True)
def test_of_many_who_redeem_one_invitation_at_once_one_gets_the_grant() -> None:
    cache.clear()
    study, patient = StudyFactory(), PatientFactory(telecom_email="nora@test.invalid")
    EnrolmentFactory(study=study, patient=patient)
    client = OAuthClient.objects.get(pk=OrganizationClientFactory(organization=study.organization).pk)
    StudyClient.objects.create(study=study, client=client)
    manager = principal_of(MembershipFactory(organization=study.organization, role="manager").practitioner.user)
    issued = issue_invitation(actor=manager, door="rest", patient=patient, client=client, send_email=False)
    ready = Barrier(8, timeout=60)

    def redeem(_: int) -> int:
        ready.wait()
        try:
            return Client().post(f"/api/v1/invitation/{issued.token}").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(ready.parties) as apps:
        assert sorted(apps.map(redeem, range(ready.parties))) == [200] + [409] * 7
    assert Grant.objects.count() == 1
    assert User.objects.filter(email="nora@test.invalid").count() == 1
