"""The XHTML of a narrative, `text.div`: what people read of a resource, and nothing that acts (FHIR R5
narrative.html#rules).

It is refused rather than cleaned: the sender answers for what a narrative says, so nothing of it is left out here.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

_XHTML = "{http://www.w3.org/1999/xhtml}"

_TXT_1_ELEMENTS = """
a abbr acronym address b big blockquote br caption center cite code col colgroup dd del dfn dir div dl dt em font h1 h2
h3 h4 h5 h6 hr i img ins kbd li menu ol p pre q s samp small span strike strong sub sup table tbody td tfoot th thead tr
tt u ul var
"""
"""The chapters of HTML 4.0 on text, lists, tables and styles; links and images."""
_TXT_1_ATTRIBUTES = """
abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff charset cite
class clear color colspan compact coords dir face frame headers height href hreflang hspace id idref lang language
longdesc name noshade nowrap rel rev rowspan rules scope shape size span src start style summary tabindex title type
valign value vspace width {http://www.w3.org/XML/1998/namespace}lang {http://www.w3.org/XML/1998/namespace}id
"""
_ELEMENTS = frozenset(_TXT_1_ELEMENTS.split())
_ATTRIBUTES = frozenset(_TXT_1_ATTRIBUTES.split())
_LINKS = {"href": ("http", "https", "mailto", "tel"), "cite": ("http", "https"), "longdesc": ("http", "https")}
_IMAGE = re.compile(r"#\S*|data:image/(?:gif|jpeg|png|webp);base64,[A-Za-z0-9+/=\s]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LOADING_STYLE = re.compile(r"[\\@]|(?:url|src|image|image-set|expression)\s*\(", re.IGNORECASE)


def faults(div: str) -> Iterator[str]:
    """A sentence for each thing that a narrative may not hold, without its subject."""
    if "<!" in div or "<?" in div:
        # HTML and XML disagree on where these end, so what is a comment to one is a script to the other.
        yield "holds a comment, a CDATA section, a declaration or a processing instruction: leave it out"
        return
    try:
        root = ElementTree.fromstring(div)  # noqa: S314 - without declarations there are no entities to expand
    except (ElementTree.ParseError, ValueError):
        yield "is not well-formed XHTML (entities such as &nbsp; are none of XML's): write it as XML"
        return
    if root.tag != f"{_XHTML}div":
        yield 'must be one <div xmlns="http://www.w3.org/1999/xhtml">'
        return
    for element in root.iter():
        yield from _faults_of(element)
    if not "".join(root.itertext()).strip() and root.find(f".//{_XHTML}img") is None:
        yield "says nothing: give it text, or leave the narrative out"


def _faults_of(element: ElementTree.Element) -> Iterator[str]:
    name = element.tag.removeprefix(_XHTML)
    if name not in _ELEMENTS:
        yield f"holds the element {name[:64]}, which no narrative may: leave it out"
        return
    for attribute, value in element.items():
        if attribute not in _ATTRIBUTES:
            yield f"holds the attribute {attribute[:64]} in {name}, which no narrative may: leave it out"
        elif not _is_passive(attribute, value):
            yield f"holds a {attribute} in {name} that runs or loads something: leave it out"


def _is_passive(attribute: str, value: str) -> bool:
    if attribute == "src":
        return _IMAGE.fullmatch(value) is not None
    if attribute == "style":
        return _LOADING_STYLE.search(value) is None
    if attribute in _LINKS:
        scheme = _SCHEME.match("".join(character for character in value if character > " "))
        return scheme is None or scheme[1].lower() in _LINKS[attribute]
    return True
