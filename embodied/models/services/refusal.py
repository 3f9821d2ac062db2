"""The subject of a server's error: the account, this one prompt, a setting, or the moment. Status codes alone do not
say.

The words come from the services' own errors (tests/models/test_refusals.py holds the bodies).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "key",
    "permission",
    "billing",
    "model",
    "too long",
    "filtered",
    "a setting",
    "no pictures",
    "refused",
    "busy",
    "server",
]
"""The first four stop a run; the next five are about one prompt; the last two pass."""

STOPPING: tuple[Kind, ...] = ("key", "permission", "billing", "model")

SETTINGS = (
    "max_completion_tokens",
    "max_tokens",
    "max_output_tokens",
    "temperature",
    "top_p",
    "seed",
    "stop",
    "stop_sequences",
    "reasoning_effort",
    "thinking_budget",
    "thinking_level",
    "thinking",
    "effort",
    "response_format",
    "response_json_schema",
    "structured_outputs",
    "guided_choice",
)
"""The settings that we send, as servers name them."""


_READ = 1_000
"""Characters of an error that are looked at: some servers repeat the prompt behind it, which may say anything."""


@dataclass(frozen=True)
class Said:
    """An error as a server told it."""

    status: int
    text: str
    """The sentence."""
    codes: frozenset[str]
    """Its machine-readable words: code, type, status, reason; in lower case."""
    parameter: str = ""
    """What it says it is about."""


def said(status: int, body: Any) -> Said:
    """Reads an error body: JSON in any of the usual shapes, or text."""
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return Said(status, body[:_READ], frozenset())
    objects = list(_objects(body))
    words = [o.get(key) for o in objects for key in ("code", "type", "status", "reason", "error_code", "error_type")]
    codes = {str(word).lower() for word in words if isinstance(word, str | int)}
    parameter = next((o["param"] for o in objects if isinstance(o.get("param"), str)), "")
    places = [str(part) for o in objects if isinstance(o.get("loc"), list) for part in o["loc"]]
    parameter = parameter or next((place for place in places if place in SETTINGS), "")
    return Said(status, error_text(body)[:_READ], frozenset(codes), parameter)


def error_text(body: Any) -> str:
    """The sentence inside an error body, wherever the server put it."""
    for _ in range(8):
        if isinstance(body, list) and len(body) == 1:
            body = body[0]
        elif isinstance(body, dict):
            found = next((body[k] for k in ("error", "message", "detail", "msg", "errors") if body.get(k)), None)
            if isinstance(found, str) and isinstance(raw := _metadata(body).get("raw"), str) and raw not in found:
                return f"{found}: {raw}"  # OpenRouter puts the provider's own words there
            if found is None:
                return json.dumps(body) if body else ""
            body = found
        else:
            break
    return body if isinstance(body, str) else "" if body is None else json.dumps(body, default=str)


def _metadata(body: dict[str, Any]) -> dict[str, Any]:
    found = body.get("metadata")
    return found if isinstance(found, dict) else {}


def _objects(body: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The objects in an error body, the outermost first."""
    if depth > 6:
        return
    if isinstance(body, dict):
        yield body
        for value in body.values():
            yield from _objects(value, depth + 1)
    elif isinstance(body, list):
        for value in body[:20]:
            yield from _objects(value, depth + 1)


def _words(patterns: str) -> re.Pattern[str]:
    """Any of some patterns, one a line."""
    return re.compile("|".join(patterns.strip().splitlines()), re.IGNORECASE)


def _codes(words: str) -> frozenset[str]:
    return frozenset(words.split())


_BILLING = _words(r"""
credit balance is too low
insufficient[ _](balance|credits?|funds|quota)
out of credits?
no (more )?credits?\b
requires? more credits
billing[ _](hard[ _])?limit
billing (is )?not[ _]active
payment required
overdue|arrearage|in arrears
never purchased credits
余额不足|欠费|账户余额
""")
_BILLING_CODES = _codes("""
exceeded_current_quota_error insufficient_quota billing_not_active billing_hard_limit_reached
insufficient_balance billing_error arrearage 1113
""")
_QUOTA = _words(r"""
exceeded your current quota
you have run out of
""")
"""Of the account where it is not a rate limit (429)."""

_FILTERED = _words(r"""
content management polic
content exists risk
content[ _-]?(polic|filter|moderation|safety|security)
\bmoderation\b
\bflagged\b
(usage|safety) (polic|guideline|setting|filter|system)
violat\w* (our |the |of )?[\w ]{0,30}(polic|guideline|terms)
high risk
inappropriate content
data[ _]?inspection
sensitive (content|word|information)
unsafe (content|or sensitive)
prohibited[ _]content
responsible[ _]?ai
\bguardrail (intervened|blocked|triggered)
blocked (due to|by|because of) .{0,40}(safety|filter|polic|prohibited|content)
敏感|违规|不安全
""")
_FILTERED_CODES = _codes("""
content_filter content_policy_violation responsibleaipolicyviolation data_inspection_failed datainspectionfailed
invalid_prompt content_filtered moderation content_moderation prohibited_content
safety recitation 1301 sensitive
""")
_ACCOUNT = _words(r"""
(account|organization|access|project|key|user)\b.{0,40}\b(deactivated|terminated|disabled|suspended|banned|blocked)
""")

_TOO_LONG = _words(r"""
context[ _](length|window|size|limit)
prompt is too long
(prompt|input|request|message|payload|body|content|text|query)s?( \w+)? (is |are |was )?too (long|large)
too many (input |prompt |total )?tokens
tokens? (count )?(\([^)]*\) )?exceeds?
exceeds? .{0,60}(tokens|maximum length|max length|input length|n_ctx|model.s context)
exceeds? the (maximum|limit|max)[\w ]* (size|length|tokens)
max_tokens must be at least 1, got -
reduce (the )?(length|your prompt|the prompt|prompt)
longer than the (model|maximum)
too large for (the )?model
length of (all )?(the )?(messages|inputs?|prompt).{0,30}(too long|exceed)
request too large
(request|payload) (entity )?too large
input length
prompt length
string too long
maximum length
num_ctx|max_model_len|max_seq_len|max_input_length|max_total_tokens
`inputs`.{0,60}(must be <=|exceed|less than)
longer than .{0,30}(tokens|context)
too many images
at most \d+ image
number of images
image dimensions exceed
image exceeds \d+
request body.{0,20}(limit|exceed)
上下文|长度超|超长
""")
_TOO_LONG_CODES = _codes("""
context_length_exceeded string_above_max_length exceed_context_size_error request_too_large tokens_limit_reached
context_window_exceeded model_max_prompt_tokens_exceeded max_tokens_exceeded input_too_long prompt_too_long
1261
""")

_KEY = _words(r"""
(api|access)[ _-]?key.{0,30}(not valid|invalid|incorrect|expired|missing|not found|revoked)
(invalid|incorrect|expired|no|missing|wrong).{0,20}(api|x-api|access)[ _-]?key
authentication fail
unauthorized
invalid authentication
""")
_KEY_CODES = _codes("""
invalid_api_key authentication_error api_key_invalid api_key_expired unauthenticated
account_deactivated invalid_authentication_error
""")
_PERMISSION = _words(r"""
location is not supported
(country|region),? .{0,40}not supported
must be verified
permission denied
(not|no) (have )?(access|permission)
not (allowed|authorized|authorised|entitled) to
access (was |is )?(denied|terminated)
data policy
""")
_PERMISSION_CODES = _codes("""
permission_denied permission_error access_denied accessdenied unsupported_country_region_territory
permission
""")

_PICTURES = _words(r"""
(image|vision|multimodal|picture)[\w_ ]{0,30}(not|n't|un)[ -]?(be )?support
(not|n't) support (the )?[\w ]{0,20}(image|vision|multimodal)
support image input
not a (multimodal|vision)
unknown (part type|variant)[:\s]+.?image
(image_url|input_image).{0,60}(only )?(not )?(supported|allowed|permitted|valid)
mmproj
cannot (read|process|accept) images?
no endpoints found that support image
""")

_MODEL = _words(r"""
\bmodel\b.{0,120}?(does not exist|not exist|not found|is not (available|supported|loaded|valid))
\bmodel\b.{0,120}?(decommissioned|deprecated|been (retired|removed|shut down)|no longer available)
(no such|unknown|invalid|unsupported|non-?existent|unrecognized) model
not a valid model
no endpoints (found|available)
deployment .{0,60}does not exist
not a chat model
could not find model
no models? (is )?loaded
模型不存在
""")
_MODEL_CODES = _codes("""
model_not_found not_found_error unknown_model invalid_model deploymentnotfound
model_decommissioned model_not_exist modelnotfound 1211
""")

_UNTAKEN = _words(r"""
unsupported (parameter|value|argument)
unrecognized (request )?(argument|field|parameter|key)
unknown (parameter|field|argument|name)
unexpected (keyword|property|field|argument)
(extra|additional) (inputs?|fields?|propert\w+) .{0,12}not (permitted|allowed)
does not support (the )?(parameter|setting)
not supported (with|by|for|in|on)
is not (supported|permitted|allowed)
cannot both
deprecated for this model
does not support
only the default
may only be set
extra_forbidden
must be (between|in|at (least|most)|less|greater|a |an |one |>|<|positive|strictly|none|null)
invalid (value|type|parameter|argument)
out of range
should be
is too (large|high|small)
input should
not a valid
property .{0,30}unsupported
no parameter
cannot be used
""")
_UNTAKEN_CODES = _codes("""
unsupported_parameter unsupported_value unknown_parameter extra_forbidden unsupported_params
unsupportedparamserror
""")

_NAMED = re.compile(rf"""(?<!\w)({"|".join(SETTINGS)})(?!\w)""")
_QUOTED = re.compile(r"""(?:[`'"]|: )(stop|thinking|effort)\b""")
_CAMEL = re.compile(r"(?<=[a-z])([A-Z])")


def kind_of(error: Said) -> tuple[Kind, str]:
    """The subject of an error, and the setting if it is about one. Money is looked for first. Reasons to refuse a
    prompt come before reasons to refuse an account, because services use 403 and 401 for both.
    """
    status, text, codes = error.status, error.text, error.codes
    if status == 402 or codes & _BILLING_CODES or _BILLING.search(text) or (status != 429 and _QUOTA.search(text)):
        return "billing", ""
    if status == 401 or codes & _KEY_CODES or (status < 500 and status != 429 and _KEY.search(text)):
        return "key", ""
    if _about_content(error):
        return "filtered", ""
    if _PICTURES.search(text) and not _TOO_MANY.search(text):
        return "no pictures", ""
    setting = _setting(error)
    if setting.startswith("max_") and _TOO_LONG_CODES.isdisjoint(codes) and not _OF_CONTEXT.search(text):
        return "a setting", setting
    if status == 413 or codes & _TOO_LONG_CODES:
        return "too long", ""
    if (status in (400, 404, 422, 500) and _TOO_LONG.search(text)) or (status == 429 and "too large" in text.lower()):
        return "too long", ""
    if setting:
        return "a setting", setting
    if codes & _MODEL_CODES:
        return "model", ""
    if (
        status in (403, 407)
        or codes & _PERMISSION_CODES
        or (status < 500 and status != 429 and _PERMISSION.search(text))
    ):
        return "permission", ""
    if status in (404, 405, 410) or (status in (400, 422) and _MODEL.search(text)) or 300 <= status < 400:
        return "model", ""
    if status in (429, 529):
        return "busy", ""
    if status in (408, 409, 425) or (status >= 500 and status != 501):
        return "server", ""
    return "refused", ""


_TOO_MANY = _words(r"""
too many images
at most \d+ image
number of images
image exceeds
image dimensions exceed
""")
_OF_CONTEXT = _words(r"""
context
at least 1, got -
input
prompt
messages
""")


def _about_content(error: Said) -> bool:
    if error.codes & _FILTERED_CODES and error.status != 429:
        return not _ACCOUNT.search(error.text)
    return (
        error.status in (400, 403, 422, 451, 500)
        and bool(_FILTERED.search(error.text))
        and not _ACCOUNT.search(error.text)
    )


def _setting(error: Said) -> str:
    """The setting that the server does not take; empty where the error is about something else."""
    if error.status not in (400, 404, 422, 500, 501):
        return ""
    if error.parameter in SETTINGS:
        return error.parameter
    if not (error.codes & _UNTAKEN_CODES or _UNTAKEN.search(error.text)):
        return ""
    text = _CAMEL.sub(lambda m: "_" + m.group(1).lower(), error.text)
    found = _NAMED.findall(text)
    named = next((name for name in found if name not in ("stop", "thinking", "effort")), "")
    quoted = _QUOTED.search(text)
    return named or (quoted.group(1) if quoted else "")
