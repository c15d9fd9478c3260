"""django-allauth's forms, where they differ: labels, what can be guessed, and who can be entered by e-mail."""

from typing import Any

from allauth.account import forms as account
from allauth.mfa.adapter import get_adapter as mfa_adapter
from allauth.mfa.base import forms as mfa
from allauth.mfa.models import Authenticator
from allauth.mfa.totp import forms as totp
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.utils import encrypt
from django import forms
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.http import HttpRequest

from core.accounts.adapter import may_enter_by_email, request_at_hand
from core.accounts.lock_out import count_wrong_guess, refuse_if_locked_out
from core.actions.emails import end_everything
from core.actions.sign_up import redeem_sign_up_code
from core.models import User
from core.policy.errors import DomainError

_EMAIL_LENGTH = 254


class _Labelled(forms.Form):
    """The exchange's words and no placeholders, which say the same twice and vanish when one types."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            if name in ("login", "email"):
                field.label = "E-mail"
                field.max_length = _EMAIL_LENGTH  # type: ignore[attr-defined]
                field.widget.attrs["maxlength"] = _EMAIL_LENGTH


class LoginForm(_Labelled, account.LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].widget.attrs |= {"autocomplete": "username", "autofocus": True}

    @property
    def can_sign_up(self) -> bool:
        return bool(settings.SIGN_UP != "off")

    def clean_login(self) -> str:
        """Before anything is compared, so that who is locked out learns nothing more."""
        login: str = super().clean_login()
        refuse_if_locked_out(request_at_hand(), login)
        return login


_NO_EMAIL = "This exchange sends no e-mail: ask an administrator."


class ResetPasswordForm(_Labelled, account.ResetPasswordForm):
    users: list[AbstractBaseUser]

    def clean(self) -> dict[str, Any] | None:
        if not settings.CAN_SEND_EMAIL:
            raise forms.ValidationError(_NO_EMAIL)
        return super().clean()

    def clean_email(self) -> str:
        email: str = super().clean_email()
        self.users = [user for user in self.users if may_enter_by_email(user)]
        return email


class RequestLoginCodeForm(_Labelled, account.RequestLoginCodeForm):
    _user: AbstractBaseUser | None

    def clean_email(self) -> str:
        refuse_if_locked_out(request_at_hand(), self.cleaned_data["email"])
        email: str = super().clean_email()
        self._user = self._user if self._user and may_enter_by_email(self._user) else None
        return email


class ResetPasswordKeyForm(_Labelled, account.ResetPasswordKeyForm):
    def save(self) -> None:
        """Somebody else may know the old password: whatever it let in, and the sessions it began, ends."""
        with transaction.atomic():
            super().save()
            end_everything(self.user)


class AddEmailForm(_Labelled, account.AddEmailForm):
    def clean(self) -> dict[str, Any] | None:
        if not settings.CAN_SEND_EMAIL:
            raise forms.ValidationError(_NO_EMAIL)
        return super().clean()


class UserTokenForm(account.UserTokenForm):
    def _get_user(self, uidb36: str) -> AbstractBaseUser | None:
        user: AbstractBaseUser | None = super()._get_user(uidb36)
        return user if user and may_enter_by_email(user) else None


class _Guess(_Labelled):
    """A form with a code that can be guessed."""

    def email_at_hand(self) -> str:
        raise NotImplementedError

    def clean_code(self) -> str:
        request, email = request_at_hand(), self.email_at_hand()
        refuse_if_locked_out(request, email)
        try:
            code: str = super().clean_code()  # type: ignore[misc]
        except forms.ValidationError:
            count_wrong_guess(request, email)
            raise
        return code


class ConfirmLoginCodeForm(_Guess, account.ConfirmLoginCodeForm):
    def email_at_hand(self) -> str:
        """What somebody asked for a code for; there need not be an account."""
        return str(request_at_hand()._login_stage.state.get("email", ""))  # type: ignore[attr-defined]


class AuthenticateForm(_Guess, mfa.AuthenticateForm):
    def email_at_hand(self) -> str:
        return str(self.user.email)


class ReauthenticateForm(_Guess, mfa.ReauthenticateForm):
    def email_at_hand(self) -> str:
        return str(self.user.email)


class ActivateTOTPForm(_Labelled, totp.ActivateTOTPForm):
    def clean_code(self) -> str:
        """The code that activates an app is used up by it (RFC 6238 §5.2): it does not log in as well."""
        code: str = super().clean_code()
        app = Authenticator(user=self.user, type=Authenticator.Type.TOTP, data={"secret": encrypt(self.secret)})
        if not TOTP(app).validate_code(code):
            raise mfa_adapter().validation_error("incorrect_code")
        return code


class SignUpForm(_Labelled, account.SignupForm):
    """A sign-up by invitation code, which is used up whether the e-mail turns out to have an account or not."""

    code = forms.CharField(label="Invitation code", max_length=64, strip=True)
    first_name = forms.CharField(max_length=150)
    last_name = forms.CharField(max_length=150)
    field_order = ["code", "email", "first_name", "last_name", "password1", "password2"]

    def try_save(self, request: HttpRequest) -> Any:
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])  # as much work as for an account that is made
        with transaction.atomic():
            return super().try_save(request)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            refuse_if_locked_out(request_at_hand(), cleaned["email"])
            self._redeem(cleaned)
        return cleaned

    def _redeem(self, cleaned: dict[str, Any]) -> None:
        try:
            self.sign_up_code = redeem_sign_up_code(code=cleaned["code"], email=cleaned["email"])
        except DomainError as error:
            count_wrong_guess(request_at_hand(), cleaned["email"])
            self.add_error("code", str(error))

    def custom_signup(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        super().custom_signup(request, user)
        assert isinstance(user, User)  # noqa: S101 - AUTH_USER_MODEL
        self.sign_up_code.hold_for(user)
