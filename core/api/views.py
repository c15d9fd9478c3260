"""What every view of the REST door is made of: `RestView`, and `operation` for each of its methods."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar
from urllib.parse import unquote

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.fields import empty
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer

from core.api import errors
from core.api.json import JsonParser, JsonRenderer
from core.api.pagination import MAX_PAGE_SIZE, page_of_rows
from core.api.serializers import PageQuery, Problem, Query, page_of
from core.authentication.door import DoorView
from core.policy.errors import InvalidInput
from core.policy.scopes import check_named_scope

DOOR = "rest"
_REFUSALS = (400, 401, 403, 404, 405, 406, 409, 415, 429, 503)

AnySerializer = type[BaseSerializer[Any]]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a method of a route needs and gives, as far as others ask for it."""

    scope: str
    answer: AnySerializer | None
    status: int
    is_page: bool


def operation(
    scope: str,
    *,
    query: type[Query] | None = None,
    body: type[Serializer[Any]] | None = None,
    answer: AnySerializer | None = None,
    status: int = 200,
    counted: bool = False,
    many: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Declares a method of a RestView: what it needs and what it gives, for the view and for the OpenAPI document.

    `scope` is what the token must have been given for, as SMART v2 writes it: `Organization.s`; or a scope that has a
    name of its own. The method finds the
    validated query string in `self.query` and the body in `self.body` (PATCH: what of it was sent; DELETE: from the
    query string too, because not every client can send a body with it), and returns what `answer` renders: an object;
    with a `PageQuery` as `query` a queryset, of which a page is sent (`counted`: always with the count of all); with
    `many` an iterable, which is sent whole. Or it returns a Response.
    """
    is_page = query is not None and issubclass(query, PageQuery)
    declared = Operation(scope, answer, status if answer else 204, is_page)

    def decorate(method: Callable[..., Any]) -> Callable[..., Response]:
        @extend_schema(
            parameters=[query] if query else [],
            request=body,
            responses={declared.status: _shown(declared, many=many), **dict.fromkeys(_REFUSALS, Problem)},
        )
        @wraps(method)
        def handler(view: "RestView", request: Request, **keys: Any) -> Response:
            view.query = view.read(query, _parameters(request)) if query else {}
            view.body = view.read(body, _sent(request), partial=request.method == "PATCH") if body else {}
            if request.method in SAFE_METHODS:
                return answered(view, keys)
            with transaction.atomic():  # what is refused in the end has not happened
                return answered(view, keys)

        def answered(view: "RestView", keys: Mapping[str, Any]) -> Response:
            given = method(view, **keys)
            if isinstance(given, Response):
                return given
            if answer is None:
                return Response(status=204)
            if is_page:
                return view.page(given, answer, counted=counted)
            return Response(view.render(answer, given, many=many), status=status)

        handler.operation = declared  # type: ignore[attr-defined]
        return handler

    return decorate


def _parameters(request: Request) -> dict[str, Any]:
    """The query string; what is given several times is a list."""
    return {name: given[0] if len(given) == 1 else given for name, given in request.query_params.lists()}


def _sent(request: Request) -> Any:
    if request.method == "DELETE" and isinstance(request.data, Mapping):
        return {**_parameters(request), **request.data}
    return request.data


def _shown(declared: Operation, *, many: bool) -> Any:
    """What the OpenAPI document says of an answer."""
    answer: Any = declared.answer
    if answer is not None and declared.is_page:
        return page_of(answer)
    return answer(many=True) if many else answer


class RestView(DoorView):
    """One route. Each of its methods is an `operation`: no other answers anything but an error."""

    door: ClassVar[str] = DOOR
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    parser_classes = (JsonParser,)
    renderer_classes = (JsonRenderer,)

    query: dict[str, Any]
    body: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "\0" in request.path + unquote(request.META["QUERY_STRING"]):
            raise InvalidInput("A URL holds no NUL character.")
        method = str(request.method).lower()
        if method in self.http_method_names and hasattr(self, method):  # else the answer will be 405
            scope = getattr(self, method).operation.scope
            resource_type, dot, interaction = scope.partition(".")
            if scope and not dot:
                check_named_scope(self.principal, scope)
            else:
                self.require_scope(resource_type, interaction)

    def get_exception_handler(self) -> Any:
        return errors.handle

    def read(self, serializer: AnySerializer, given: Any, *, partial: bool = False) -> dict[str, Any]:
        """What was sent, validated, with Python's names."""
        if given is None:
            raise InvalidInput("The body is null: send a JSON object.")
        reader: Any = serializer(data=given, partial=partial, context={"view": self})
        if reader.partial:  # of the body alone: DRF would also let the parts of what is inside be left out
            reader.partial = False
            for field in reader.fields.values():
                field.required, field.default = False, empty
        reader.is_valid(raise_exception=True)
        validated: dict[str, Any] = reader.validated_data
        return validated

    def conditions(self, **lookups: str) -> dict[str, Any]:
        """The parameters that were given, for `filter`: `conditions(search="name__icontains")`."""
        return {lookup: self.query[name] for name, lookup in lookups.items() if name in self.query}

    def render(self, serializer: AnySerializer, given: Any, *, many: bool = False) -> Any:
        return serializer(given, many=many, context={"view": self}).data

    def page(self, rows: "QuerySet[Any]", serializer: AnySerializer, *, counted: bool) -> Response:
        """The page that `self.query` asks for. Notes whose data it holds, where the rows are patients' (`seen`)."""
        size = min(self.query["page_size"], MAX_PAGE_SIZE)
        found = page_of_rows(rows, size=size, cursor=self.query.get("cursor"))
        self.seen(found.rows)
        return Response(
            {
                "count": rows.count() if counted or self.query["count"] else None,
                "next": self.url_of(found.next),
                "previous": self.url_of(found.previous),
                "results": self.render(serializer, found.rows, many=True),
            }
        )

    def seen(self, rows: list[Any]) -> None:
        """For the audit trail: views of patients' rows say here whose they are, with `self.touched`."""

    def url_of(self, cursor: str | None) -> str | None:
        """This request's URL with another cursor."""
        if cursor is None:
            return None
        parameters = self.request.query_params.copy()
        parameters["cursor"] = cursor
        return f"{self.request.build_absolute_uri(self.request.path)}?{parameters.urlencode()}"


class NoSuchRoute(RestView):
    """Every URL below the API that is none of its routes."""

    schema = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.http_method_names = []
        return super().dispatch(request, *args, **kwargs)

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        raise NotFound("No such route. URLs of this API end without a slash.")
