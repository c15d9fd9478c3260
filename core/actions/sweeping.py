"""What has run out is forgotten: nobody can use it, and it would only grow."""

from django.contrib.sessions.models import Session
from django.utils import timezone
from oauth2_provider.models import clear_expired


def forget_expired() -> None:
    """Sessions, codes and tokens whose time is over. Refresh tokens that were used stay as long as their family could
    live, so that one that comes again is known for what it is (RFC 9700 §4.14.2)."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    clear_expired()
