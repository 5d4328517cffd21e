"""The fields of a Vonage SMS callback with a signature by Vonage's own library.

Input: a JSON object { secret, method, fields }. Output: the fields, `sig` among them.
"""

import json
import sys

from vonage_http_client import Auth

given = json.loads(sys.argv[1])
auth = Auth(
    api_key="abcd1234",
    api_secret="not-used-here",
    signature_secret=given["secret"],
    signature_method=given["method"],
)
fields = given["fields"]
sig = auth.sign_params(dict(fields))
assert auth.check_signature({**fields, "sig": sig}), "Vonage's library refuses its own"
print(json.dumps({**fields, "sig": sig}))
