"""The page where managers make codes for colleagues to sign up with."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.views.generic import FormView

from core.actions.sign_up import DOOR, MOST_USES, make_sign_up_code, organizations_to_invite_to
from core.models import Organization, User
from core.models.practitioner import ROLE_CHOICES
from core.policy.errors import DomainError


class CodeForm(forms.Form):
    organization = forms.ModelChoiceField(Organization.objects.none())
    role = forms.ChoiceField(choices=ROLE_CHOICES)
    email = forms.EmailField(label="E-mail", required=False, help_text="Whom it is for. Empty: whoever has the code.")
    uses = forms.IntegerField(min_value=1, max_value=MOST_USES, initial=1, help_text="How many people may use it.")

    def __init__(self, *args: Any, organizations: QuerySet[Organization], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].queryset = organizations  # type: ignore[attr-defined]


class CodesView(LoginRequiredMixin, FormView[CodeForm]):
    """The code is on the page that answers, and on no other."""

    form_class = CodeForm
    template_name = "account/codes.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        user = self.request.user
        organizations = organizations_to_invite_to(user) if isinstance(user, User) else Organization.objects.none()
        if settings.SIGN_UP == "off" or not organizations.exists():
            raise Http404
        return super().get_form_kwargs() | {"organizations": organizations}

    def form_valid(self, form: CodeForm) -> HttpResponse:
        maker = User.objects.get(pk=self.request.user.pk or 0)
        try:
            made, text = make_sign_up_code(maker=maker, door=DOOR, **form.cleaned_data)
        except DomainError as error:  # their role ended meanwhile
            form.add_error(None, str(error))
            return self.form_invalid(form)
        return self.render_to_response(self.get_context_data(form=form, made=made, text=text))
