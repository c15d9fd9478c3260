"""How often somebody may ask. Counted in Django's cache, over the last second, minute, hour or day."""

import hashlib

from django.conf import settings
from django.core.cache import caches
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from core.authentication.bearer import address_of_client
from core.policy.principal import Principal


class PersonThrottle(SimpleRateThrottle):
    """One person through one client: a new token gives no new allowance, and colleagues behind one address have theirs.

    Two requests at the same moment may be counted as one: nobody is refused too early.
    """

    scope = "person"
    cache = caches["process"]

    def get_rate(self) -> str:
        rate: str = settings.RATE_LIMIT
        return rate

    def get_cache_key(self, request: Request, _view: APIView) -> str | None:
        who = request.auth
        if not isinstance(who, Principal):
            return None
        client = hashlib.sha256(who.client_id.encode()).hexdigest()  # a key of a cache has no spaces
        return f"throttle:{who.user_id}:{client}"


class AddressThrottle(SimpleRateThrottle):
    """One address, where nobody needs to log in."""

    scope = "address"
    cache = caches["process"]

    def get_rate(self) -> str:
        rate: str = settings.ANONYMOUS_RATE_LIMIT
        return rate

    def get_cache_key(self, request: Request, _view: APIView) -> str:
        return f"throttle:{address_of_client(request)}"
