// Pictures and films of a board: beside its document, on the server. What is brought is shown here at once,
// waits in this browser until the server has it, and is then told to the others. Nothing of a sign-in goes
// into an address of a picture: its bytes are asked for as everything else is, and shown from memory.
import { atom, type Atom, type Editor, type TLAsset, type TLAssetId, type TLAssetStore } from 'tldraw'
import { ApiProblem } from '../api'
import { hashOf } from '../browser'
import { assetAddress, srcOf, type AssetAddress } from './assetAddress'
import type { BoardConnection } from './connection'
import { isLocal } from './external'
import { readAsDataUrl } from './files'
import { scaledDown } from './scale'
import type { Signals } from './signals'
import { WaitingAssets } from './waiting'

/** Larger files are not even read. What is larger than the server takes after it was scaled down, the server refuses. */
export const FILE_BYTES_MAX = 64 * 1024 * 1024

/** How long after a failure that may pass it is tried again. */
const AGAIN_MS = 5_000

/**
 * After which times a picture is looked for that the server does not have (yet): who brings it may be offline. Its record is
 * changed when it is there, so this is for where that was lost.
 */
const LOOK_AGAIN_MS = [60_000, 300_000] as const

/** Problems that pass by themselves, or when somebody signs in: what waits is kept. */
const PASSING = new Set([0, 401, 403, 408, 429, 500, 502, 503, 504])

/** Why the server does not take something, by the code of its problem. */
const REFUSALS: Readonly<Record<string, string>> = {
  assets_full: 'The board has no room for more pictures and films. Delete some; their room is free 30 days later.',
  body_too_large: 'The file is larger than this server takes.',
  picture_too_large: 'It has too many pixels. Make it smaller and try again.',
  unsupported_asset: 'The file is no picture or film that can be shown here.'
}

/** For the store of one board. */
export class BoardAssets implements TLAssetStore {
  readonly #connection: BoardConnection
  readonly #signals: Signals
  readonly #waiting: WaitingAssets
  /** What is shown from memory, by its hash. */
  readonly #urls = new Map<string, Promise<string>>()
  /** Read where a picture is looked for, and changed where that is worth trying again. */
  readonly #tries = new Map<string, { readonly count: Atom<number>, timers: number }>()
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  readonly #life = new AbortController()
  #editor: Editor | null = null
  #isSending = false

  constructor (connection: BoardConnection, signals: Signals) {
    this.#connection = connection
    this.#signals = signals
    this.#waiting = new WaitingAssets(connection.storageName)
  }

  /** Takes a file in: it is there for this page when this resolves, and for others when the server has it. */
  upload: TLAssetStore['upload'] = async (_, file) => {
    try {
      const blob = await scaledDown(file)
      const sha256 = hashOf(new Uint8Array(await blob.arrayBuffer()))
      this.#urls.set(sha256, urlOf(blob))
      await this.#waiting.add(sha256, blob)
      void this.#send()
      return { src: srcOf(this.#connection.id, sha256), meta: { waiting: true } }
    } catch (cause) {
      this.#signals.notice.set({ text: 'This file could not be read as a picture or film.', isBad: true })
      throw cause
    }
  }

  /** Where an asset is shown from; null for what is on other servers, or not there. */
  resolve = async (asset: TLAsset): Promise<string | null> => {
    const { src } = asset.props
    if (src === null || !isLocal(src)) return null
    const address = assetAddress(src)
    if (address === null) return src
    // Read before anything is waited for: so tldraw asks again when it changes.
    const tried = this.#tryOf(address.sha256)
    tried.count.get()
    if (asset.meta['waiting'] === true && tried.timers === 0 && !await this.#isHere(address.sha256)) {
      this.#lookAgain(address.sha256)
      return null
    }
    return await this.#urlFor(address)
  }

  /** Begins to send what waits, now and whenever the server is there. Returns how to end. */
  open (editor: Editor): () => void {
    this.#editor = editor
    let wasConnected = false
    const follow = (): void => {
      const isConnected = this.#connection.state.link === 'connected'
      if (isConnected && !wasConnected) {
        for (const sha256 of this.#tries.keys()) if (!this.#urls.has(sha256)) this.#again(sha256)
        void this.#send()
      }
      wasConnected = isConnected
      void this.#tell()
    }
    const stop = this.#connection.subscribe(follow)
    follow()
    return () => {
      stop()
      this.#life.abort()
      this.#editor = null
      for (const timer of this.#timers) clearTimeout(timer)
      for (const url of this.#urls.values()) void url.then(revoke, () => {})
      this.#waiting.close()
      this.#signals.uploads.set(null)
    }
  }

  /** Brings bytes that the document has, or another board; the address under which they are then. */
  async bring (blob: Blob): Promise<string> {
    const { sha256 } = await this.#connection.api.uploadAsset(this.#connection.id, blob, () => {}, this.#life.signal)
    return srcOf(this.#connection.id, sha256)
  }

  /**
   * The bytes under an address. A copy of a board names the board that it came from, which may be gone, or closed to who is
   * here; this board is asked first.
   */
  async read ({ board, sha256 }: AssetAddress): Promise<Blob> {
    const waiting = await this.#waiting.get(sha256)
    if (waiting !== null) return waiting
    const { api, id } = this.#connection
    try {
      return await api.readAsset(id, sha256, this.#life.signal)
    } catch (cause) {
      if (board === id || !(cause instanceof ApiProblem) || cause.status !== 404) throw cause
      return await api.readAsset(board, sha256, this.#life.signal)
    }
  }

  async #isHere (sha256: string): Promise<boolean> {
    return this.#urls.has(sha256) || await this.#waiting.get(sha256) !== null
  }

  #urlFor (address: AssetAddress): Promise<string | null> {
    const known = this.#urls.get(address.sha256)
    if (known !== undefined) return known
    const url = this.read(address).then(urlOf)
    this.#urls.set(address.sha256, url)
    return url.catch((cause: unknown) => {
      this.#urls.delete(address.sha256)
      if (cause instanceof ApiProblem && cause.status === 404) this.#lookAgain(address.sha256)
      return null
    })
  }

  #tryOf (sha256: string): { readonly count: Atom<number>, timers: number } {
    let known = this.#tries.get(sha256)
    if (known === undefined) {
      known = { count: atom('tries', 0), timers: 0 }
      this.#tries.set(sha256, known)
    }
    return known
  }

  #again (sha256: string): void {
    this.#tryOf(sha256).count.update(count => count + 1)
  }

  #lookAgain (sha256: string): void {
    const tried = this.#tryOf(sha256)
    const wait = LOOK_AGAIN_MS[tried.timers]
    if (wait === undefined || this.#life.signal.aborted) return
    tried.timers++
    this.#later(wait, () => this.#again(sha256))
  }

  #later (ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      act()
    }, ms)
    this.#timers.add(timer)
  }

  // Sends what waits, one after the other, until nothing does or the server is out of reach.
  async #send (): Promise<void> {
    if (this.#isSending) return
    this.#isSending = true
    try {
      for (;;) {
        const next = await this.#waiting.first()
        if (next === null || this.#life.signal.aborted || !this.#canSend()) break
        await this.#tell(0)
        try {
          const tell = (part: number): void => { void this.#tell(part) }
          await this.#connection.api.uploadAsset(this.#connection.id, next.blob, tell, this.#life.signal)
        } catch (cause) {
          if (!(cause instanceof ApiProblem)) throw cause
          if (PASSING.has(cause.status)) {
            this.#later(AGAIN_MS, () => { void this.#send() })
            break
          }
          this.#refused(next.sha256, cause)
        }
        await this.#waiting.remove(next.sha256)
        this.#arrived(next.sha256)
      }
    } catch {
      // The page is going; what waits is kept.
    } finally {
      this.#isSending = false
      await this.#tell()
    }
  }

  #canSend (): boolean {
    return this.#connection.state.link === 'connected' && this.#connection.writable
  }

  // What is changed is noticed by the others, who ask for it then.
  #arrived (sha256: string): void {
    const editor = this.#editor
    if (editor === null) return
    const arrived = this.#assetsOf(sha256).filter(({ meta }) => meta['waiting'] === true)
    if (arrived.length === 0) return
    editor.run(() => {
      editor.store.put(arrived.map(asset => {
        const { waiting: _, ...meta } = asset.meta
        return { ...asset, meta }
      }))
    }, { history: 'ignore', ignoreShapeLock: true })
  }

  // Nobody else will ever see it, so nothing of it stays.
  #refused (sha256: string, { code }: ApiProblem): void {
    const editor = this.#editor
    this.#signals.notice.set({ text: 'A picture was not taken, and is not on the board. ' + (REFUSALS[code] ?? 'Try another file.'), isBad: true })
    if (editor === null) return
    const ids = new Set<TLAssetId>(this.#assetsOf(sha256).map(({ id }) => id))
    const shapes = editor.store.allRecords().filter(record =>
      record.typeName === 'shape' && ids.has((record.props as { assetId?: TLAssetId }).assetId as TLAssetId))
    editor.run(() => {
      editor.store.remove([...shapes.map(({ id }) => id), ...ids])
    }, { history: 'ignore', ignoreShapeLock: true })
  }

  #assetsOf (sha256: string): TLAsset[] {
    const all = this.#editor?.getAssets() ?? []
    return all.filter(({ props }) => props.src !== null && assetAddress(props.src ?? '')?.sha256 === sha256)
  }

  // `part` is how much of the one that is being sent has left, from 0 to 1.
  async #tell (part: number | null = null): Promise<void> {
    const count = await this.#waiting.count()
    if (this.#life.signal.aborted) return
    this.#signals.uploads.set(count === 0 ? null : { count, part: this.#isSending ? part : null })
  }
}

// A drawing that somebody opens in a window of its own would be a document of this page, if it came from
// memory; as data it is none.
async function urlOf (blob: Blob): Promise<string> {
  return blob.type === 'image/svg+xml' ? await readAsDataUrl(blob) : URL.createObjectURL(blob)
}

function revoke (url: string): void {
  if (url.startsWith('blob:')) URL.revokeObjectURL(url)
}
