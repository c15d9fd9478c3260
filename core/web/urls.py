from django.urls import path
from django.views.generic import RedirectView

from core.web.home import HomeView

urlpatterns = [
    path("", HomeView.as_view(), name="home"),
    # Where these were before there was more to an account than a password.
    path("login/", RedirectView.as_view(pattern_name="account_login", query_string=True)),
    path("logout/", RedirectView.as_view(pattern_name="account_logout")),
]
