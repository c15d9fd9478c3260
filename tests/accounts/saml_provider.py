"""A SAML identity provider on paper: it signs what a test lets it say."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from onelogin.saml2.utils import OneLogin_Saml2_Utils

ENTITY_ID = "https://idp.test.invalid/metadata"
SSO_URL = "https://idp.test.invalid/sso"
ACS = "http://testserver/accounts/saml/campus/acs/"
AUDIENCE = "http://testserver/accounts/saml/campus/metadata/"


@cache
def key_and_certificate(name: str) -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class Says:
    in_response_to: str
    email: str = "mary@test.invalid"
    issuer: str = ENTITY_ID
    audience: str = AUDIENCE
    recipient: str = ACS
    valid_for: timedelta = timedelta(minutes=5)
    assertion_id: str = "_assertion"

    def assertion(self) -> str:
        now = datetime.now(UTC)
        until, since = _time(now + self.valid_for), _time(now - timedelta(minutes=10))
        return f"""<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{self.assertion_id}"
 Version="2.0" IssueInstant="{since}"><saml:Issuer>{self.issuer}</saml:Issuer><saml:Subject><saml:NameID
 Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">p-{self.email}</saml:NameID><saml:SubjectConfirmation
 Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{until}"
 Recipient="{self.recipient}" InResponseTo="{self.in_response_to}"/></saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{since}" NotOnOrAfter="{until}"><saml:AudienceRestriction><saml:Audience>{self.audience}\
</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{since}"
 SessionIndex="_s"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password\
</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement><saml:Attribute
 Name="urn:oid:0.9.2342.19200300.100.1.3"><saml:AttributeValue>{self.email}</saml:AttributeValue></saml:Attribute>
</saml:AttributeStatement></saml:Assertion>"""

    def signed(self, signer: str = "idp") -> str:
        key, certificate = key_and_certificate(signer)
        xml: bytes = OneLogin_Saml2_Utils.add_sign(self.assertion(), key, certificate)
        return xml.decode()

    def response(self, *assertions: str) -> str:
        """A Response with these assertions, as the form field SAMLResponse holds it."""
        now = _time(datetime.now(UTC))
        xml = f"""<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
 xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_response" Version="2.0" IssueInstant="{now}"
 Destination="{self.recipient}" InResponseTo="{self.in_response_to}"><saml:Issuer>{self.issuer}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>\
{"".join(assertions)}</samlp:Response>"""
        return b64encode(xml.encode()).decode()


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")
