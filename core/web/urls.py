from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.generic import TemplateView

from core.web.forms import LoginForm

urlpatterns = [
    path("", TemplateView.as_view(template_name="core/home.html"), name="home"),
    path("login/", LoginView.as_view(authentication_form=LoginForm), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
