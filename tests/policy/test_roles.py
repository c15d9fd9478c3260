import pytest

from core.policy.checks import check_claim_reaches_study, check_role_grants
from core.policy.errors import NotVisible, PermissionDenied
from core.policy.permissions import Permission
from core.policy.principal import Principal, TokenLimits, UserType
from core.policy.roles import ALL_ROLES, ANYBODY, MANAGER, MEMBER, PARTICIPANT, SELF, SUPERUSER, VIEWER, roles_granting


def test_permissions_are_in_alphabetical_order_and_read_resource_action():
    names = [permission.value for permission in Permission]
    assert names == sorted(names)
    assert all(name.count(":") == 1 for name in names)


def test_each_practitioner_role_includes_the_one_below():
    assert VIEWER.permissions < MEMBER.permissions < MANAGER.permissions


def test_a_viewer_changes_nothing():
    assert all(permission.endswith(":read") for permission in VIEWER.permissions)


def test_a_participant_reads_the_study_and_no_one_in_it():
    assert PARTICIPANT.permissions == {Permission.STUDY_READ}


def test_observations_are_sent_by_the_patient_and_by_who_manages_patients():
    assert set(roles_granting(Permission.OBSERVATION_WRITE)) == {
        SELF.code,
        *roles_granting(Permission.PATIENT_MANAGE),
    }


def test_everybody_reads_the_catalogue_and_superusers_alone_keep_it():
    assert roles_granting(Permission.CATALOGUE_READ) == [SUPERUSER.code, ANYBODY.code]
    assert roles_granting(Permission.CATALOGUE_MANAGE) == [SUPERUSER.code]


@pytest.mark.parametrize("permission", Permission)
def test_every_permission_is_granted_by_some_role(permission):
    assert roles_granting(permission)


def test_a_superuser_can_do_what_a_manager_can():
    assert MANAGER.permissions <= SUPERUSER.permissions


def test_role_codes_are_unique():
    assert len({role.code for role in ALL_ROLES}) == len(ALL_ROLES)


def test_a_role_that_does_not_include_a_permission_is_refused_with_a_sentence():
    check_role_grants("manager", Permission.STUDY_MANAGE)
    with pytest.raises(PermissionDenied, match="Your role 'viewer' does not include study:manage"):
        check_role_grants("viewer", Permission.STUDY_MANAGE)


def practitioner(limits):
    return Principal(user_id=1, user_type=UserType.PRACTITIONER, limits=limits)


def test_a_claim_refuses_a_study_that_it_leaves_out():
    limited = practitioner(TokenLimits(studies=frozenset({30001})))
    check_claim_reaches_study(limited, 30001)
    with pytest.raises(NotVisible, match="No study 30002 that you can see"):
        check_claim_reaches_study(limited, 30002)


def test_a_truncated_claim_narrows_nothing():
    check_claim_reaches_study(practitioner(TokenLimits(studies=frozenset({1}), truncated=True)), 30002)


def test_a_practitioner_without_the_claim_reaches_no_study():
    with pytest.raises(NotVisible):
        check_claim_reaches_study(practitioner(None), 30001)


def test_a_patient_has_no_claim_and_is_not_narrowed_by_it():
    check_claim_reaches_study(Principal(user_id=1, user_type=UserType.PATIENT), 30001)
