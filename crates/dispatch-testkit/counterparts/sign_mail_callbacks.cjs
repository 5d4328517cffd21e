// Callbacks of mail providers, signed as their vendors do it: Svix's own library signs Resend's. SendGrid's only verifies,
// so what is made here is first shown to it, and with one byte changed it must refuse it.
//
// Input: { bodies: { resend, sendgrid } }, bodies as text. Output: { time, resend, sendgrid }, each with its headers and
// with what must be known to believe it.
"use strict";
const crypto = require("node:crypto");
const { Webhook } = require("svix");
const { EventWebhook, EventWebhookHeader } = require("@sendgrid/eventwebhook");

const { bodies } = JSON.parse(process.argv[2]);
const now = new Date();
const time = Math.floor(now.getTime() / 1000);

function signResend() {
  const secret = `whsec_${crypto.randomBytes(24).toString("base64")}`;
  const webhook = new Webhook(secret);
  const headers = {
    "content-type": "application/json",
    "svix-id": "msg_2b1xyz",
    "svix-timestamp": String(time),
    "svix-signature": webhook.sign("msg_2b1xyz", now, bodies.resend),
  };
  webhook.verify(bodies.resend, headers);
  return { headers, secret };
}

function signSendgrid() {
  const { publicKey, privateKey } = crypto.generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const shown = publicKey.export({ format: "der", type: "spki" }).toString("base64");
  const timestamp = String(time);
  const signature = crypto.sign("sha256", Buffer.from(timestamp + bodies.sendgrid), privateKey).toString("base64");
  const library = new EventWebhook();
  const key = library.convertPublicKeyToECDSA(shown);
  if (!library.verifySignature(key, bodies.sendgrid, signature, timestamp)) {
    throw new Error("SendGrid's library refuses it");
  }
  if (library.verifySignature(key, `${bodies.sendgrid} `, signature, timestamp)) {
    throw new Error("SendGrid's library believes another body");
  }
  const headers = {
    "content-type": "application/json",
    [EventWebhookHeader.SIGNATURE().toLowerCase()]: signature,
    [EventWebhookHeader.TIMESTAMP().toLowerCase()]: timestamp,
  };
  return { headers, public_key: shown };
}

process.stdout.write(JSON.stringify({ time, resend: signResend(), sendgrid: signSendgrid() }));
