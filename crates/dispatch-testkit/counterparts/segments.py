"""smpplib's parts: a JSON list of texts on standard input, their encoding and parts on standard output."""

import json
import sys

from smpplib import consts, gsm

NAMES = {consts.SMPP_ENCODING_DEFAULT: "GSM-7", consts.SMPP_ENCODING_ISO10646: "UCS-2"}


def told(text):
    parts, encoding, _ = gsm.make_parts(text)
    return {"encoding": NAMES[encoding], "parts": len(parts)}


print(json.dumps([told(text) for text in json.load(sys.stdin)]))
