// SMS by Nube, a provider that confirms by signed webhooks and can be asked what became of a request.
//
//   POST /v1/sms  { to, from, text, reference, callback }   202 { "id": "…", "status": "queued", "parts": 1 }
//   errors                                                  4xx { "error": { "code": "invalid_number", "detail": "…" } }
//   GET  /v1/sms?reference=KEY                              200 { "id": "…", "status": "…" }, or 404
//   webhooks      { "events": [ { "type": "status", "id": "…", "status": "delivered" } ] },
//                 with X-Nube-Signature: the HMAC-SHA256 of the body, as hex
import { verify } from 'dispatcher:plugin/secrets@1.0.0';
import {
  absent,
  accepted,
  cannotTell,
  found,
  hostOf,
  inbound,
  key,
  ofStatus,
  parsed,
  plugin,
  prepare,
  receipt,
  received,
  refused,
  rejectedAccount,
  rejectedContent,
  rejectedRecipient,
  rejectedSender,
  request,
  unknown,
} from './dispatcher.js';

// What Nube's own codes mean. A code that is not here is judged by its status.
const CODES = {
  invalid_number: rejectedRecipient,
  opted_out: rejectedRecipient,
  text_refused: rejectedContent,
  sender_not_registered: rejectedSender,
  no_credit: rejectedAccount,
  account_closed: rejectedAccount,
};

// What Nube's later words mean.
const STATES = { queued: 'pending', sent: 'pending', delivered: 'delivered', failed: 'undelivered' };

const base = ({ settings }) => settings.base_url ?? 'https://api.nube.example';

function taken(answer) {
  const { id, status, parts } = answer ?? {};
  if (typeof id !== 'string') return unknown('unreadable', 'the answer has no id');
  return accepted(id, {
    state: typeof status === 'string' ? status.slice(0, 64) : undefined,
    parts: Number.isInteger(parts) && parts > 0 && parts < 1000 ? parts : undefined,
  });
}

function outcome(_context, response) {
  if (response.ok) return taken(response.json());
  const { code, detail } = response.json()?.error ?? {};
  const judge = Object.hasOwn(CODES, code) ? CODES[code] : undefined;
  return judge ? judge(code, detail ?? 'no words') : ofStatus(response);
}

function eventOf(event) {
  const { type, id, status, code, detail, from, to, text } = event ?? {};
  if (typeof id !== 'string') return undefined;
  if (type === 'status' && Object.hasOwn(STATES, status)) return receipt(id, STATES[status], { code, message: detail });
  if (type === 'reply') return inbound({ id, from: `${from}`, to: `${to}`, text: `${text}` });
  return undefined;
}

export const delivery = plugin({
  about: {
    name: 'nube-sms',
    version: '1.0.0',
    summary: 'SMS by Nube, with receipts.',
    channels: ['sms'],
    secrets: [
      { name: 'api_key', summary: 'The API key, under Settings > Developers', required: true },
      { name: 'signing_key', summary: 'The key of the webhook, beside its address', required: false },
    ],
    features: { idempotency: true },
    schema: {
      type: 'object',
      additionalProperties: false,
      required: ['from'],
      properties: {
        from: { type: 'string', pattern: '^\\+[0-9]{7,15}$', description: 'The number to send from.' },
        base_url: { type: 'string', description: 'Where the API is, if not at api.nube.example.' },
      },
      examples: [{ from: '+525598765432' }],
    },
  },

  check(settings) {
    const host = hostOf(base({ settings }));
    const problems = [];
    if (!host) problems.push({ path: 'base_url', message: 'not a URL; write it like https://api.nube.example' });
    if (!/^\+/.test(settings.from)) problems.push({ path: 'from', message: 'write the number with its country: +52…' });
    return { hosts: host ? [host] : [], problems };
  },

  request: (context, { to, text }) =>
    request({
      url: `${base(context)}/v1/sms`,
      bearer: 'api_key',
      json: {
        to: to[0],
        from: context.settings.from,
        text: text ?? '',
        // Nube takes one reference once: a repeated request is answered, and nothing is sent twice.
        reference: context.idempotencyKey,
        callback: context.callbackUrl,
      },
    }),

  outcome,

  receive(_context, callback) {
    const signature = /^[0-9a-f]{64}$/.exec(callback.header('x-nube-signature') ?? '');
    if (!signature) return refused('unsigned', 'no X-Nube-Signature of 64 hex digits');
    const digest = Uint8Array.from(signature[0].match(/../g), (hex) => parseInt(hex, 16));
    if (!verified(callback.body, digest)) return refused('forged', 'the signature is not ours');
    const { events } = parsed(callback.text()) ?? {};
    if (!Array.isArray(events)) return refused('unreadable', 'no list of events');
    return received(events.slice(0, 10000).map(eventOf).filter(Boolean));
  },

  lookup: (context) =>
    prepare(
      request({
        method: 'GET',
        url: `${base(context)}/v1/sms?reference=${encodeURIComponent(context.idempotencyKey)}`,
        bearer: 'api_key',
      }),
    ),

  onLookupReply(_context, _state, response) {
    if (response.status === 404) return absent();
    if (!response.ok) return cannotTell(`${response.status}`, 'Nube does not say');
    const outcome = taken(response.json());
    return outcome.tag === 'accepted' ? found(outcome) : cannotTell('unreadable', 'the answer has no id');
  },
});

// A backend without `signing_key` believes nothing.
function verified(body, digest) {
  try {
    return verify(key('signing_key'), 'hmac-sha256', body, digest);
  } catch {
    return false;
  }
}
