"""Every refusal of the REST door becomes a status and `{"detail": one sentence}` here."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import DataError, IntegrityError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from core.models.refusals import sentence_of
from core.policy import errors

_STATUS: tuple[tuple[type[errors.DomainError], int], ...] = (
    (errors.NotAuthenticated, 401),
    (errors.NotVisible, 404),
    (errors.PermissionDenied, 403),
    (errors.InvalidInput, 400),
    (errors.Conflict, 409),
    (errors.Expired, 410),
    (errors.Unavailable, 503),
)


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. What is not a refusal is None, and a 500."""
    if isinstance(error, errors.DomainError):
        return _refusal(_status_of(error), str(error))
    if isinstance(error, ProtectedError | RestrictedError):
        return _refusal(409, "Something else depends on this: delete or move that first.")
    if isinstance(error, IntegrityError):
        return _refusal(409, sentence_of(error))
    if isinstance(error, DataError):
        return _refusal(400, "A value is larger than can be kept: shorten it.")
    if isinstance(error, Http404 | DjangoPermissionDenied | exceptions.APIException):
        response = exception_handler(error, dict(context))  # sets WWW-Authenticate, Retry-After
        if response is not None:
            response.data = {"detail": first_sentence(response.data)}
        return response
    return None


def first_sentence(said: Any, place: str = "") -> str:
    """Of what DRF says of a whole body, the first fault with the way to it: `identifiers[0].system: Not a string.`"""
    if isinstance(said, Mapping):
        name, inner = next(iter(said.items()))
        return first_sentence(inner, _inside(place, name))
    if isinstance(said, list):
        number = next((number for number, inner in enumerate(said) if inner), 0)
        is_item = isinstance(said[number], Mapping | list)
        return first_sentence(said[number], _inside(place, number) if is_item else place)
    return f"{place}: {said}" if place else str(said)


def _inside(place: str, name: str | int) -> str:
    if isinstance(name, int):
        return f"{place}[{name}]"
    return place if name in ("detail", "non_field_errors") else f"{place}.{name}".lstrip(".")


def _status_of(error: errors.DomainError) -> int:
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def _refusal(status: int, sentence: str) -> Response:
    return Response({"detail": sentence}, status=status)
