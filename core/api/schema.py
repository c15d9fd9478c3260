"""The OpenAPI document of the REST door, made from its views, and two pages that show it."""

import inspect
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import TemplateView, View
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer

from core.api.json import MEDIA_TYPE

# The pages run the two programs that show the document, from this server alone. Both set styles as they go.
_CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Schema(AutoSchema):
    """What each `operation` declares, in OpenAPI's words."""

    def get_operation_id(self) -> str:
        """`get_studies_patients` for GET /studies/{pk}/patients, and `get_studies_by_pk` for GET /studies/{pk}."""
        words = self.path.removeprefix("/api/v1/").split("/")
        end = f"_by_{words[-1].strip('{}')}" if words[-1].startswith("{") else ""
        return "_".join([self.method.lower(), *(word for word in words if not word.startswith("{"))]) + end

    def get_description(self) -> str:  # type: ignore[override] # as drf-spectacular does it itself
        method = getattr(self.view, self.method.lower())
        said = inspect.cleandoc(method.__doc__ or vars(type(self.view)).get("__doc__") or "")
        scope = method.operation.scope
        return "\n\n".join(filter(None, (said, scope and f"Needs a token for the scope `{scope}`.")))

    def _get_request_body(self, direction: str = "request") -> Any:
        """OpenAPI 3.1 knows of bodies of DELETE; drf-spectacular never looks for one."""
        if self.method != "DELETE":
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        self.method = "POST"
        try:
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = "DELETE"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # registers itself
    target_class = "core.authentication.bearer.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An access token of this exchange."}


@cache
def document() -> bytes:
    generator = SchemaGenerator(patterns=[path("api/v1/", include("core.api.urls"))])  # type: ignore[no-untyped-call]
    schema = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    rendered: bytes = OpenApiJsonRenderer().render(schema)
    return rendered


class SchemaView(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(document(), content_type=MEDIA_TYPE)


class SchemaPage(TemplateView):
    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        response = super().render_to_response(context, **kwargs)
        response["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
        return response


urlpatterns = [
    path("", SchemaView.as_view(), name="schema"),
    path("swagger", SchemaPage.as_view(template_name="core/swagger.html")),
    path("redoc", SchemaPage.as_view(template_name="core/redoc.html")),
]
