from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.views.generic import TemplateView


class HomeView(TemplateView):
    """The one page that everybody can open: the way in, or what somebody can do with their account."""

    template_name = "core/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs) | {"can_sign_up": settings.SIGN_UP != "off"}
        if self.request.user.is_authenticated:
            context["has_second_factor"] = is_mfa_enabled(self.request.user)
            context["has_sso"] = bool(get_adapter().list_apps(self.request))
        return context
