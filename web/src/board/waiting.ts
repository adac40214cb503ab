// What was brought to a board and the server does not have yet: kept in this browser, beside the copy of the
// board, so that it outlives a reload. Where the browser keeps nothing, it is kept in memory.
import { count, del, get, openDB, put, queryFirst, transact } from 'lib0/indexeddb'
import { hasDatabases } from '../browser'

const STORE = 'assets'

/** How long the page waits for the browser's storage before it goes on without. */
const OPEN_MS_MAX = 3000

/** By hash, first come first. */
export class WaitingAssets {
  readonly #memory = new Map<string, Blob>()
  readonly #name: string
  #opening: Promise<IDBDatabase | null> | null = null
  #isClosed = false

  /** `board` is the name of the board's copy. */
  constructor (board: string) {
    this.#name = waitingName(board)
  }

  async add (sha256: string, blob: Blob): Promise<void> {
    this.#memory.set(sha256, blob)
    await this.#in('readwrite', store => put(store, { blob, at: Date.now() } as never, sha256))
  }

  async remove (sha256: string): Promise<void> {
    this.#memory.delete(sha256)
    await this.#in('readwrite', store => del(store, sha256))
  }

  async get (sha256: string): Promise<Blob | null> {
    const known = this.#memory.get(sha256)
    if (known !== undefined) return known
    const found = await this.#in('readonly', store => get(store, sha256)) as unknown as { blob?: Blob } | undefined
    return found?.blob ?? null
  }

  /** One of those that wait, those of this page first; null where none do. */
  async first (): Promise<{ readonly sha256: string, readonly blob: Blob } | null> {
    const [own] = this.#memory
    if (own !== undefined) return { sha256: own[0], blob: own[1] }
    const sha256 = await this.#in('readonly', store => queryFirst(store, null, 'next')) as unknown
    if (typeof sha256 !== 'string') return null
    const blob = await this.get(sha256)
    return blob === null ? null : { sha256, blob }
  }

  async count (): Promise<number> {
    const kept = await this.#in('readonly', store => count(store))
    return Math.max(this.#memory.size, kept ?? 0)
  }

  close (): void {
    this.#isClosed = true
    void this.#opening?.then(db => db?.close())
  }

  async #in<T> (mode: 'readonly' | 'readwrite', act: (store: IDBObjectStore) => Promise<T>): Promise<T | undefined> {
    try {
      this.#opening ??= this.#open()
      const db = await this.#opening
      if (db === null || this.#isClosed) return undefined
      const [store] = transact(db, [STORE], mode)
      return store === undefined ? undefined : await act(store)
    } catch {
      // A full disk, or another window that has removed it: then memory has to do.
      return undefined
    }
  }

  async #open (): Promise<IDBDatabase | null> {
    if (!await hasDatabases()) return null
    const late = new Promise<null>(resolve => setTimeout(() => resolve(null), OPEN_MS_MAX))
    const opened = openDB(this.#name, db => { db.createObjectStore(STORE) }).catch(() => null)
    return await Promise.race([opened, late])
  }
}

/** The name of what waits for a board, after that of its copy. */
export function waitingName (board: string): string {
  return board + ':assets'
}
