"""How often somebody may ask. Counted in Django's cache, over the last second, minute, hour or day."""

import hashlib
from base64 import b64decode
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest
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


def _user_of(authorization: str) -> str:
    """Whose name is before the colon in `Authorization: Basic` (RFC 7617 §2); all of it for what is none."""
    try:
        return b64decode(authorization.partition(" ")[2]).decode().partition(":")[0]
    except ValueError:
        return authorization


class WrongSecretThrottle(SimpleRateThrottle):
    """One address that keeps showing wrong secrets of one client, or of any. Right ones are not counted.

    Nobody guesses a secret of 128 random characters; somebody who tries is not to keep the server busy.
    """

    rate = "30/m"
    cache = caches["process"]

    def __init__(self, client: str) -> None:
        super().__init__()
        self.client = client

    def get_cache_key(self, request: HttpRequest, _view: Any) -> str:
        return f"throttle:secret:{address_of_client(request)}:{hashlib.sha256(self.client.encode()).hexdigest()}"

    def throttle_success(self) -> bool:
        return True

    def note(self) -> None:
        """Count the request that `allow_request` was asked about: its secret was wrong."""
        _, seconds = self.parse_rate(self.rate)
        self.history.insert(0, self.now)
        self.cache.set(self.key, self.history, seconds)


class WrongSecretsThrottle(WrongSecretThrottle):
    """Whatever clients they are said to be of: more, because colleagues behind one address have several."""

    rate = "300/m"

    def __init__(self) -> None:
        super().__init__(client="")

    def get_cache_key(self, request: HttpRequest, _view: Any) -> str:
        return f"throttle:secrets:{address_of_client(request)}"


def wrong_secret_throttles(request: HttpRequest) -> list[WrongSecretThrottle]:
    """A request can name one client in its header and another in its body, and the library tries both."""
    named = {request.POST.get("client_id", "")}
    if authorization := request.headers.get("Authorization"):
        named = (named | {_user_of(authorization)}) - {""}
    return [*map(WrongSecretThrottle, sorted(named)), WrongSecretsThrottle()]
