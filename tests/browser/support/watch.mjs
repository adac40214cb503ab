// What no page may ever do, in whatever test: print errors, throw, break its content security policy, or
// speak with anybody but the server that it came from.

// Messages of the browser itself that say what a test has done, and which no page can keep it from printing.
// Each may only be expected by name: see `expect`.
const KINDS = {
  // A request, or a WebSocket, to a server that a test has stopped or cut off.
  unreachable: /net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INTERNET_DISCONNECTED|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED|CONNECTION_CLOSED|FAILED|ABORTED)/,
  // A paste begins while a cut is still being written: a test presses keys faster than the clipboard of the
  // browser follows.
  hasty: /InvalidStateError: Clipboard data has changed/,
  // A sign-in is renewed while the first connection is still being opened.
  hurried: /WebSocket is closed before the connection is established/,
  // A header of ours that says nothing to a page over plain http.
  plain: /Cross-Origin-Opener-Policy header has been ignored, because the URL's origin was untrustworthy/,
  // The page goes where the operator sends people to sign in, or is in the page of somebody who embeds it.
  elsewhere: /^(request|content security policy).*: to another origin: http:\/\/127\.0\.0\.1:\d+\/(in\b|around|favicon)/,
  // Chromium prints each answer of 400 and above as an error: what a test of a refusal is about.
  refused: /the server responded with a status of (401|403|404|409|410|413|503)/
}

/** Watches every page of a context. */
export class Watch {
  #context
  #origin
  #hosts = []
  #found = []
  #expected = []

  constructor (context, origin) {
    this.#context = context
    this.#origin = new URL(origin)
  }

  async start () {
    const context = this.#context
    context.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning') this.note(`console ${message.type()}`, `${message.text()} (${message.location().url})`)
    })
    context.on('weberror', thrown => {
      const error = thrown.error()
      this.note('page error', `${error.name}: ${error.message} ${error.stack ?? ''} (${thrown.page()?.url()})`)
    })
    context.on('request', request => this.#reached('request', request.url()))
    context.on('page', page => {
      page.on('crash', () => this.note('crash', page.url()))
      page.on('websocket', socket => this.#reached('WebSocket', socket.url()))
    })
    await context.exposeBinding('boardwireViolation', (_, words) => this.note('content security policy', words))
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', event => {
        window.boardwireViolation(`${event.violatedDirective}: ${event.blockedURI} (${event.sourceFile}:${event.lineNumber})`)
      })
    })
  }

  /** From now on the browser itself may print that the server is `unreachable` or has `refused`, that the test is `hasty`, a renewal `hurried`, the way to the server `plain`, or a page `elsewhere`: the test makes it so. */
  expect (...kinds) {
    for (const kind of kinds) this.#expected.push(KINDS[kind])
  }

  /** A page of this origin is watched, too: one of somebody else that has a board in it. */
  allow (origin) {
    this.#hosts.push(new URL(origin).host)
  }

  /** Throws with everything that should not have been. */
  check () {
    const bad = this.#found.filter(words => !this.#expected.some(pattern => pattern.test(words)))
    if (bad.length > 0) throw new Error(`the page did what it must not do:\n  ${bad.slice(0, 20).join('\n  ')}`)
  }

  /** Forgets what was found: for the tests of the watch itself. */
  forgive () {
    this.#expected.push(/.*/)
  }

  #reached (what, address) {
    const { protocol, host } = new URL(address)
    // These stay within the browser.
    if (['data:', 'blob:', 'about:'].includes(protocol)) return
    if (host !== this.#origin.host && !this.#hosts.includes(host)) this.note(what, `to another origin: ${address}`)
  }

  /** Remembers that a page did something. */
  note (what, words) {
    this.#found.push(`${what}: ${words}`)
  }
}
