"""For tests: messages, contexts and answers to start from. What the host gives a plugin is replaced with
`unittest.mock.patch`, for example `patch("dispatcher.secrets.verify")`."""

import json

from dispatcher import t


def context(settings, callback_url=None):
    """A context with these settings."""
    return t.Context(json.dumps(settings), 1_795_305_600_000, 1_795_305_630_000, 1, "01hzy3k9q8w7e-1", callback_url)


def _message(channel, to, **more):
    empty = {"contact": None, "cc": [], "bcc": [], "sender": None, "text": None, "subject": None, "html": None}
    rest = {"in_reply_to": None, "attachments": [], "extra": []}
    return t.Message(id="01hzy3k9q8w7e", channel=channel, location="L", to=to, **(empty | rest | more))


def sms(to, text, **more):
    """An SMS."""
    return _message(t.Channel.SMS, [to], text=text, **more)


def email(sender, to, subject, html, **more):
    """A mail."""
    return _message(t.Channel.EMAIL, [to], sender=sender, subject=subject, html=html, **more)


def file(name, media_type, size):
    """An attachment that the host has fetched."""
    return t.Attachment(f"https://files.example.com/{name}", t.AttachmentFile(name, media_type, size))


def answer(status, body=b"", headers=None):
    """A provider's answer, for `on_reply` and its like."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    pairs = [t.Pair(name, value) for name, value in (headers or {}).items()]
    return t.Reply_Http(t.HttpResponse(status, pairs, body, False))


def no_answer(kind, may_have_left):
    """No answer; `kind` is one of `t.FailureKind`."""
    return t.Reply_Failed(t.Failure(kind, "a test", may_have_left))


def callback(body, headers=None):
    """A callback, as the provider posts it."""
    pairs = [t.Pair(name, value) for name, value in (headers or {}).items()]
    return t.Callback_Http(t.HttpCallback("POST", "https://hooks.example.com/callbacks/x", pairs, body))


def shown(pieces):
    """Pieces as text: secrets as {secret NAME}, attachments as {attachment INDEX}."""
    words = []
    for piece in pieces:
        if isinstance(piece, t.Piece_Bytes):
            words.append(piece.value.decode())
        elif isinstance(piece, t.Piece_Secret):
            words.append(f"{{secret {piece.value.name}}}")
        else:
            words.append(f"{{attachment {piece.value.index}}}")
    return "".join(words)
