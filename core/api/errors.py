"""Every refusal of the REST door becomes a status and `{"detail": one sentence}` here."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import DataError, IntegrityError
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
    (errors.Unavailable, 503),
)


def handle(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. What is not a refusal is None, and a 500."""
    if isinstance(error, errors.DomainError):
        return _refusal(_status_of(error), str(error))
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


def first_sentence(said: Any) -> str:
    """Of what DRF says of a whole body, the first fault with the way to it: `identifiers[0].system: Not a string.`"""
    if isinstance(said, Mapping):
        if set(said) == {"detail"}:
            return first_sentence(said["detail"])
        name, inner = next(iter(said.items()))
        return _joined(str(name), inner)
    if isinstance(said, list):
        place = next((place for place, inner in enumerate(said) if inner), 0)
        inner = said[place]
        return _joined(f"[{place}]", inner) if isinstance(inner, Mapping | list) else str(inner)
    return str(said)


def _joined(name: str, inner: Any) -> str:
    sentence = first_sentence(inner)
    if name == "non_field_errors":
        return sentence
    is_deeper = isinstance(inner, Mapping) and "non_field_errors" not in inner
    is_item = isinstance(inner, list) and bool(inner) and any(isinstance(item, Mapping | list) for item in inner)
    if is_item:
        return f"{name}{sentence}"
    return f"{name}.{sentence}" if is_deeper else f"{name}: {sentence}"


def _status_of(error: errors.DomainError) -> int:
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def _refusal(status: int, sentence: str) -> Response:
    return Response({"detail": sentence}, status=status)
