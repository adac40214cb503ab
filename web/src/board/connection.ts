// One board as this page holds it: the document, the server's connection, the browser's copy, and what is
// known of one's rights and of what is saved. It knows nothing of tldraw. React reads it through `subscribe`
// and `state`.
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { ApiProblem, createApi, type Api, type Level } from '../api'
import { serverAddress, under } from '../base'
import { deleteDatabase } from '../browser'
import { credentialParams, type Credentials } from '../credentials'
import { isAmbient, isOver, readSession, type Session } from '../session'
import { sendDocument } from './confirm'
import { identityOf, type Identity } from './identity'
import { firstPresence } from './presence'
import { Unsaved } from './saved'
import { BoardStorage, storageName } from './storage'
import { verdictOf, verdictOfRefusal, verdictOfStatus, type Sent, type Verdict } from './verdict'
import { waitingName } from './waiting'
import { listen } from './wire'

/** How the page stands with the server. */
export type Link = 'opening' | 'connected' | 'reconnecting' | 'offline'

/** What became of one's changes. `unknown`: the server was not heard yet. `refused`: one may only look. */
export type Saving = 'unknown' | 'saved' | 'saving' | 'waiting' | 'refused'

/** What the page shows. A new object whenever something changes. */
export interface ConnectionState {
  readonly link: Link
  /** The last known; null before that. */
  readonly level: Level | null
  readonly title: string | null
  readonly owner: string | null
  readonly saving: Saving
  /** How many changes are not saved, where that is known. */
  readonly waiting: number
  /** Why the page has stopped for good. */
  readonly verdict: Verdict | null
  /** Whether the board can be shown: from the browser's copy, or from the server. */
  readonly open: boolean
  /** Whether there is anything to show: a copy, or the server's state. */
  readonly loaded: boolean
  /** Whether this browser keeps nothing of the board. */
  readonly fleeting?: boolean
  /** Whether the sign-in ended while the board was open: one goes on drawing, and it is sent once one is signed in again. */
  readonly lapsed?: boolean
}

const STARTING: ConnectionState = {
  link: 'opening', level: null, title: null, owner: null, saving: 'unknown', waiting: 0, verdict: null, open: false, loaded: false
}

/** After how many attempts in vain the page says "offline" rather than "reconnecting". */
const ATTEMPTS_UNTIL_OFFLINE = 4

/** How long nothing may be confirmed before the page asks over HTTP, which answers once it is durable. */
const CONFIRM_AFTER_MS = 5_000

/** Opens at construction, until `destroy`. */
export class BoardConnection {
  readonly id: string
  readonly identity: Identity
  /** What this browser's copy is called. */
  readonly storageName: string
  readonly doc = new Y.Doc()
  readonly provider: WebsocketProvider
  session: Session
  api: Api
  #credentials: Credentials
  readonly #storage: BoardStorage
  readonly #unsaved: Unsaved
  readonly #listeners = new Set<() => void>()
  readonly #life = new AbortController()
  #state = STARTING
  #asked = false
  #synced = false
  #keptUnsaved = 0
  #refused = false
  #reason = ''
  #heardAt = 0
  #stored = 0
  #made = 0
  #awaiting = false
  #grants = 0
  #asking = false
  #answeredInVain = 0
  #confirming: ReturnType<typeof setTimeout> | null = null
  /** Whether the document held anything before the server's state came. */
  hadCopy = false

  /** `session` is who one is; where it is left out, the token says it. */
  constructor (id: string, credentials: Credentials, session = readSession(credentials.token)) {
    this.id = id
    this.#credentials = credentials
    this.session = session
    this.identity = identityOf(this.session)
    this.api = createApi(credentials)
    this.storageName = storageName(id, this.session.sub, credentials)
    this.#storage = new BoardStorage(this.storageName, this.doc)
    this.provider = new WebsocketProvider(serverUrl(), id, this.doc, {
      connect: false,
      params: credentialParams(credentials),
      // Tabs would exchange changes past the server, also those of people who may not see the board any more.
      disableBc: true,
      shouldReconnect: event => verdictOf(event.code, event.reason) === null
    })
    this.provider.awareness.setLocalState({ ...firstPresence(this.identity) })
    this.#unsaved = new Unsaved(this.doc, transaction => this.#isOwn(transaction), () => this.#unsavedChanged())
    this.#listenToProvider()
    this.#listenToPage()
    void this.#open()
  }

  /** What is shown now. */
  get state (): ConnectionState {
    return this.#state
  }

  /** Calls back after every change of the state. Returns how to stop it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  readonly snapshot = (): ConnectionState => this.#state

  /** Whether one's changes go to the server. */
  get writable (): boolean {
    return this.#state.level === 'edit' && this.#state.verdict === null
  }

  /** Whether a transaction brings what happened while one was away. */
  isReturn (transaction: Y.Transaction): boolean {
    return transaction.origin === this.provider && !this.provider.synced && this.hadCopy
  }

  /** Notes which records one's last changes were about. */
  noteChanged (ids: readonly string[]): void {
    this.#unsaved.name(ids)
  }

  /** Gives the board another title. */
  async rename (title: string | null): Promise<void> {
    const board = await this.api.renameBoard(this.id, title)
    this.#set({ title: board.title })
  }

  /** Removes this browser's copy, with whatever the server does not have, and starts again. */
  async discard (): Promise<void> {
    this.provider.disconnect()
    this.#made = this.#stored
    await this.#storage.remove()
    deleteDatabase(waitingName(this.storageName))
    location.reload()
  }

  /** Goes on with another sign-in of the same person, on a new connection: the document and what can be undone stay. */
  renew (credentials: Credentials, session: Session): void {
    this.#credentials = credentials
    this.session = session
    this.api = createApi(credentials)
    this.#reason = ''
    this.provider.params = credentialParams(credentials)
    this.provider.disconnect()
    this.#set({ verdict: null, lapsed: false })
    this.provider.connect()
    this.#set({ link: this.#linkNow(), ...this.#savingNow() })
  }

  /** Takes another name, for who has none from the server. */
  callMe (name: string): void {
    this.identity.name = name
    this.provider.awareness.setLocalStateField('user', firstPresence(this.identity).user)
  }

  /** Ends all of it. */
  destroy (): void {
    this.#life.abort()
    if (this.#confirming !== null) clearTimeout(this.#confirming)
    this.provider.destroy()
    this.#unsaved.destroy()
    this.#storage.destroy()
    this.doc.destroy()
  }

  async #open (): Promise<void> {
    const kept = await this.#storage.open()
    if (this.#life.signal.aborted) return
    const hasCopy = this.doc.store.clients.size > 0
    this.#keptUnsaved = hasCopy ? kept.unsaved : 0
    this.#set({ level: kept.level, title: kept.title, open: true, loaded: hasCopy, fleeting: !this.#storage.ready, ...this.#savingNow() })
    this.provider.connect()
  }

  // What comes out of the copy later, from a slow storage or another window, is sent on like one's own
  // changes.
  #isOwn (transaction: Y.Transaction): boolean {
    return transaction.origin !== this.provider && (!this.#storage.isOrigin(transaction.origin) || this.#state.open)
  }

  #listenToProvider (): void {
    const { provider } = this
    listen(provider, {
      step1: stateVector => {
        this.#asked = true
        this.#grants++
        this.#refused = false
        this.#unsaved.serverHas(stateVector)
        this.#set({ level: 'edit', ...this.#savingNow() })
      },
      step2: update => {
        this.hadCopy = this.doc.store.clients.size > 0
        if (this.#asked) this.#unsaved.serverDeleted(update)
      },
      update: update => {
        const { isEcho, isKnown } = this.#unsaved.received(update)
        if (isEcho) this.#heardAt = Date.now()
        return isKnown
      },
      denied: reason => {
        this.#reason = reason
        if (provider.synced) this.#demoted()
      }
    })
    provider.on('status', ({ status }) => {
      if (status === 'connected') this.#asked = false
      if (status !== 'connecting') this.#set({ link: this.#linkNow(), ...this.#savingNow() })
    })
    provider.on('sync', synced => {
      if (synced) this.#cameInSync()
    })
    provider.on('connection-close', event => this.#closed(event))
    provider.on('closed', ({ code, reason }) => this.#ended(verdictOf(code, reason || this.#reason, this.#sent)))
  }

  #cameInSync (): void {
    this.#synced = true
    // The server may have had those changes when it was asked, and not on its disk yet.
    if (this.#asked && this.#keptUnsaved > 0) void this.#confirm()
    // The server asks editors what they have before it answers; who was not asked may only look.
    const level = this.#asked ? 'edit' : this.#state.level === 'comment' ? 'comment' : 'view'
    this.#set({ link: 'connected', level, loaded: true, ...this.#savingNow() })
    void this.#askLevel()
  }

  #closed (event: CloseEvent | null): void {
    this.#set({ link: this.#linkNow(), ...this.#savingNow() })
    // A browser does not see why an upgrade was answered with plain HTTP; the API says it.
    if (event?.code === 1006 && this.provider.wsUnsuccessfulReconnects >= 2) void this.#askWhyNotOpen()
  }

  // The server may have been away for one attempt, and be back for the question after it. Where it has
  // answered twice and still no WebSocket opens, something is wrong with the way there.
  async #askWhyNotOpen (): Promise<void> {
    if (this.#synced || this.#state.verdict !== null || this.#asking) return
    this.#asking = true
    if (await this.#askLevel()) this.#answeredInVain++
    if (this.#answeredInVain >= 2 && !this.#synced && this.#state.verdict === null) {
      this.#answeredInVain = 0
      const problem = await this.api.whyNotOpen(this.id, this.#life.signal).catch(() => null)
      const isStill = problem !== null && !this.#synced && !this.provider.wsconnected
      if (isStill) this.#ended(verdictOfRefusal(problem.status, problem.code, this.#sent))
    }
    this.#asking = false
  }

  get #sent (): Sent {
    const { token, share, apiKey } = this.#credentials
    if ((share ?? apiKey) !== undefined) return 'link'
    return token !== undefined ? 'token' : isAmbient(this.session) || this.session.by === 'lapsed' ? 'session' : 'nothing'
  }

  // The level is lower than this page thought. What was refused stays in this browser only.
  #demoted (): void {
    this.#refused = true
    this.#asked = false
    this.#set({ level: 'view', ...this.#savingNow() })
    void this.#askLevel()
  }

  #ended (verdict: Verdict | null): void {
    if (verdict === null) return
    this.provider.disconnect()
    // What is drawn on goes nowhere before one is signed in again; the same person may come back.
    if (this.#synced && (verdict.kind === 'expired' || (verdict.kind === 'revoked' && isOver(this.session)))) {
      this.#set({ lapsed: true, link: 'offline', ...this.#savingNow() })
      return
    }
    // What the server does not have stays, and is sent should one get back in.
    const isShut = verdict.kind === 'forbidden' || verdict.kind === 'deleted'
    if (isShut && !this.#hasUnsaved) void this.#storage.remove()
    this.#set({ verdict, link: 'offline', open: true })
    this.#set(this.#savingNow())
  }

  // Whether the server has answered: also that there is no such board, which the connection makes.
  async #askLevel (): Promise<boolean> {
    const grants = this.#grants
    try {
      const board = await this.api.readBoard(this.id, this.#life.signal)
      // Only the connection says that one may edit; an answer from before it said so is too old.
      const isLower = board.level !== 'edit' && grants === this.#grants
      if (isLower) this.#asked = false
      const level = isLower ? board.level : this.#state.level
      this.#set({ level, title: board.title, owner: board.owner, ...this.#savingNow() })
      return true
    } catch (problem) {
      if (!(problem instanceof ApiProblem) || this.#synced) return false
      // A proxy that answers 5xx in its place says that the server is away.
      if (problem.code === 'unexpected_answer') return problem.status < 500
      if (problem.code === 'no_such_board') return true
      this.#ended(verdictOfStatus(problem.status, problem.code, this.#sent))
      return false
    }
  }

  #linkNow (): Link {
    if (this.provider.wsconnected) return this.#synced ? 'connected' : 'opening'
    const inVain = this.provider.wsUnsuccessfulReconnects >= ATTEMPTS_UNTIL_OFFLINE
    if (!navigator.onLine || inVain || this.#isStopped) return 'offline'
    return this.#synced ? 'reconnecting' : 'opening'
  }

  /** Whether the page comes back by itself no more. */
  get #isStopped (): boolean {
    return this.#state.verdict !== null || this.#state.lapsed === true
  }

  /** Of this visit, or of an earlier one. */
  get #hasUnsaved (): boolean {
    return !this.#unsaved.isEmpty || this.#keptUnsaved > 0
  }

  #savingNow (): Pick<ConnectionState, 'saving' | 'waiting'> {
    if (!this.#hasUnsaved) return { saving: this.#synced ? 'saved' : 'unknown', waiting: 0 }
    const waiting = Math.max(this.#unsaved.count + this.#keptUnsaved, 1)
    const mayOnlyLook = this.provider.synced && !this.#asked
    if (this.#refused || mayOnlyLook || this.#state.verdict !== null) return { saving: 'refused', waiting }
    return { saving: this.provider.wsconnected ? 'saving' : 'waiting', waiting }
  }

  #unsavedChanged (): void {
    this.#set(this.#savingNow())
    if (this.#unsaved.isEmpty) return
    void this.#awaitStorage()
    this.#confirming ??= setTimeout(() => { void this.#confirm() }, CONFIRM_AFTER_MS)
  }

  // Echoes are missed where a connection broke, and not sent where the server is told not to.
  async #confirm (): Promise<void> {
    if (this.#confirming !== null) clearTimeout(this.#confirming)
    this.#confirming = null
    const isQuiet = Date.now() - this.#heardAt >= CONFIRM_AFTER_MS
    if (this.#hasUnsaved && isQuiet && this.provider.synced && this.writable) {
      const { update, confirmed } = this.#unsaved.again()
      if (await sendDocument(this.id, this.#credentials, update, this.#life.signal)) {
        this.#keptUnsaved = 0
        confirmed()
      }
    }
    if (this.#hasUnsaved && !this.#life.signal.aborted) {
      this.#confirming ??= setTimeout(() => { void this.#confirm() }, CONFIRM_AFTER_MS)
    }
  }

  // One question at a time: changes come with every frame.
  async #awaitStorage (): Promise<void> {
    this.#made++
    if (this.#awaiting) return
    this.#awaiting = true
    while (this.#stored < this.#made) {
      const made = this.#made
      if (!await this.#storage.written()) break
      this.#stored = made
    }
    this.#awaiting = false
  }

  #listenToPage (): void {
    const { signal } = this.#life
    addEventListener('offline', () => { void this.#lookForServer() }, { signal })
    addEventListener('online', () => {
      if (!this.#isStopped && this.provider.ws === null && this.#state.open) this.provider.connect()
    }, { signal })
    addEventListener('beforeunload', event => {
      if (!this.#unsaved.isEmpty && this.#stored < this.#made) event.preventDefault()
    }, { signal })
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && this.provider.synced) void this.#askLevel()
    }, { signal })
  }

  // The browser says that it is offline. A server on this machine may be there all the same; any other is
  // gone, and the provider would notice after 30 seconds only.
  async #lookForServer (): Promise<void> {
    const answer = await fetch(under('/health'), { cache: 'no-store', signal: AbortSignal.timeout(2000) }).catch(() => null)
    if (answer !== null || this.#life.signal.aborted || this.#isStopped) return
    this.provider.disconnect()
    this.provider.connect()
  }

  #set (change: Partial<ConnectionState>): void {
    const next = { ...this.#state, ...change }
    const isSame = (Object.keys(next) as Array<keyof ConnectionState>).every(name => next[name] === this.#state[name])
    if (isSame) return
    const { level, title, waiting } = this.#state
    this.#state = next
    if (level !== next.level || title !== next.title || waiting !== next.waiting) {
      this.#storage.keep({ level: next.level, title: next.title, unsaved: next.waiting })
    }
    for (const listener of this.#listeners) listener()
  }
}

function serverUrl (): string {
  return serverAddress().replace(/^http/, 'ws') + '/ws/canvas'
}
