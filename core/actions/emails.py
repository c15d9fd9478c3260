"""Whose e-mail is whose, and what ends when somebody else may have known how to log in."""

from allauth.account.models import EmailAddress
from django.db import transaction
from django.utils import timezone
from oauth2_provider.generators import generate_client_secret
from oauth2_provider.models import DeviceGrant

from core.actions.accounts import end_access
from core.models import Client, McpToken, User


def set_email_verified(user: User) -> None:
    """Somebody who may say so vouches that the account's e-mail is its owner's. Any other address of it is forgotten.

    Raises IntegrityError when another account has verified this e-mail, which a unique e-mail per account excludes.
    """
    forget_other_emails(user)
    EmailAddress.objects.update_or_create(user=user, email=user.email, defaults={"verified": True, "primary": True})


def forget_other_emails(user: User) -> None:
    """After an account's e-mail was changed for it: what the old address receives opens it no more."""
    EmailAddress.objects.filter(user=user).exclude(email=user.email).delete()


@transaction.atomic
def end_everything(user: User) -> None:
    """Every token of an account ends, of apps and of agents, and the secrets of its own clients, which need new ones.

    A new password has ended its sessions already.
    """
    end_access(user)
    DeviceGrant.objects.filter(user=user).delete()
    McpToken.objects.filter(user=user, revoked=None).update(revoked=timezone.now())
    for client in Client.objects.filter(user=user, practitioner_client__isnull=False):
        client.client_secret = generate_client_secret()  # whoever had the account may have it
        client.save(update_fields=["client_secret", "updated"])
