"""The logins of patients."""

from django.db import IntegrityError, transaction

from core.models import Patient, User
from core.policy.errors import Conflict, PermissionDenied
from core.policy.principal import UserType

_NO_EMAIL = "{} has no e-mail, which a login needs: add it to the record first."
_TAKEN = "The e-mail of {} cannot become a login of theirs: correct it in the record first."


def check_can_log_in(patient: Patient) -> None:
    """Raises Conflict for a patient who has no login and cannot be given one, PermissionDenied as `login_of` does."""
    if patient.user is not None:
        _check_is_plain(patient.user)
    elif not patient.telecom_email:
        raise Conflict(_NO_EMAIL.format(patient))
    elif User.objects.filter(email=patient.telecom_email.lower()).exists():
        raise Conflict(_TAKEN.format(patient))


def login_of(patient: Patient) -> User:
    """The patient's account, made now if there is none, without a password. The caller holds the patient's row locked.

    Never somebody else's account: an e-mail in a record proves nothing about who has an account with it. Raises
    Conflict for that, and PermissionDenied for the account of a practitioner or superuser, or one that is deactivated:
    those log in themselves.
    """
    if patient.user is not None:
        _check_is_plain(patient.user)
        return patient.user
    check_can_log_in(patient)
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                patient.telecom_email, first_name=patient.name_given[:150], last_name=patient.name_family[:150]
            )
    except IntegrityError:  # another patient with this e-mail, at the same moment
        raise Conflict(_TAKEN.format(patient)) from None
    patient.user = user
    patient.save(update_fields=["user", "last_updated"])
    return user


def _check_is_plain(user: User) -> None:
    if not user.is_active or user.is_staff or user.user_type is not UserType.PATIENT:
        raise PermissionDenied(
            "This patient's account cannot be entered by invitation: they log in with it themselves."
        )
