"""What the database itself refuses, on whatever path a row comes."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread

import pytest
from django.db import IntegrityError, connection, transaction

from core.models import Observation, Organization, PractitionerOrganization, User
from tests.factories import (
    CodeFactory,
    DataSourceFactory,
    EnrolmentFactory,
    MembershipFactory,
    ObservationFactory,
    ObservationIdentifierFactory,
    OrganizationFactory,
    PatientFactory,
    PatientIdentifierFactory,
    StudyFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


def test_an_organization_is_not_part_of_itself() -> None:
    organization = OrganizationFactory()
    with pytest.raises(IntegrityError, match="organization_"), transaction.atomic():
        Organization.objects.filter(pk=organization.pk).update(part_of=organization)


def test_an_organization_is_not_part_of_what_is_part_of_it() -> None:
    top = OrganizationFactory()
    middle = OrganizationFactory(part_of=top)
    bottom = OrganizationFactory(part_of=middle)
    with pytest.raises(IntegrityError, match="sub-organizations"), transaction.atomic():
        Organization.objects.filter(pk=top.pk).update(part_of=bottom)


def test_organizations_move_where_no_loop_comes_of_it() -> None:
    top, other = OrganizationFactory(), OrganizationFactory()
    below = OrganizationFactory(part_of=top)
    Organization.objects.filter(pk=below.pk).update(part_of=other)
    Organization.objects.filter(pk=top.pk).update(part_of=below)
    top.refresh_from_db()
    assert top.part_of == below


@pytest.mark.django_db(transaction=True)
def test_two_moves_at_once_do_not_close_a_loop_that_neither_sees() -> None:
    one, other = OrganizationFactory(), OrganizationFactory()
    refused: list[IntegrityError] = []

    def move_the_other() -> None:
        try:
            Organization.objects.filter(pk=other.pk).update(part_of=one)
        except IntegrityError as error:
            refused.append(error)
        finally:
            connection.close()

    second = Thread(target=move_the_other)
    with transaction.atomic():
        Organization.objects.filter(pk=one.pk).update(part_of=other)
        second.start()
        wait_until_somebody_waits_for_a_lock()
    second.join()
    assert len(refused) == 1
    assert Organization.objects.get(pk=other.pk).part_of is None


def wait_until_somebody_waits_for_a_lock() -> None:
    pause = Event()
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            if cursor.fetchone()[0]:
                return
            pause.wait(0.01)


def second_account_of_an_address() -> None:
    UserFactory(email="somebody@test.invalid")
    UserFactory(email="somebody@test.invalid")


def account_with_capitals() -> None:
    User.objects.bulk_create([User(email="Somebody@test.invalid")])


def second_role_in_an_organization() -> None:
    membership = MembershipFactory(role="viewer")
    MembershipFactory(practitioner=membership.practitioner, organization=membership.organization, role="manager")


def role_that_is_none() -> None:
    PractitionerOrganization.objects.filter(pk=MembershipFactory().pk).update(role="superuser")


def identifier_of_two_patients() -> None:
    identifier = PatientIdentifierFactory()
    PatientIdentifierFactory(system=identifier.system, value=identifier.value)


def patient_twice_in_an_organization() -> None:
    organization = OrganizationFactory()
    PatientFactory(organizations=[organization, organization])


def login_of_two_patients() -> None:
    user = UserFactory()
    PatientFactory(user=user)
    PatientFactory(user=user)


def code_twice_in_a_system() -> None:
    code = CodeFactory()
    type(code).objects.create(coding_system=code.coding_system, coding_code=code.coding_code, text="Another text")


def scope_requested_twice() -> None:
    code = CodeFactory()
    StudyFactory(scopes=[code, code])


def patient_enrolled_twice() -> None:
    enrolment = EnrolmentFactory()
    type(enrolment).objects.create(study=enrolment.study, patient=enrolment.patient)


def scope_supported_twice() -> None:
    source, code = DataSourceFactory(), CodeFactory()
    source.supported_scopes.through.objects.bulk_create(
        source.supported_scopes.through(data_source=source, code=code) for _ in range(2)
    )


def identifier_twice_on_a_patients_observations() -> None:
    first = ObservationIdentifierFactory()
    again = ObservationFactory(patient=first.patient)
    ObservationIdentifierFactory(observation=again, system=first.system, value=first.value)


def observation_that_ends_before_it_starts() -> None:
    start = ObservationFactory().effective_start
    ObservationFactory(effective_start=start, effective_end=start - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("write", "rule"),
    [
        (second_account_of_an_address, "email"),
        (account_with_capitals, "user_email_lower_case"),
        (second_role_in_an_organization, "practitioner_once_per_organization"),
        (role_that_is_none, "practitioner_role_known"),
        (identifier_of_two_patients, "patient_identifier_unique"),
        (patient_twice_in_an_organization, "patient_once_per_organization"),
        (login_of_two_patients, "user_id"),
        (code_twice_in_a_system, "code_unique_in_system"),
        (scope_requested_twice, "study_requests_scope_once"),
        (patient_enrolled_twice, "patient_once_per_study"),
        (scope_supported_twice, "data_source_scope_once"),
        (identifier_twice_on_a_patients_observations, "observation_identifier_unique"),
        (observation_that_ends_before_it_starts, "observation_ends_after_start"),
    ],
)
def test_the_database_refuses(write: Callable[[], None], rule: str) -> None:
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        write()


def test_two_patients_may_use_one_identifier_each_for_an_observation_of_their_own() -> None:
    first = ObservationIdentifierFactory()
    ObservationIdentifierFactory(system=first.system, value=first.value)
    assert Observation.objects.count() == 2


def test_an_address_is_kept_in_lower_case() -> None:
    user = User.objects.create_user("Some.Body@Test.Invalid", "secret words")
    assert user.email == "some.body@test.invalid"
    assert User.objects.get_by_natural_key(" SOME.body@test.invalid ") == user
