from django import forms
from django.contrib.auth.forms import AuthenticationForm, UsernameField


class LoginForm(AuthenticationForm):
    username = UsernameField(label="E-mail", widget=forms.EmailInput(attrs={"autofocus": True}))
