"""Which tokens see what is their person's own."""

import pytest

from core.policy.own import sees_every_own_job, sees_own_client_consents
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType


def principal(**limits: object) -> Principal:
    return Principal(user_id=7, user_type=UserType.PATIENT, **limits)  # type: ignore[arg-type]


def test_a_token_for_everything_sees_all_that_is_its_persons_own() -> None:
    assert sees_own_client_consents(principal())
    assert sees_every_own_job(principal())


@pytest.mark.parametrize("limits", [{"narrowing_id": -3}, {"permissions": frozenset(Permission)}], ids=" ".join)
def test_a_token_that_can_do_less_than_its_person_sees_no_other_apps(limits: dict[str, object]) -> None:
    assert not sees_own_client_consents(principal(**limits))


def test_a_narrowed_token_does_not_see_every_job_of_its_person() -> None:
    assert not sees_every_own_job(principal(narrowing_id=-3))
