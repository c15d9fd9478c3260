from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.views.generic import TemplateView

from core.actions.sign_up import organizations_to_invite_to
from core.models import Peer, PeerLogin, User
from core.policy.principal import Principal


class HomeView(TemplateView):
    """The one page that everybody can open: the way in, or what somebody can do with their account."""

    template_name = "core/home.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs) | {"can_sign_up": settings.SIGN_UP != "off"}
        user = self.request.user
        if isinstance(user, User):
            context["can_invite"] = settings.SIGN_UP != "off" and organizations_to_invite_to(user).exists()
            context["has_second_factor"] = is_mfa_enabled(user)
            who = Principal(user_id=user.pk, user_type=user.user_type)
            context["has_peers"] = Peer.objects.visible_to(who).exists() or PeerLogin.objects.filter(user=user).exists()
            context["has_sso"] = bool(get_adapter().list_apps(self.request))
        return context
