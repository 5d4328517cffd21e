"""An SMTP server on aiosmtpd: STARTTLS and AUTH required, replies by recipient, mails as JSON lines.

Arguments: port, certificate, key, user, password, and a JSON object of replies by recipient.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, SMTP


class Handler:
    def __init__(self, replies):
        self.replies = replies

    async def handle_RCPT(self, server, session, envelope, address, options):
        reply = self.replies.get(address, "250 2.1.5 ok")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "user": session.auth_data,
            "data": envelope.content.decode("utf-8", "replace"),
        }
        print("MAIL " + json.dumps(mail), flush=True)
        return "250 2.0.0 queued as AIO0001"


class TlsController(Controller):
    """A controller whose server asks for STARTTLS first and then for a login."""

    def __init__(self, handler, context, authenticate, port):
        self.context, self.authenticate = context, authenticate
        super().__init__(handler, hostname="127.0.0.1", port=port)

    def factory(self):
        return SMTP(
            self.handler,
            hostname="counterpart",
            tls_context=self.context,
            require_starttls=True,
            auth_required=True,
            authenticator=self.authenticate,
        )


def main():
    port, certificate, key, user, password, replies = sys.argv[1:7]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    def authenticate(server, session, envelope, mechanism, data):
        good = data.login == user.encode() and data.password == password.encode()
        return AuthResult(success=good, handled=False, auth_data=user if good else None)

    controller = TlsController(Handler(json.loads(replies)), context, authenticate, int(port))
    controller.start()
    print("READY", flush=True)
    try:
        sys.stdin.read()  # ends with whoever started it
    finally:
        controller.stop()


if __name__ == "__main__":
    main()
