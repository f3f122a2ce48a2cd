"""What vendors say in words: the login is over, the application is unknown, the text is too long.

Codes and sentences are looked for wherever they stand in a body, since every vendor puts them somewhere else.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

_SENTENCES = 50
_LENGTH = 500
_DEPTH = 8

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD = re.compile(r"[^a-z0-9%<>='()]+")
_TAG = re.compile(r"<[^<>]*>")
_PAGE = re.compile(r"<!doctype|<html|<head|<body", re.IGNORECASE)

_FILLER = (
    r"(?:(?:that|which|you|was|were|is|are|has|have|had|been|be|provided|supplied|given|sent|passed|specified|submitted|"
    r"presented|either|already|or|and|the|this|your|now|probably|malformed|expired|invalid|revoked|token) )*"
)
_ENDED = (
    r"(?:invalid|expired|revoked|inactive|unknown|unrecogni[sz]ed|blacklisted|disabled|deleted|consumed|used|reused|"
    r"timed out|superseded|replaced|rotated|cancell?ed|reuse detected|lifetime exceeded|not valid|no longer valid|"
    r"not found|not active|not recogni[sz]ed|does not exist|doesn t exist|not exist)"
)
_TOKEN = r"(?:access )?refresh ?token"  # noqa: S105 - words
#: RFC 6749 section 5.2 and what vendors make of it; then the codes of OpenID Connect for "the user has to come".
_LOGIN_OVER = re.compile(
    rf"\binvalid ?grant\b|\binvalid ?token\b|\bbad {_TOKEN}\b"
    rf"|\b{_ENDED} (?:(?:or|and) \w+ )?{_TOKEN}s?\b"
    rf"|\b{_TOKEN}s? (?:parameter )?{_FILLER}{_ENDED}\b"
    rf"|\bno (?:such|valid) {_TOKEN}\b|\b{_TOKEN} (?:can ?not|could not|was not) be (?:found|decrypted)\b"
    rf"|\b(?:can ?not|could not|unable to) (?:find|decrypt|decode) (?:the |a )?{_TOKEN}\b"
    r"|\b(?:authori[sz]ation|access) grant (?:is|has|was|were) (?:invalid|expired|revoked)\b|\bgrant (?:has )?expired\b"
    r"|\buser (?:has )?revoked access\b|\buninstalled by\b"
    rf"|\b(?:token|grant|authori[sz]ation|consent|access) (?:has been |was |is )?(?:expired or )?revoked\b"
    rf"|\b(?:interaction|login|consent|re ?authentication|re ?authori[sz]ation) (?:is )?required\b"
)
#: The user or the session is good no more; weaker words than those about the grant itself.
_USER_CLOSED = re.compile(
    rf"\b(?:session|login) {_FILLER}(?:{_ENDED}|expired|over|ended|terminated)\b|\b(?:invalid|expired) session\b"
    r"|\b(?:user|account|login|organi[sz]ation|tenant)(?: account)? "
    r"(?:(?:is|was|has|been|no|longer|currently|not) )*"
    r"(?:active|inactive|disabled|deactivated|suspended|deleted|removed|blocked|locked|archived)\b"
    r"|\b(?:inactive|disabled|deactivated|suspended|deleted) (?:user|account)\b"
    r"|\b(?:log|sign) ?in again\b|\bre ?(?:authenticate|authori[sz]e|connect)\b"
)
#: RFC 6749 section 5.2, for errors of the application's registration.
_CLIENT_REFUSED = re.compile(
    r"\b(?:invalid|unauthori[sz]ed|unknown|bad) (?:oauth ?)?client\b(?! (?:request|error))"
    r"|\bbad client credentials\b|\bclient authentication failed\b"
    r"|\b(?:invalid|incorrect|wrong|bad|unknown) client ?(?:id|secret|credentials)\b"
    r"|\bclient ?(?:id|secret|credentials) (?:(?:provided|given|and|or|client|secret|id) )*"
    r"(?:is|are|was|were) (?:invalid|incorrect|wrong|not valid|unknown|expired|revoked)\b"
    r"|\b(?:client|application|app) (?:(?:was|is|has|been) )*"
    r"(?:not found|unknown|not registered|does not exist|disabled)\b"
    r"|\b(?:unknown|invalid|unregistered) app(?:lication)?\b|\bclient ?(?:id|secret) mismatch\b"
    r"|\bclient secret keys? .{0,60}expired\b"
)
#: "Later", in the words of vendors, their databases (MySQL, PostgreSQL) and RFC 6749 section 4.1.2.1: nothing was done.
_PASSING = re.compile(
    r"\btemporarily (?:unavailable|locked|blocked|disabled|out of service)\b|\bserver error\b|\bservice unavailable\b"
    r"|\bslow down\b|\btoo many (?:requests|calls|attempts|login attempts|concurrent)\b|\bthrottl(?:ed|ing)\b"
    r"|\brate ?limit(?:s|ed)?\b|\b(?:requests?|calls?|api|usage|daily|hourly) ?limits? (?:is |was |has been )?"
    r"(?:exceeded|reached)\b|\bquota (?:is |was |has been )?(?:exceeded|reached|used up)\b"
    r"|\b(?:try|trying|retry) (?:it |this |the request |your request )?(?:again )?(?:later|shortly|soon|in [0-9a-z]+ "
    r"(?:seconds?|minutes?|hours?))\b|\bblocked for [0-9]+\b"
    r"|\b(?:down|closed|offline|locked|unavailable) (?:for|due to) (?:\w+ )?maintenance\b|\bunder maintenance\b"
    r"|\bmaintenance (?:mode|window|in progress)\b|\bread ?only mode\b"
    r"|\block wait timeout\b|\bdeadlock\b|\brestarting transaction\b|\bcould not (?:obtain lock|serialize access)\b"
    r"|\bunable to lock row\b|\b(?:locked|being (?:edited|updated|modified|processed)) by another\b"
    r"|\bconcurrent (?:update|modification|request)\b"
)
#: A gateway's JSON, which never says anything about a record: Kong, AWS, Azure, Envoy, by their documentation.
_GATEWAYS_WORDS = re.compile(
    r"no (?:route|api) (?:matched|found) with those values|missing authentication token|forbidden"
    r"|user is not authorized to access this resource.*|no healthy upstream|(?:upstream|backend) .*"
)
#: Members that only gateways have: Cloudflare, Imperva.
_GATEWAYS_MEMBERS = ({"cloudflare_error"}, {"incidentId"})
#: Members of a gateway's answer that is but one sentence.
_ONE_SENTENCE = {"message", "Message", "request_id", "requestId", "code"}
_NUMBER = r"[0-9]+(?: [0-9]{3})*"
_TOO_LONG = re.compile(
    r"(?<!took )(?<!taking )(?<!takes )\btoo long\b|\btoo many characters\b|\bwould be truncated\b|\bdata too long\b"
    r"|\b(?:payload|entity|body|text|content|note|notes|description|comment|comments|message|value|field) (?:is |was )?"
    r"too (?:large|big)\b"
    rf"|\b(?:at most|no more than|not more than|less than|fewer than|greater than|up to|longer than|more than|exceeds?|"
    rf"maximum of|limited to|limit of|max) {_NUMBER} (?:characters|chars|bytes|letters)\b"
    rf"|\b(?:length|size) must be between [0-9]+ and {_NUMBER}\b|\blimit is {_NUMBER} (?:characters|chars|bytes)\b"
    rf"|\b{_NUMBER} (?:characters|chars|bytes) (?:or less|or fewer|at most|maximum|limit|allowed)\b"
    r"|\b(?:exceed|exceeds|exceeded|exceeding|over|above) (?:\w+ ){0,3}(?:length|size|character limit)\b"
    r"|\bmax(?:imum)? ?(?:allowed )?(?:length|size|characters)\b"
    r"|\b(?:length|size) (?:\w+ ){0,3}(?:exceed|at most|less than|no more than|<=?)"
    # German, French, Spanish, Italian, Portuguese, Dutch: some CRMs answer in the language of the user.
    r"|\bzu lang\b|\btrop longue?s?\b|\bdemasiad[oa] larg[oa]\b|\btroppo lung[oa]\b|\bmuito long[oa]\b|\bte lang\b"
)


def says_login_over(body: Any, text: str = "") -> bool:
    """Whether a token endpoint's answer, JSON or text, says that the grant or refresh token is good no more.

    A page for people never does: it may show what was sent.
    """
    return _says(_LOGIN_OVER, body, text)


def says_user_closed(body: Any, text: str = "") -> bool:
    """Whether it says that the user, their account or session is good no more. Ask ``says_passing`` first."""
    return _says(_USER_CLOSED, body, text)


def says_client_refused(body: Any, text: str = "") -> bool:
    """Whether it says that the application itself, its id or its secret, is not accepted."""
    return _says(_CLIENT_REFUSED, body, text)


def says_passing(body: Any) -> bool:
    """Whether it says that it cannot answer at the moment, or not so often."""
    return _says(_PASSING, body, "")


def says_nothing_of_its_own(body: Any) -> bool:
    """Whether JSON holds no word that a CRM says of a record: it is empty, no object or list, or a gateway's."""
    if isinstance(body, list):
        return not body
    if not isinstance(body, dict) or not body:
        return True
    fault = body.get("fault")
    if any(members <= body.keys() for members in _GATEWAYS_MEMBERS) or (
        isinstance(fault, dict) and "faultstring" in fault
    ):
        return True  # the second is Apigee's
    message = body.get("message", body.get("Message"))
    if {"timestamp", "status", "path"} <= body.keys() and not message:  # an application server without such a page
        return True
    if body == {"statusCode": 404, "message": "Resource not found"}:  # Azure
        return True
    is_one_sentence = isinstance(message, str) and body.keys() <= _ONE_SENTENCE
    return is_one_sentence and bool(_GATEWAYS_WORDS.fullmatch(_plain(str(message)[:_LENGTH])))


def says_too_long(body: Any) -> bool:
    """Whether a refusal in JSON is about the length of a text, in the words of a vendor or its database."""
    return _says(_TOO_LONG, body, "")


def _says(meaning: re.Pattern[str], body: Any, text: str) -> bool:
    if body is None and not _PAGE.search(text):  # plain text, a form, XML
        body = _TAG.sub(" ", text)
    return any(meaning.search(_plain(found)) for found in itertools.islice(_texts(body, "", 0), _SENTENCES))


def _texts(value: Any, name: str, depth: int) -> Iterator[str]:
    """The texts of a JSON body, each behind the name of its member."""
    if isinstance(value, str):
        yield f"{name} {value[:_LENGTH]}".strip()
    elif depth < _DEPTH and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, str(key)[:_LENGTH], depth + 1)
    elif depth < _DEPTH and isinstance(value, list):
        for item in value:
            yield from _texts(item, name, depth + 1)


def _plain(text: str) -> str:
    """Words in lower case with one blank between them; codes in whatever spelling become words."""
    return _NO_WORD.sub(" ", _CAMEL.sub(" ", text).lower()).strip()
