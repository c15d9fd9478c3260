"""Which studies a client is to reach: all that its person does, or some of them. Works without JavaScript."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django import forms
from django.db.models import Q

from core.actions.client_consents import Reach
from core.models import Organization, Study
from core.oauth.launch import patient_named
from core.oauth.resources import studies_alone
from core.oauth.scope_parts import GROUPS, Part, granted, parts_of, reaches_data
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType
from core.policy.scopes import LAUNCH_PATIENT

MAX_LISTED = 200
"""Studies; with more, organizations are listed. Of more organizations than this too, nothing can be chosen here."""

_NONE_LEFT = "Leave it one at least, or press Cancel."


class NarrowingForm(forms.Form):
    """`callers` are as whom the client acts, or would without a narrowing: what is offered is what they reach now.

    With `only`, studies by id, it is for their MCP endpoints, and reaches no other, now or later.

    Choices are sent back by id and checked against that. `reach` is what `narrow` takes: empty when all that was
    there to choose is left, which includes what the person comes to reach later.
    """

    kind = ""
    """What there is to choose: studies, organizations, or neither."""
    cannot_list = False
    reach: Reach

    def __init__(self, *, callers: Iterable[Principal], only: Collection[int] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.only = only
        self.reach = Reach()
        callers = list(callers)
        reached = Study.objects.filter(_any_of(Study, callers)).select_related("organization")
        studies = _named(reached if only is None else reached.filter(pk__in=only))
        organizations: list[tuple[int, str]] = []
        if len(studies) > MAX_LISTED:
            studies = []
            organizations = _named(Organization.objects.filter(_any_of(Organization, callers)))
            self.cannot_list = len(organizations) > MAX_LISTED
        if studies:
            self._offer("studies", studies)
        elif organizations and not self.cannot_list:
            self._offer("organizations", organizations)

    def _offer(self, kind: str, options: Sequence[tuple[int, str]]) -> None:
        self.kind = kind
        self.fields["reached"] = forms.TypedMultipleChoiceField(
            coerce=int,
            choices=options,
            initial=[pk for pk, _ in options],
            widget=forms.CheckboxSelectMultiple,
            error_messages={
                "required": _NONE_LEFT,
                "invalid_choice": "What you reach has changed meanwhile: look through the list again.",
            },
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        offered: Any = self.fields["reached"] if self.kind else None
        if offered and (self.only is not None or len(set(cleaned.get("reached", ()))) < len(offered.choices)):
            chosen = cleaned.get("reached", [])
            self.reach = {"studies": chosen} if self.kind == "studies" else {"organizations": chosen}
        return cleaned


class ConsentForm(NarrowingForm):
    """What a person lets a client do, of what it asks for. `granted` and `reach` are the answer."""

    granted: list[str]

    def __init__(self, *, scopes: Sequence[str], resources: Iterable[str], caller: Principal, **kwargs: Any) -> None:
        callers = [caller] if reaches_data(scopes) else []
        super().__init__(callers=callers, only=studies_alone(resources), **kwargs)
        self.scopes = scopes
        self.caller = caller
        self.parts = parts_of(scopes)
        if LAUNCH_PATIENT in scopes and caller.user_type is UserType.PRACTITIONER:
            self.fields["patient"] = forms.CharField(max_length=255)
        if optional := [part for part in self.parts if part.optional]:
            self.fields["scopes"] = forms.MultipleChoiceField(
                choices=[(part.scope, part.words) for part in optional],
                initial=[part.scope for part in optional],
                required=False,
                widget=forms.CheckboxSelectMultiple,
            )

    def grouped(self) -> list[tuple[str, list[tuple[Part, bool]]]]:
        """The headings of the page with what is below each, and whether it is ticked."""
        ticked = self["scopes"].value() or [] if "scopes" in self.fields else []
        return [
            (group, [(part, part.scope in ticked) for part in self.parts if part.group == group])
            for group in GROUPS
            if any(part.group == group for part in self.parts)
        ]

    def reaches_data(self) -> bool:
        return reaches_data(self.scopes)

    def clean_patient(self) -> int:
        patient = patient_named(self.cleaned_data["patient"], self.caller)
        if patient is None:
            raise forms.ValidationError("There is no patient, or more than one, of this name that you can see.")
        return patient.pk

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if "patient" in cleaned:
            self.reach["patient"] = cleaned["patient"]
        self.granted = granted(self.scopes, cleaned.get("scopes", []))
        if not self.granted:
            self.add_error("scopes", _NONE_LEFT)
        return cleaned


def _any_of(model: type[Study | Organization], callers: Sequence[Principal]) -> Q:
    reached = Q(pk__in=[])
    for caller in callers:
        reached |= Q(pk__in=model.objects.visible_to(caller, Permission.STUDY_READ).values("pk"))
    return reached


def _named(rows: Any) -> list[tuple[int, str]]:
    return [(row.pk, _name_of(row)) for row in rows.order_by("pk")[: MAX_LISTED + 1]]


def _name_of(row: Study | Organization) -> str:
    return f"{row.name} ({row.organization.name})" if isinstance(row, Study) else row.name
