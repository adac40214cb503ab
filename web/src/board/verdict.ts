// What the close codes of docs/protocol.md mean for the person at the page.

/** Why the page has stopped for good. */
export interface Verdict {
  readonly kind: 'credential' | 'forbidden' | 'missing' | 'deleted' | 'full' | 'costly' | 'broken'
  readonly title: string
  readonly text: string
}

const VERDICTS: Record<Verdict['kind'], Omit<Verdict, 'kind'>> = {
  credential: {
    title: 'This link does not open the board any more',
    text: 'It has expired, was revoked, or is incomplete. Ask whoever gave it to you for a new one.'
  },
  forbidden: {
    title: 'You have no access to this board',
    text: 'Its owner has not shared it with you, or does so no longer.'
  },
  missing: {
    title: 'There is no such board',
    text: 'Check the address, or ask whoever sent it to you.'
  },
  deleted: {
    title: 'This board was deleted',
    text: 'Its owner has deleted it for everybody. It cannot be brought back.'
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
  }
}

const CREDENTIAL = [4001, 4401]
const FORBIDDEN = [4003, 4403]
const ABSENT = [4004, 4404]
const REFUSED = [4013, 4413]
const BROKEN = [1002, 1003, 1007, 1009, 4400]

/** What a close says; null where the connection comes back by itself. `reason` is the auth message or the close reason. */
export function verdictOf (code: number, reason: string): Verdict | null {
  const kind = kindOf(code, reason)
  return kind === null ? null : { kind, ...VERDICTS[kind] }
}

/** The verdict for an answer of the HTTP API. */
export function verdictOfStatus (status: number): Verdict | null {
  const codes: Record<number, number> = { 401: 4001, 403: 4003, 404: 4004, 410: 4004 }
  const code = codes[status]
  return code === undefined ? null : verdictOf(code, status === 410 ? 'deleted' : '')
}

function kindOf (code: number, reason: string): Verdict['kind'] | null {
  if (CREDENTIAL.includes(code)) return 'credential'
  if (FORBIDDEN.includes(code)) return 'forbidden'
  if (ABSENT.includes(code)) return reason.includes('deleted') ? 'deleted' : 'missing'
  if (REFUSED.includes(code)) return refusedFor(reason)
  return BROKEN.includes(code) ? 'broken' : null
}

// One code is for several refusals, so the server's words tell them apart; without them, a full board is the usual one.
function refusedFor (reason: string): Verdict['kind'] {
  if (reason.includes('too much work')) return 'costly'
  return reason.includes('message') ? 'broken' : 'full'
}
