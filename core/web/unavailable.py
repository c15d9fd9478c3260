import logging
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from psycopg2.errors import LockNotAvailable, QueryCanceled

logger = logging.getLogger(__name__)


class UnavailableMiddleware:
    """A database that does not answer is 503 on every door: it is worth trying again, and nobody did anything wrong."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, _request: HttpRequest, exception: Exception) -> JsonResponse | None:
        if not isinstance(exception, OperationalError | InterfaceError):
            return None
        logger.error("The database does not answer: %s", type(exception.__cause__).__name__)
        sentence = "The database does not answer at the moment: try again."
        if isinstance(exception.__cause__, QueryCanceled | LockNotAvailable):
            sentence = "This took too long and was ended: ask for less at once, or try again."
        response = JsonResponse({"detail": sentence}, status=503, headers={"Retry-After": "1"})
        response._has_been_logged = True  # type: ignore[attr-defined] # Django would log the path
        return response
