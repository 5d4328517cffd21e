"""What every plugin does the same way: from two functions (the request for a message; the outcome of an answer) to the
contract in wit/plugin.wit. The types are those of the contract: `t` is `wit_world.imports.types`, and `secrets` and `log`
are what the host gives a plugin."""

import json
import re

from componentize_py_types import Err
from wit_world.exports import Delivery as Contract
from wit_world.imports import log, secrets
from wit_world.imports import types as t

__all__ = [
    "Plugin", "Problems", "Response", "absent", "accepted", "attachment", "cannot_tell", "deferred", "found", "host_of",
    "inbound", "key", "log", "not_yet", "parsed", "prepare", "receipt", "received", "refused", "rejected_account",
    "rejected_content", "rejected_recipient", "rejected_sender", "request", "secret", "secrets", "send", "t", "text",
    "throttled", "unknown",
]


def text(value):
    """Bytes as a piece of a URL, header or body."""
    return t.Piece_Bytes(value.encode() if isinstance(value, str) else value)


def secret(name, escape=t.Escape.RAW):
    """A secret by name, written in by the host."""
    return t.Piece_Secret(t.SecretPiece(name, escape))


def attachment(index, encoding=t.AttachmentEncoding.BASE64):
    """An attachment's bytes, written in by the host."""
    return t.Piece_Attachment(t.AttachmentPiece(index, encoding))


def _pieces(value):
    return value if isinstance(value, list) else [text(value)]


def request(url, *, method="POST", headers=None, body=None, bearer=None, basic=None, redirects=0, **more):
    """An HTTP request. `json=` or `body=` is what is sent; `bearer=` and `basic=(user, secret)` name secrets and hold
    none."""
    headers = dict(headers or {})
    if "json" in more:
        headers["content-type"] = "application/json"
        body = json.dumps(more["json"], ensure_ascii=False)
    credential = t.Credential_None_()
    if bearer:
        credential = t.Credential_Bearer(bearer)
    if basic:
        credential = t.Credential_Basic(t.Basic(*basic))
    return t.HttpRequest(
        method,
        _pieces(url),
        [t.Header(name, _pieces(value)) for name, value in headers.items()],
        credential,
        [] if body is None else _pieces(body),
        redirects,
    )


def _cut(value, size):
    return str(value).encode()[:size].decode(errors="ignore")


def _reason(code, message):
    return t.Reason(_cut(code, 64), _cut(message, 1024))


def accepted(reference=None, state=None, parts=None, refused=()):
    """The provider took it: its id, or a list of them where it counts every part as a message."""
    ids = reference if isinstance(reference, list) else [reference]
    references = [_cut(each, 256) for each in ids if each][:64]
    return t.Outcome_Accepted(t.Acceptance(references, state, parts, list(refused)))


def deferred(code, message, after_ms=None):
    """Transient, and nothing was delivered."""
    return t.Outcome_Deferred(t.Wait(_reason(code, message), after_ms))


def throttled(code, message, after_ms=None):
    """The provider says that we are too fast."""
    return t.Outcome_Throttled(t.Wait(_reason(code, message), after_ms))


def rejected_recipient(code, message):
    """A bad or opted-out recipient: final."""
    return t.Outcome_RejectedRecipient(_reason(code, message))


def rejected_content(code, message):
    """Refused text, size or media: final."""
    return t.Outcome_RejectedContent(_reason(code, message))


def rejected_sender(code, message):
    """This sender may not send here: the next backend is tried."""
    return t.Outcome_RejectedSender(_reason(code, message))


def rejected_account(code, message):
    """Credentials, credit or configuration: the backend is taken out of service."""
    return t.Outcome_RejectedAccount(_reason(code, message))


def unknown(code, message):
    """It may have been delivered."""
    return t.Outcome_Unknown(_reason(code, message))


# A parser that goes deeper than this, and nobody's honest JSON does, would run out of the sandbox's stack.
_DEPTH_MAX = 100
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)


def _is_deep(text):
    if text.count("[") + text.count("{") <= _DEPTH_MAX:
        return False
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > _DEPTH_MAX:
            return True
    return False


def parsed(text):
    """JSON read, a string or UTF-8; None where it is none, or lists and tables lie 100 deep in each other."""
    try:
        text = text if isinstance(text, str) else text.decode().removeprefix("\ufeff")
        return None if _is_deep(text) else json.loads(text)
    except ValueError:
        return None


class Response:
    """A provider's answer."""

    def __init__(self, response, delivers=True):
        self.status = response.status
        self.ok = 200 <= response.status < 300
        self.body = response.body
        self.delivers = delivers
        self._headers = response.headers

    def header(self, name):
        """The first header of this name, in lower case."""
        return next((pair.value for pair in self._headers if pair.name == name), None)

    def text(self):
        return self.body.decode(errors="replace")

    def json(self):
        """The body as JSON; None where it is not that."""
        return parsed(self.body)

    def refusal(self):
        """What the status means where the provider's own code is not known. A request that delivers nothing, such as one
        for a token, leaves nothing unknown: its failure only means that the message waits."""
        status, message = self.status, f"the provider answered {self.status}: {self.text()[:800]}"
        if status in (408, 425, 503):
            return deferred(status, message, self._retry_after())
        if status == 429:
            return throttled(status, message, self._retry_after())
        if status in (401, 402, 403, 405, 407, 411, 426, 501, 505):
            return rejected_account(status, message)
        if 400 <= status < 500:
            return rejected_content(status, message)
        if status >= 500:
            return unknown(status, message) if self.delivers else deferred(status, message)
        return rejected_account(status, message)

    def _retry_after(self):
        # Seconds alone: a date would need a clock.
        value = self.header("retry-after") or ""
        return int(value) * 1000 if re.fullmatch(r"[0-9]{1,9}", value) else None


def _of_failure(failure, delivers):
    code = failure.kind.name.lower()
    if failure.kind == t.FailureKind.REFUSED:
        return rejected_account(code, failure.detail)
    return unknown(code, failure.detail) if failure.may_have_left and delivers else deferred(code, failure.detail)


# Steps: what `deliver_message` and its like return. The state comes back with the answer.


def prepare(asked, state=None):
    """Ask this first; it delivers nothing."""
    return _ask(asked, t.Effect.NONE, state)


def send(asked, state=None):
    """Ask this; it may deliver the message. "May have been sent" is on the host's disk before it leaves."""
    return _ask(asked, t.Effect.DELIVERS, state)


def _ask(asked, effect, state):
    action = t.Action_Http(asked) if isinstance(asked, t.HttpRequest) else asked
    return t.Ask(action, effect, json.dumps([effect == t.Effect.DELIVERS, state]).encode())


def received(events, status=200, content_type=None, body=b""):
    """The callback is genuine, and this is what it says: a list of `receipt` and `inbound`."""
    return t.ReceiveStep_Received(t.Received(t.HttpAnswer(status, content_type, body), list(events)))


def receipt(reference, state, code=None, message="", at_ms=None, recipient=None, key=None):
    """What became of a message; `state` is one of `t.ReceiptState`."""
    reason = None if code is None else _reason(code, message)
    return t.Event_Receipt(t.Receipt(_cut(reference, 256), key, recipient, state, reason, at_ms))


def inbound(id, channel, sender, to, text, media=()):
    """A message to us."""
    return t.Event_Inbound(t.InboundMessage(id, channel, sender, to, text, list(media)))


def refused(code, message):
    """The callback is not to be believed."""
    return t.ReceiveStep_Refused(_reason(code, message))


def found(outcome):
    """The provider has the message, and this is the outcome."""
    return t.LookupStep_Found(outcome)


def absent():
    """The provider does not have it, for certain."""
    return t.LookupStep_Absent()


def not_yet(wait_ms):
    """Its list may not show it yet: it is asked again after so many milliseconds."""
    return t.LookupStep_NotYet(wait_ms)


def cannot_tell(code, message):
    """The provider cannot tell."""
    return t.LookupStep_CannotTell(_reason(code, message))


def key(secret, encoding=None):
    """The key of a digest: the secret's text as it is, or as `secrets.KeyEncoding_Base64(prefix)` or `_Hex()` says."""
    return secrets.Key(secret, encoding or secrets.KeyEncoding_Text())


def host_of(url):
    """The host name of an http(s) URL, without its port; None where it is none."""
    found = re.match(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]+)?([/?#]|$)", str(url), re.IGNORECASE)
    return found and found[1].lower()


class Problems(Exception):
    """What is wrong with settings: pairs of a path and words."""


_UNSUPPORTED = ("unsupported", "this plugin does not do that")


class Plugin(Contract):
    """Say `about` and `check_settings`, then `request` and `outcome`: one request a message.

    Several requests: `deliver_message` and `on_response` instead. On top, where the provider can: `receive_callback`,
    `receive_delivery`, `look_up`, and what goes on with them. `settings` are the backend's, as a dict. Whoever asks for
    mails or short messages says `"relay": True` or `"session": True` in `about`."""

    about = {}

    def check_settings(self, settings):
        """The hosts that these settings need; raises `Problems`."""
        raise NotImplementedError

    def request(self, settings, context, message):
        """What `request` above makes, or an outcome."""
        raise NotImplementedError

    def outcome(self, settings, context, response):
        """An outcome."""
        raise NotImplementedError

    def deliver_message(self, settings, context, message):
        """`prepare`, `send`, or an outcome."""
        asked = self.request(settings, context, message)
        return send(asked) if isinstance(asked, t.HttpRequest) else asked

    def on_response(self, settings, context, state, response):
        """`prepare`, `send`, or an outcome."""
        if not isinstance(response, Response):
            return unknown("reply", "no HTTP answer to an HTTP request")
        return self.outcome(settings, context, response)

    def receive_callback(self, settings, context, callback):
        """`received`, `refused` or `prepare`. Anybody can send a callback: verify it first."""
        return refused(*_UNSUPPORTED)

    def receive_delivery(self, settings, context, delivery):
        """The same, of what comes over the backend's SMPP session: a `t.SmppDelivery`."""
        return refused(*_UNSUPPORTED)

    def on_receive_response(self, settings, context, state, response):
        """`received`, `refused` or `prepare`."""
        return refused(*_UNSUPPORTED)

    def look_up(self, settings, context, message, attempted_at_ms):
        """`found`, `absent`, `not_yet`, `cannot_tell` or `prepare`."""
        return cannot_tell(*_UNSUPPORTED)

    def on_lookup_response(self, settings, context, state, response):
        """`found`, `absent`, `not_yet`, `cannot_tell` or `prepare`."""
        return cannot_tell(*_UNSUPPORTED)

    # The contract's own functions.

    def describe(self):
        about, own = self.about, type(self)
        features = t.Features(0)
        plain = (Plugin.receive_callback, Plugin.receive_delivery)
        if (own.receive_callback, own.receive_delivery) != plain:
            features |= t.Features.RECEIVE
        if own.look_up is not Plugin.look_up:
            features |= t.Features.LOOKUP
        if about.get("idempotent"):
            features |= t.Features.IDEMPOTENCY
        return t.Description(
            about["name"],
            about["version"],
            about["summary"],
            about["channels"],
            json.dumps(about["schema"]),
            [t.SecretAsk(name, summary, True) for name, summary in about.get("secrets", {}).items()]
            + [t.SecretAsk(name, summary, False) for name, summary in about.get("optional_secrets", {}).items()],
            about.get("limits", t.Limits(None, t.MediaSupport.NONE, 0, 0)),
            features,
        )

    def check(self, settings):
        table = parsed(settings)
        if not isinstance(table, dict):
            raise Err([t.Problem("", "settings are a table of names and values")])
        try:
            hosts = self.check_settings(table)
        except Problems as problems:
            raise Err([t.Problem(path, words) for path, words in problems.args[0]])
        about = self.about
        return t.Asks(hosts, about.get("relay", False), about.get("session", False), list(about.get("secrets", {})))

    def deliver(self, context, message):
        return _step(self.deliver_message(json.loads(context.settings), context, message))

    def on_reply(self, context, state, reply):
        return _answered(self.on_response, context, state, reply, _step, _step)

    def receive(self, context, callback):
        take = self.receive_callback if isinstance(callback, t.Callback_Http) else self.receive_delivery
        return _receive_step(take(json.loads(context.settings), context, callback.value))

    def on_receive_reply(self, context, state, reply):
        failed = lambda outcome: t.ReceiveStep_Refused(_reason_of(outcome))
        return _answered(self.on_receive_response, context, state, reply, _receive_step, failed)

    def lookup(self, context, query):
        said = self.look_up(json.loads(context.settings), context, query.message, query.attempted_at_ms)
        return _lookup_step(said)

    def on_lookup_reply(self, context, state, reply):
        failed = lambda outcome: t.LookupStep_CannotTell(_reason_of(outcome))
        return _answered(self.on_lookup_response, context, state, reply, _lookup_step, failed)


def _answered(judge, context, state, reply, step, failed):
    """One answer is what most plugins want; none at all is judged here."""
    delivers, known = json.loads(state)
    if isinstance(reply, t.Reply_Failed):
        return failed(_of_failure(reply.value, delivers))
    # Whoever asks for a mail or a short message reads what answers that.
    answer = Response(reply.value, delivers) if isinstance(reply, t.Reply_Http) else reply.value
    return step(judge(json.loads(context.settings), context, known, answer))


def _reason_of(outcome):
    return getattr(outcome.value, "reason", outcome.value)


def _step(said):
    return t.Step_Ask(said) if isinstance(said, t.Ask) else t.Step_Done(said)


def _receive_step(said):
    return t.ReceiveStep_Ask(said) if isinstance(said, t.Ask) else said


def _lookup_step(said):
    return t.LookupStep_Ask(said) if isinstance(said, t.Ask) else said
