"""dkimpy's verdict on a mail: {"mail": …, "records": {name: text}} on standard input, true or false on standard output."""

import json
import sys

import dkim

given = json.load(sys.stdin)


def lookup(name, timeout=5):
    record = given["records"].get(name.decode().rstrip("."))
    return record.encode() if record else None


print(json.dumps(dkim.verify(given["mail"].encode(), dnsfunc=lookup)))
