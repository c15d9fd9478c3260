"""Logins: those of patients, made and entered again by invitation; whose e-mail is whose; and how access ends."""

from django.db import IntegrityError, transaction
from django.utils import timezone
from oauth2_provider.models import DeviceGrant

from core.actions.access import end_client_access
from core.models import McpToken, Patient, User
from core.policy.errors import Conflict
from core.policy.principal import UserType

_NO_EMAIL = "{} has no e-mail, which a login needs: add it to the record first."
_TAKEN = "The e-mail of {} cannot become a login of theirs: correct it in the record first."
_LOGS_IN = "{} has a login already: the app sends them to the exchange's login page (/o/authorize/) instead."
_DEACTIVATED = "The account of {} is deactivated: an administrator activates it first."


def account_to_enter(patient: Patient) -> User | None:
    """The account without a password that only an invitation opens; None for a patient who has no account yet.

    Raises Conflict for an account that is somebody's to log in with: it has a password, or is a practitioner's, a
    staff member's or a superuser's; and for a deactivated one.
    """
    user = patient.user
    if user is None:
        return None
    if not user.is_active:
        raise Conflict(_DEACTIVATED.format(patient))
    if user.has_usable_password() or user.is_staff or user.user_type is not UserType.PATIENT:
        raise Conflict(_LOGS_IN.format(patient))
    return user


def address_for_login(patient: Patient) -> str:
    """The e-mail that a new account would have. Raises Conflict where there is none, or somebody has an account by it.

    Never somebody else's account: an e-mail in a record proves nothing about who has an account with it.
    """
    if not patient.telecom_email:
        raise Conflict(_NO_EMAIL.format(patient))
    if User.objects.filter(email=patient.telecom_email.lower()).exists():
        raise Conflict(_TAKEN.format(patient))
    return patient.telecom_email


def make_login(patient: Patient, email: str) -> User:
    """An account without a password, for a patient who has none. The caller holds the patient's row locked.

    Raises Conflict when somebody has an account with this e-mail by now.
    """
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                email, first_name=patient.name_given[:150], last_name=patient.name_family[:150]
            )
    except IntegrityError:
        raise Conflict(_TAKEN.format(patient)) from None
    patient.user = user
    patient.save(update_fields=["user", "last_updated"])
    return user


def end_access(user: User) -> None:
    """Revoke every code and token of an account, whoever has them. Within the caller's transaction."""
    end_client_access(user)
    DeviceGrant.objects.filter(user=user).delete()
    McpToken.objects.filter(user=user, revoked=None).update(revoked=timezone.now())
