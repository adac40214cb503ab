// The board's copy in this browser: edits made offline outlive a reload. Where the browser keeps nothing (a
// private window, a full disk) the board works without.
import { count, transact } from 'lib0/indexeddb'
import { IndexeddbPersistence } from 'y-indexeddb'
import type * as Y from 'yjs'
import { scoped } from '../base'
import { deleteDatabase, hasDatabases } from '../browser'
import type { Credentials } from '../credentials'
import type { Level } from '../api'

/** How long the page waits for the browser's storage before it goes on without. */
const OPEN_MS_MAX = 3000

/** Two people at one computer must not see each other's copy, so its name holds who it is for. */
export function storageName (board: string, sub: string | null, credentials: Credentials): string {
  const secret = credentials.share ?? credentials.apiKey
  const who = sub !== null ? `user:${sub}` : secret !== undefined ? `link:${fingerprint(secret)}` : 'public'
  return `${scoped('boardwire')}:${board}:${who}`
}

/** What is kept beside the document. */
export interface Kept {
  readonly level: Level | null
  readonly title: string | null
  /** How many changes were not on the server. */
  readonly unsaved: number
}

const NOTHING: Kept = { level: null, title: null, unsaved: 0 }

/** One board's copy. */
export class BoardStorage {
  readonly #name: string
  readonly #doc: Y.Doc
  #persistence: IndexeddbPersistence | null = null
  #ended = false
  /** Whether the copy was read, so that what comes next is kept. */
  ready = false

  constructor (name: string, doc: Y.Doc) {
    this.#name = name
    this.#doc = doc
  }

  // The browser closes a database that another window removes. What y-indexeddb throws then would keep the
  // document from telling anybody else, the server first of all.
  #writeOrGoWithout (persistence: IndexeddbPersistence): void {
    const write = persistence._storeUpdate
    this.#doc.off('update', write)
    persistence._storeUpdate = (update, origin) => {
      try {
        write(update, origin)
      } catch {
        this.ready = false
      }
    }
    this.#doc.on('update', persistence._storeUpdate)
  }

  /** Whether this is the origin of what is read from the copy. */
  isOrigin (origin: unknown): boolean {
    return this.#persistence !== null && origin === this.#persistence
  }

  /** Reads the copy into the document. */
  async open (): Promise<Kept> {
    // y-indexeddb leaves a rejection behind where it may not open a database.
    if (!await Promise.race([hasDatabases(), later(OPEN_MS_MAX)]) || this.#ended) return NOTHING
    const persistence = this.#persistence = new IndexeddbPersistence(this.#name, this.#doc)
    // An unavailable storage is a state here, no error.
    persistence._db.catch(() => {})
    this.#writeOrGoWithout(persistence)
    const opened = persistence.whenSynced.then(() => true)
    const failed = persistence._db.then(async () => await new Promise<never>(() => {}), () => false)
    this.ready = await Promise.race([opened, failed, later(OPEN_MS_MAX)])
    const kept = this.ready ? await persistence.get('kept').catch(() => null) as Partial<Kept> | null : null
    return { ...NOTHING, ...kept }
  }

  /** Keeps what the page should know at once the next time. */
  keep (kept: Kept): void {
    if (this.ready) this.#persistence?.set('kept', kept as never).catch(() => {})
  }

  /** Resolves once everything that the document has told so far is written; false where nothing is kept. */
  async written (): Promise<boolean> {
    const db = this.#persistence?.db ?? null
    if (!this.ready || db === null) return false
    try {
      // Transactions on one object store run in order, so this one ends after every write before it.
      const [updates] = transact(db, ['updates'], 'readonly')
      if (updates !== undefined) await count(updates)
      return true
    } catch {
      return false
    }
  }

  /** Removes the copy. */
  async remove (): Promise<void> {
    this.ready = false
    await this.#persistence?.destroy().catch(() => {})
    deleteDatabase(this.#name)
  }

  destroy (): void {
    this.#ended = true
    this.ready = false
    this.#persistence?.destroy().catch(() => {})
  }
}

async function later (ms: number): Promise<false> {
  return await new Promise(resolve => setTimeout(() => resolve(false), ms))
}

// Tells secrets apart without keeping them: 53 bits of a hash that is not meant to be secure, of 256 random
// bits.
function fingerprint (secret: string): string {
  let [high, low] = [0xdeadbeef, 0x41c6ce57]
  for (const character of secret) {
    const code = character.codePointAt(0) ?? 0
    high = Math.imul(high ^ code, 2654435761)
    low = Math.imul(low ^ code, 1597334677)
  }
  return (2097151 & low).toString(36) + '-' + (high >>> 0).toString(36)
}
