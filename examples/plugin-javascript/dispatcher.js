// What every plugin does the same way: from two functions (the request for a message; the outcome of an answer) to the
// contract in wit/plugin.wit. Values here are those of the contract, named as componentize-js names them: camelCase, and
// a variant is { tag, val }.

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Bytes as a piece of a URL, header or body. */
export const text = (value) => ({ tag: 'bytes', val: encoder.encode(value) });

/** A secret by name, written in by the host. `escape`: raw, percent, json or base64. */
export const secret = (name, escape = 'raw') => ({ tag: 'secret', val: { name, escape } });

/** An attachment's bytes, written in by the host. `encoding`: raw, base64 or base64-mime. */
export const attachment = (index, encoding = 'base64') => ({ tag: 'attachment', val: { index, encoding } });

const pieces = (value) => (Array.isArray(value) ? value : [typeof value === 'string' ? text(value) : value]);

/** An HTTP request. `json` or `body` is what is sent; `bearer` and `basic` name secrets and hold none. */
export function request({ method = 'POST', url, headers = {}, json, body, bearer, basic, redirects = 0 }) {
  const all = { ...headers };
  if (json !== undefined) all['content-type'] = 'application/json';
  const content = json !== undefined ? [text(JSON.stringify(json))] : body === undefined ? [] : pieces(body);
  let credential = { tag: 'none' };
  if (bearer) credential = { tag: 'bearer', val: bearer };
  if (basic) credential = { tag: 'basic', val: basic };
  return {
    method,
    url: pieces(url),
    headers: Object.entries(all).map(([name, value]) => ({ name, value: pieces(value) })),
    credential,
    body: content,
    redirects,
  };
}

/** How an attempt ended, thrown or returned. Codes have at most 64 bytes and words 1024. */
const cut = (value, bytes) => decoder.decode(encoder.encode(String(value)).slice(0, bytes)).replace(/\uFFFD+$/, '');
const reason = (code, message) => ({ code: cut(code, 64), message: cut(message, 1024) });
const wait = (code, message, retryAfterMs) => ({
  reason: reason(code, message),
  retryAfterMs: retryAfterMs === undefined ? undefined : BigInt(Math.round(retryAfterMs)),
});

/** The provider took it: its id, or a list of them where it counts every part as a message. */
export const accepted = (reference, more = {}) => ({
  tag: 'accepted',
  val: {
    references: [reference ?? []].flat().filter(Boolean).slice(0, 64).map((each) => cut(each, 256)),
    state: undefined,
    parts: undefined,
    refused: [],
    ...more,
  },
});
/** Transient, and nothing was delivered. */
export const deferred = (code, message, afterMs) => ({ tag: 'deferred', val: wait(code, message, afterMs) });
/** The provider says that we are too fast. */
export const throttled = (code, message, afterMs) => ({ tag: 'throttled', val: wait(code, message, afterMs) });
/** A bad or opted-out recipient: final. */
export const rejectedRecipient = (code, message) => ({ tag: 'rejected-recipient', val: reason(code, message) });
/** Refused text, size or media: final. */
export const rejectedContent = (code, message) => ({ tag: 'rejected-content', val: reason(code, message) });
/** This sender may not send here: the next backend is tried. */
export const rejectedSender = (code, message) => ({ tag: 'rejected-sender', val: reason(code, message) });
/** Credentials, credit or configuration: the backend is taken out of service. */
export const rejectedAccount = (code, message) => ({ tag: 'rejected-account', val: reason(code, message) });
/** It may have been delivered. */
export const unknown = (code, message) => ({ tag: 'unknown', val: reason(code, message) });

/**
 * What a status means where the provider's own code is not known. A request that delivers nothing, such as one for a
 * token, leaves nothing unknown: its failure only means that the message waits.
 */
export function ofStatus(response) {
  const { status } = response;
  const message = `the provider answered ${status}: ${response.text().slice(0, 800)}`;
  const after = retryAfter(response.header('retry-after'));
  if ([408, 425, 503].includes(status)) return deferred(status, message, after);
  if (status === 429) return throttled(status, message, after);
  if ([401, 402, 403, 405, 407, 411, 426, 501, 505].includes(status)) return rejectedAccount(status, message);
  if (status >= 400 && status < 500) return rejectedContent(status, message);
  if (status >= 500) return response.delivers ? unknown(status, message) : deferred(status, message);
  return rejectedAccount(status, message);
}

// Seconds alone: a date would need a clock.
function retryAfter(value) {
  const seconds = Number(value);
  return value !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

function ofFailure({ kind, detail, mayHaveLeft }, delivers) {
  if (kind === 'refused') return rejectedAccount(kind, detail);
  return mayHaveLeft && delivers ? unknown(kind, detail) : deferred(kind, detail);
}

function responseOf({ status, headers, body }, delivers) {
  return {
    status,
    delivers,
    ok: status >= 200 && status < 300,
    header: (name) => headers.find((header) => header.name === name)?.value,
    text: () => decoder.decode(body),
    /** The body as JSON; undefined where it is not that. */
    json: () => parsed(decoder.decode(body)),
  };
}

/** JSON read; undefined where it is none. */
export function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** The key of a digest: the secret's text as it is, or `base64` (behind a prefix such as `whsec_`), or `hex`. */
export const key = (secret, encoding = 'text', prefix = '') => ({
  secret,
  encoding: encoding === 'base64' ? { tag: 'base64', val: prefix } : { tag: encoding },
});

/** The host name of an http(s) URL, without its port; undefined where it is none. */
export function hostOf(url) {
  return /^https?:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d+)?(?:[/?#]|$)/i.exec(url)?.[1].toLowerCase();
}

// Steps of an attempt: what `deliver` and `onReply` return, beside an outcome. The state comes back with the answer.

/** Ask this first; it delivers nothing. */
export const prepare = (asked, state = {}) => ask(asked, 'none', state);
/** Ask this; it may deliver the message. "May have been sent" is on the host's disk before it leaves. */
export const send = (asked, state = {}) => ask(asked, 'delivers', state);

// Steps of a callback or a lookup: these, or `prepare`.

/** The callback is genuine, and this is what it says: a list of `receipt` and `inbound`. */
export const received = (events, { status = 200, contentType, body = '' } = {}) => ({
  tag: 'received',
  val: { answer: { status, contentType, body: encoder.encode(body) }, events },
});
/** What became of a message: pending, delivered, undelivered, bounced or complained. */
export const receipt = (reference, state, { code, message, atMs, recipient, key } = {}) => ({
  tag: 'receipt',
  val: {
    reference: cut(reference, 256),
    key,
    recipient,
    state,
    reason: code === undefined ? undefined : reason(code, message ?? ''),
    atMs: atMs === undefined ? undefined : BigInt(atMs),
  },
});
/** A message to us: { id, channel, from, to, text, media }. */
export const inbound = (message) => ({ tag: 'inbound', val: { channel: 'sms', media: [], ...message } });
/** The callback is not to be believed. */
export const refused = (code, message) => ({ tag: 'refused', val: reason(code, message) });
/** The provider has the message, and this is the outcome. */
export const found = (outcome) => ({ tag: 'found', val: outcome });
/** The provider does not have it, for certain. */
export const absent = () => ({ tag: 'absent' });
/** Its list may not show it yet: it is asked again after so many milliseconds. */
export const notYet = (waitMs) => ({ tag: 'not-yet', val: BigInt(waitMs) });
/** The provider cannot tell. */
export const cannotTell = (code, message) => ({ tag: 'cannot-tell', val: reason(code, message) });

function ask(asked, effect, state) {
  // A request, or an action as the contract has it.
  const action = asked.tag ? asked : { tag: 'http', val: asked };
  return { tag: 'ask', val: { action, effect, state: encoder.encode(JSON.stringify({ effect, state })) } };
}

// One answer is what most plugins want; one to another kind of action, and none at all, are judged here.
function answered(given, bytes, reply, judge, conclude) {
  const { effect, state } = JSON.parse(decoder.decode(bytes));
  const delivers = effect === 'delivers';
  if (reply.tag === 'failed') return conclude(ofFailure(reply.val, delivers));
  const answer = reply.tag === 'http' ? responseOf(reply.val, delivers) : reply.val;
  return judge(contextOf(given), state, answer, reply.tag);
}

const contextOf = (context) => ({ ...context, settings: JSON.parse(context.settings) });
const isOutcome = ({ tag }) => tag !== 'ask';
const stepOf = (said) => (isOutcome(said) ? { tag: 'done', val: said } : said);
const unsupported = ['unsupported', 'this plugin does not do that'];
const reasonOf = (outcome) => outcome.val.reason ?? outcome.val;

/**
 * The contract.
 * - `about`: name, version, summary, channels, schema (an object), secrets ([{ name, summary, required }]), limits, and
 *   features where the provider honours the idempotency key ({ idempotency: true })
 * - `check(settings)`: { hosts, secrets?, relay?, session?, problems? }, a problem being { path, message }
 *
 * One request a message:
 * - `request(context, message)`: what `request` above makes, or an outcome
 * - `outcome(context, response)`: an outcome
 *
 * Several, instead:
 * - `deliver(context, message)` and `onReply(context, state, response)`: `prepare`, `send`, or an outcome
 *
 * On top, where the provider can:
 * - `receive(context, callback)`, `onReceiveReply(context, state, response)`: `received`, `refused` or `prepare`
 * - `receiveSmpp(context, delivery)`: the same, of what comes over the backend's SMPP session
 * - `lookup(context, message, attemptedAtMs)`, `onLookupReply(context, state, response)`: `found`, `absent`,
 *   `notYet`, `cannotTell` or `prepare`
 */
export function plugin({ about, check, request, outcome, ...more }) {
  const {
    deliver = (context, message) => {
      const asked = request(context, message);
      return asked.tag ? asked : send(asked);
    },
    onReply = (context, _state, response) => outcome(context, response),
    receive = () => refused(...unsupported),
    receiveSmpp = () => refused(...unsupported),
    onReceiveReply = () => refused(...unsupported),
    lookup = () => cannotTell(...unsupported),
    onLookupReply = () => cannotTell(...unsupported),
  } = more;
  return {
    describe: () => ({
      name: about.name,
      version: about.version,
      summary: about.summary,
      channels: about.channels,
      settingsSchema: JSON.stringify(about.schema),
      secrets: about.secrets ?? [],
      limits: { textMax: undefined, media: 'none', mediaMax: 0, mediaBytesMax: 0n, ...about.limits },
      features: { receive: 'receive' in more || 'receiveSmpp' in more, lookup: 'lookup' in more, idempotency: false, ...about.features },
    }),
    check(json) {
      const settings = parsed(json);
      if (settings === null || typeof settings !== 'object' || Array.isArray(settings)) {
        throw [{ path: '', message: 'settings are a table of names and values' }];
      }
      const { hosts = [], secrets = [], relay = false, session = false, problems = [] } = check(settings);
      if (problems.length > 0) throw problems;
      return { hosts, relay, session, secrets };
    },
    deliver: (context, message) => stepOf(deliver(contextOf(context), message)),
    onReply: (context, state, reply) =>
      answered(
        context,
        state,
        reply,
        (known, before, answer, kind) => {
          // The host answers what was asked; whoever asks for a mail or a short message reads what answers that.
          if (kind !== 'http' && !more.onReply) return stepOf(unknown('reply', 'no HTTP answer to an HTTP request'));
          return stepOf(onReply(known, before, answer));
        },
        stepOf,
      ),
    receive: (context, { tag, val }) =>
      tag === 'http' ? receive(contextOf(context), callbackOf(val)) : receiveSmpp(contextOf(context), val),
    onReceiveReply: (context, state, reply) =>
      answered(context, state, reply, onReceiveReply, (failed) => ({ tag: 'refused', val: reasonOf(failed) })),
    lookup: (context, { message, attemptedAtMs }) => lookup(contextOf(context), message, attemptedAtMs),
    onLookupReply: (context, state, reply) =>
      answered(context, state, reply, onLookupReply, (failed) => ({ tag: 'cannot-tell', val: reasonOf(failed) })),
  };
}

function callbackOf({ method, url, headers, body }) {
  const header = (name) => headers.find((each) => each.name === name)?.value;
  return { method, url, headers, body, header, text: () => decoder.decode(body) };
}
