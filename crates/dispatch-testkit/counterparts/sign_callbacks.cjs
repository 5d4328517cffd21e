// Callbacks signed as their vendors do it, by the vendors' own libraries: Twilio's makes the signature; Telnyx's and
// Vonage's only verify, so what is made here is first shown to them, and with one byte changed they must refuse it.
//
// Input: { url, secret, bodies: { twilio, telnyx, vonage } }, bodies as text. Output: { time, twilio, telnyx, vonage }.
"use strict";
const crypto = require("node:crypto");
const twilio = require("twilio");
const { TelnyxWebhook } = require("telnyx/lib/webhooks");
const { verifySignature } = require("@vonage/jwt");
const jsonwebtoken = require("jsonwebtoken");

const { url, secret, bodies } = JSON.parse(process.argv[2]);
const time = Math.floor(Date.now() / 1000);

/** One byte changed, in the middle. */
function changed(text) {
  const at = Math.floor(text.length / 2);
  return text.slice(0, at) + (text[at] === "x" ? "y" : "x") + text.slice(at + 1);
}

function signTwilio() {
  const fields = Object.fromEntries(new URLSearchParams(bodies.twilio));
  const signature = twilio.getExpectedTwilioSignature(secret, url, fields);
  if (!twilio.validateRequest(secret, signature, url, fields)) throw new Error("Twilio's library refuses its own");
  return { headers: { "content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature } };
}

async function signTelnyx() {
  const { publicKey, privateKey } = crypto.generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("base64");
  const signature = crypto.sign(null, Buffer.from(`${time}|${bodies.telnyx}`), privateKey).toString("base64");
  const headers = {
    "content-type": "application/json",
    "telnyx-signature-ed25519": signature,
    "telnyx-timestamp": String(time),
  };
  const library = new TelnyxWebhook(raw);
  await library.verify(bodies.telnyx, headers);
  const fooled = await library.verify(changed(bodies.telnyx), headers).then(() => true, () => false);
  if (fooled) throw new Error("Telnyx's library believes another body");
  return { headers, public_key: raw };
}

function signVonage() {
  const payload_hash = crypto.createHash("sha256").update(bodies.vonage).digest("hex");
  const claims = { iat: time, jti: crypto.randomUUID(), iss: "Vonage", payload_hash, api_key: "abcd1234" };
  const token = jsonwebtoken.sign(claims, secret, { algorithm: "HS256" });
  if (!verifySignature(token, secret)) throw new Error("Vonage's library refuses it");
  if (verifySignature(token, `${secret}x`)) throw new Error("Vonage's library believes another secret");
  return { headers: { "content-type": "application/json", authorization: `Bearer ${token}` } };
}

(async () => {
  const signed = { time, twilio: signTwilio(), telnyx: await signTelnyx(), vonage: signVonage() };
  process.stdout.write(JSON.stringify(signed));
})().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});
