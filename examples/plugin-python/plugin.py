"""Email by Palomar, a provider that wants attachments inside its JSON and says of each recipient what became of it.

    POST /v2/mails, Idempotency-Key   { "from", "to", "cc", "bcc", "subject", "html", "text", "files": [{ "name", "type", "data" }] }
    202   { "id": "…", "refused": [{ "address": "…", "code": "mailbox_unknown", "detail": "…", "temporary": false }] }
    4xx   { "code": "domain_not_verified", "detail": "…" }
"""

import json

from dispatcher import (
    Plugin,
    Problems,
    accepted,
    attachment,
    host_of,
    rejected_account,
    rejected_content,
    rejected_recipient,
    rejected_sender,
    request,
    t,
    text,
    unknown,
)

# What Palomar's own codes mean. A code that is not here is judged by its status.
CODES = {
    "mailbox_unknown": rejected_recipient,
    "suppressed": rejected_recipient,
    "too_large": rejected_content,
    "spam": rejected_content,
    "domain_not_verified": rejected_sender,
    "quota_exceeded": rejected_account,
}


class Delivery(Plugin):
    about = {
        "name": "palomar-mail",
        "version": "1.0.0",
        "summary": "Email by Palomar, attachments included.",
        "channels": [t.Channel.EMAIL],
        "secrets": {"api_key": "The API key, under Account > Keys"},
        # The host fetches attachments before it calls `deliver`, and splices them in as it sends: at most ten, 20 MB.
        "limits": t.Limits(None, t.MediaSupport.CONTENT, 10, 20_000_000),
        "idempotent": True,
        "schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "from": {"type": "string", "description": "The sender of mails that name none: Agency <hello@agency.example>"},
                "base_url": {"type": "string", "description": "Where the API is, if not at api.palomar.example."},
            },
            "examples": [{"from": "Agency <hello@agency.example>"}],
        },
    }

    def check_settings(self, settings):
        host = host_of(base(settings))
        problems = []
        if not host:
            problems.append(("base_url", "not a URL; write it like https://api.palomar.example"))
        if "from" in settings and "@" not in str(settings["from"]):
            problems.append(("from", "write an address: Agency <hello@agency.example>"))
        if problems:
            raise Problems(problems)
        return [host]

    def request(self, settings, context, message):
        sender = message.sender or settings.get("from")
        if not sender:
            return rejected_content("no-sender", "the mail names no sender, and neither do the settings: set `from`")
        body = {
            "from": sender,
            "to": message.to,
            "cc": message.cc,
            "bcc": message.bcc,
            "subject": message.subject or "",
            "html": message.html or "",
            "text": message.text,
        }
        headers = {"content-type": "application/json", "idempotency-key": context.idempotency_key}
        return request(
            f"{base(settings)}/v2/mails", bearer="api_key", headers=headers, body=with_files(body, message.attachments)
        )

    def outcome(self, settings, context, response):
        answer = response.json()
        answer = answer if isinstance(answer, dict) else {}
        if not response.ok:
            judge = CODES.get(str(answer.get("code")))
            return judge(answer["code"], answer.get("detail", "no words")) if judge else response.refusal()
        if not isinstance(answer.get("id"), str):
            return unknown("unreadable", "the answer has no id")
        return accepted(answer["id"], refused=refused_of(answer.get("refused")))


def base(settings):
    return settings.get("base_url", "https://api.palomar.example")


def with_files(body, attachments):
    """The body as pieces: a file of 20 MB never comes in here, the host writes it where its piece stands."""
    whole = json.dumps(body, ensure_ascii=False)
    fetched = [(index, each.file) for index, each in enumerate(attachments) if each.file]
    if not fetched:
        return [text(whole)]
    pieces = [text(whole[:-1] + ', "files": [')]
    for place, (index, file) in enumerate(fetched):
        name, kind = json.dumps(file.name, ensure_ascii=False), json.dumps(file.media_type)
        comma = ", " if place else ""
        pieces += [text(f'{comma}{{"name": {name}, "type": {kind}, "data": "'), attachment(index), text('"}')]
    return [*pieces, text("]}")]


def refused_of(refused):
    """Recipients that were refused while others were taken: those that may be tried again are, alone."""
    found = []
    for each in refused if isinstance(refused, list) else []:
        if isinstance(each, dict) and isinstance(each.get("address"), str):
            reason = t.Reason(str(each.get("code", "refused"))[:64], str(each.get("detail", ""))[:500])
            found.append(t.RefusedRecipient(each["address"], reason, each.get("temporary") is True))
    return found
