// What the close codes of docs/protocol.md mean for the person at the page.

/** Why the page has stopped for good. */
export interface Verdict {
  readonly kind: 'signin' | 'expired' | 'revoked' | 'token' | 'credential' | 'forbidden' | 'paused' | 'missing' | 'deleted' | 'full' | 'costly' | 'broken' | 'origin' | 'blocked'
  readonly title: string
  readonly text: string
}

/** Whether the board is there, as far as is known, and one may still see it. */
export function isThere (verdict: Verdict | null): boolean {
  return verdict === null || ['full', 'costly', 'broken', 'origin', 'blocked'].includes(verdict.kind)
}

/** What the page came with: the server's answer is about that. */
export type Sent = 'nothing' | 'token' | 'session' | 'link'

const VERDICTS: Record<Verdict['kind'], Omit<Verdict, 'kind'>> = {
  signin: {
    title: 'Sign in to open this board',
    text: 'Its address alone does not open the board. Sign in here, and you come back to it; or open a link that its owner has shared.'
  },
  expired: {
    title: 'Your sign-in has expired',
    text: 'It does not open the board any more. Sign in again here, and you come back to it.'
  },
  revoked: {
    title: 'You are signed out in this browser',
    text: 'The sign-in of this browser has ended, or was ended from another one. The board is where it was. Sign in again here, and you come back to it.'
  },
  token: {
    title: 'Your sign-in is not valid here',
    text: 'The server does not know the token, so it does not open the board. Sign in with another one here, and you come back to it.'
  },
  credential: {
    title: 'This link does not open the board any more',
    text: 'It has expired, was revoked, or is incomplete. Ask whoever gave it to you for a new one.'
  },
  forbidden: {
    title: 'You have no access to this board',
    text: 'Its owner has not shared it with you, or does so no longer.'
  },
  paused: {
    title: 'This key is paused',
    text: 'The owner of the board has stopped what acts by it for now. Nothing of yours is lost: reload the page once it may go on.'
  },
  missing: {
    title: 'There is no such board',
    text: 'Check the address, or ask whoever sent it to you.'
  },
  deleted: {
    title: 'This board was deleted',
    text: 'Its owner has deleted it for everybody.'
  },
  full: {
    title: 'This board is full',
    text: 'Your last changes are kept in this browser, but the server has no room for them on this board. ' +
      'Copy what matters to another board.'
  },
  costly: {
    title: 'The server does not take your last changes',
    text: 'Something among them costs it too much work; which one cannot be said. They are kept in this browser. ' +
      'Copy what matters to another board in parts, then discard the changes here, or the server will refuse them again.'
  },
  broken: {
    title: 'This page and the server do not understand each other',
    text: 'Your changes are kept in this browser. Reload the page; if that does not help, tell whoever runs this server.'
  },
  origin: {
    title: 'The server does not know the address of this page',
    text: 'It refuses the connection, since the page seems to be of another server. Tell whoever runs this one: the proxy in front of it ' +
      'must pass the Host on, or the server must be started with'
  },
  blocked: {
    title: 'The connection is cut on the way to the server',
    text: 'The server answers, but a WebSocket does not get through to it. Tell whoever runs it: the proxy in front of it must speak ' +
      'HTTP/1.1 and pass on Upgrade and Connection.'
  }
}

const CREDENTIAL = [4001, 4401]
const FORBIDDEN = [4003, 4403]
const ABSENT = [4004, 4404]
const REFUSED = [4013, 4413]
const BROKEN = [1002, 1003, 1007, 1009, 4400]

/** What a close says; null where the connection comes back by itself. `reason` is the auth message or the close reason. */
export function verdictOf (code: number, reason: string, sent: Sent = 'link'): Verdict | null {
  const kind = kindOf(code, reason, sent)
  return kind === null ? null : verdict(kind)
}

/** The verdict of this kind. */
export function verdict (kind: Verdict['kind']): Verdict {
  return { kind, ...VERDICTS[kind] }
}

/** The verdict for a refusal of the HTTP API; `code` is that of its problem. */
export function verdictOfStatus (status: number, code = '', sent: Sent = 'link'): Verdict | null {
  const codes: Record<number, number> = { 401: 4001, 403: 4003, 404: 4004, 410: 4004 }
  const close = codes[status]
  return close === undefined ? null : verdictOf(close, status === 410 ? 'deleted' : code, sent)
}

/** Why a WebSocket was refused that no close code told of: what the server says to the same address without an upgrade. */
export function verdictOfRefusal (status: number, code: string, sent: Sent): Verdict | null {
  if (code === 'origin_refused') return verdict('origin')
  // It would have taken the connection, or something else stands there and answers.
  const isElsewhere = code === 'unexpected_answer' && status < 500
  if (code === 'method_not_allowed' || code === 'upgrade_required' || isElsewhere) return verdict('blocked')
  return verdictOfStatus(status, code, sent)
}

function kindOf (code: number, reason: string, sent: Sent): Verdict['kind'] | null {
  if (CREDENTIAL.includes(code)) return sent === 'link' ? 'credential' : refusedCredential(reason, sent)
  if (FORBIDDEN.includes(code)) return reason.includes('agent_paused') ? 'paused' : 'forbidden'
  if (ABSENT.includes(code)) return reason.includes('deleted') ? 'deleted' : 'missing'
  if (REFUSED.includes(code)) return refusedFor(reason)
  return BROKEN.includes(code) ? 'broken' : null
}

// Of a link the server does not say whether it has expired or was revoked; a token only expires, or is none
// of its own. Of a session only its own time tells.
function refusedCredential (reason: string, sent: 'nothing' | 'token' | 'session'): Verdict['kind'] {
  if (sent === 'nothing') return 'signin'
  if (sent === 'session') return 'revoked'
  return reason.includes('expired') ? 'expired' : 'token'
}

// One code is for several refusals, so the server's words tell them apart; without them, a full board is the
// usual one.
function refusedFor (reason: string): Verdict['kind'] {
  if (reason.includes('too much work')) return 'costly'
  return reason.includes('message') ? 'broken' : 'full'
}
