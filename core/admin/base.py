"""What every page of the admin shares: lists that stay fast, refusals that read like sentences, and the audit trail."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import lookup_spawns_duplicates
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db import DataError, IntegrityError, models
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property

from core.actions.acting import acting
from core.actions.audit import record_access
from core.models import AuditEvent
from core.models.refusals import sentence_of
from core.policy.errors import DomainError
from core.policy.principal import Principal, UserType
from core.policy.source import address_of

DOOR = "admin"


def person(request: HttpRequest) -> Principal:
    """The superuser behind a request: the site lets in nobody else."""
    return Principal(user_id=int(str(request.user.pk)), user_type=UserType.PRACTITIONER)


def is_number(search_term: str) -> bool:
    """Whether it could be an id."""
    return search_term.isascii() and search_term.isdigit() and len(search_term) < 19


class BoundedPaginator(Paginator):
    """Counts no further than anybody leafs: past that a search is the way."""

    LIMIT = 1_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows[: self.LIMIT].count())


class ExchangeForm(forms.ModelForm):
    refusal = ""
    """What the database or an action said when this form was saved."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.refusal:
            self.add_error(None, self.refusal)
        return cleaned


class ExchangeAdmin(admin.ModelAdmin):
    form = ExchangeForm
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    number_fields: tuple[str, ...] = ("id",)
    """What a search for a number looks in. Django would compare it as text, which no index of numbers helps."""
    hidden_columns = frozenset(
        {"client_secret", "code_hash", "data", "get_data", "password", "post_data", "private", "session_key"}
        | {"token", "token_checksum", "token_hash"}
    )
    """What no page shows. A filter in the URL could otherwise find it out letter by letter."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        if not self.hidden_columns.isdisjoint(lookup.split("__")):
            return False
        return super().lookup_allowed(lookup, value, request)

    def record_shown(self, request: HttpRequest, shown: Iterable[Any], *, found: bool = True) -> None:
        """Leaves the audit row of what a page showed; what tells of no patient leaves none."""

    def why_kept(self, obj: Any) -> str:
        """Why this object must stay, as a sentence; empty if it may go."""
        return ""

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        if not is_number(search_term):
            return super().get_search_results(request, queryset, search_term)
        either = models.Q.create([(field, search_term) for field in self.number_fields], connector=models.Q.OR)
        return queryset.filter(either), any(lookup_spawns_duplicates(self.opts, field) for field in self.number_fields)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        # Asked first, because collecting what would go with an object reads every row of it.
        kept = [sentence for obj in objs if (sentence := self.why_kept(obj))]
        return ([], {}, set(), kept) if kept else super().get_deleted_objects(objs, request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.refusal = getattr(request, "refusal", "")
        return form

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        view = super().changeform_view
        try:
            with acting(person(request), door=DOOR):
                return view(request, object_id, form_url, extra_context)
        except IntegrityError as error:
            refusal = sentence_of(error)
        except DomainError as error:
            refusal = str(error)
        # Nothing was saved: show the form again as it was sent, with what stood in the way.
        request.refusal = refusal  # type: ignore[attr-defined]
        return view(request, object_id, form_url, extra_context)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Any filter can be typed into the URL. Django sees wrong names, but not each wrong value: a year 99999."""
        try:
            return super().get_changelist_instance(request)
        except (ValueError, OverflowError, DataError) as error:
            raise BadRequest("This filter has a value that nothing can be compared with.") from error

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        with acting(person(request), door=DOOR):
            return super().changelist_view(request, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        with acting(person(request), door=DOOR):
            return super().delete_view(request, object_id, extra_context)


class PatientDataAdmin(ExchangeAdmin):
    """For models that tell of patients: each page that shows some of them, or is refused, leaves one audit row."""

    actions = None  # one at a time, so that each is named in the trail

    def patient_ids_of(self, obj: Any) -> Iterable[int]:
        return [obj.patient_id]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        with acting(person(request), door=DOOR):
            response = super().changelist_view(request, extra_context)
            context = getattr(response, "context_data", {})  # a redirect has none
            self.record_shown(request, context["cl"].result_list if context else ())
        return response

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        obj = super().get_object(request, object_id, from_field)
        self.record_shown(request, [obj] if obj else (), found=obj is not None)
        return obj

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.record_shown(request, [obj])
        return super().log_addition(request, obj, message)

    def record_shown(self, request: HttpRequest, shown: Iterable[Any], *, found: bool = True) -> None:
        who = person(request)
        route = request.resolver_match.view_name if request.resolver_match else ""
        record_access(
            door=DOOR,
            action=f"{request.method} {route}",
            outcome=AuditEvent.Outcome.SUCCESS if found else AuditEvent.Outcome.REFUSED,
            user_id=who.user_id,
            patient_ids=sorted({patient_id for obj in shown for patient_id in self.patient_ids_of(obj)}),
            source=address_of(request.META.get(settings.CLIENT_IP, "")),
        )


class LinkInline(admin.TabularInline):
    """Rows that join two things: made and removed, never edited, so that a page of them needs no query per row."""

    extra = 0

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return super().get_queryset(request).select_related(*self.autocomplete_fields, str(self.fk_name))


class ReadOnly:
    """Looked at, never touched. For model admins and inlines."""

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False
