import json
import unittest

from dispatcher import parsed, receipt, received, t
from plugin import Delivery
from testing import answer, callback, context, email, file, no_answer, shown

GIVEN = context({"from": "Agency <hello@agency.example>"})
MAIL = email(None, "ana@example.com", "Hola", "<p>Hola</p>")


def asked(mail=MAIL):
    return Delivery().deliver(GIVEN, mail).value


def outcome(reply):
    return Delivery().on_reply(GIVEN, asked().state, reply).value


class PluginTest(unittest.TestCase):
    def test_a_mail_becomes_a_request(self):
        request = asked().action.value
        self.assertEqual(shown(request.url), "https://api.palomar.example/v2/mails")
        self.assertEqual(request.credential, t.Credential_Bearer("api_key"))
        body = json.loads(shown(request.body))
        self.assertEqual((body["from"], body["to"]), ("Agency <hello@agency.example>", ["ana@example.com"]))

    def test_files_are_written_in_by_the_host(self):
        mail = email("a@b.example", "ana@example.com", "x", "y")
        mail.attachments = [file("factura \"1\".pdf", "application/pdf", 20_000_000), file("b.png", "image/png", 3)]
        body = json.loads(shown(asked(mail).action.value.body))
        self.assertEqual(body["files"][0], {"name": 'factura "1".pdf', "type": "application/pdf", "data": "{attachment 0}"})
        self.assertEqual(body["files"][1]["data"], "{attachment 1}")

    def test_answers_become_outcomes(self):
        taken = outcome(
            answer(202, {"id": "m1", "refused": [{"address": "x@y.example", "code": "suppressed", "temporary": True}, 7]})
        )
        self.assertEqual(taken.value.references, ["m1"])
        self.assertEqual([(each.recipient, each.retry) for each in taken.value.refused], [("x@y.example", True)])
        self.assertIsInstance(outcome(answer(422, {"code": "mailbox_unknown"})), t.Outcome_RejectedRecipient)
        self.assertIsInstance(outcome(answer(403, {"code": "domain_not_verified"})), t.Outcome_RejectedSender)
        self.assertIsInstance(outcome(answer(400, {"code": ["?"]})), t.Outcome_RejectedContent)
        self.assertIsInstance(outcome(answer(202, b"[]")), t.Outcome_Unknown)
        self.assertIsInstance(outcome(no_answer(t.FailureKind.RESET, True)), t.Outcome_Unknown)

    def test_a_mail_without_a_sender_is_told(self):
        said = Delivery().deliver(context({}), MAIL).value
        self.assertEqual(said.value.code, "no-sender")

    def test_callbacks_are_believed_by_who_takes_them(self):
        class Believing(Delivery):
            def receive_callback(self, settings, context, callback):
                return received([receipt(callback.body.decode(), t.ReceiptState.DELIVERED)])

        self.assertIsInstance(Delivery().receive(GIVEN, callback(b"m1")), t.ReceiveStep_Refused)
        said = Believing().receive(GIVEN, callback(b"m1"))
        self.assertEqual((said.value.answer.status, said.value.events[0].value.reference), (200, "m1"))
        self.assertTrue(Believing().describe().features & t.Features.RECEIVE)
        self.assertFalse(Delivery().describe().features & t.Features.RECEIVE)

    def test_no_json_is_too_deep(self):
        nested = lambda depth: "[" * depth + "]" * depth
        self.assertIsNotNone(parsed(nested(100)))
        self.assertIsNone(parsed(nested(101)))
        self.assertIsNone(parsed(b"{" * 200))
        self.assertEqual(parsed(b"\xef\xbb\xbf[1]"), [1])
        self.assertIsNone(parsed(b"\xff"))
        self.assertEqual(parsed(json.dumps({"a\\\"": nested(200)})), {"a\\\"": nested(200)})
        self.assertEqual(len(parsed(json.dumps([{}] * 500))), 500)


if __name__ == "__main__":
    unittest.main()
