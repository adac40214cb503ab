// Who the others are, as the server says: what their states say of themselves is not believed. The server is
// asked about clients that are not known yet, some time after they came.
import { useEffect, useMemo, useState } from 'react'
import type { Awareness } from 'y-protocols/awareness'
import type { Present } from '../api'
import { readNameLine, type Known, type Peer } from './presence'

/** Many come at once after the server was away. */
const WAIT_MS = 1_000
const WAIT_MS_EACH = 20

/** A client may be seen here before the server lists it. After so many questions in vain it is nobody that is known. */
const ASKED_MAX = 3

const NOBODY: Known = { subject: '', name: null }

/** Who speaks for which client. One that two connections claim is nobody's. */
export function knownClients (rows: readonly Present[]): Map<number, Known> {
  const known = new Map<number, Known>()
  for (const { subject, name, clients } of rows) {
    const user = /^user:(.+)$/s.exec(subject)?.[1]
    const called = user === undefined ? null : readNameLine(name) || readNameLine(user) || 'Somebody'
    for (const client of clients ?? []) {
      const before = known.get(client)
      known.set(client, before !== undefined && before.subject !== subject ? NOBODY : { subject, name: called })
    }
  }
  return known
}

/** Asks for whoever is not known, until `stop`. */
export class Asker {
  #known: ReadonlyMap<number, Known> = new Map()
  readonly #asked = new Map<number, number>()
  readonly #ask: () => Promise<readonly Present[]>
  readonly #tell: (known: ReadonlyMap<number, Known>) => void
  #here: readonly Peer[] = []
  #timer: ReturnType<typeof setTimeout> | null = null
  /** Who has gone since the server was asked: its answer is about what was before. */
  #gone = new Set<number>()
  #isOver = false

  constructor (ask: () => Promise<readonly Present[]>, tell: (known: ReadonlyMap<number, Known>) => void) {
    this.#ask = ask
    this.#tell = tell
  }

  /** These are here now. */
  look (peers: readonly Peer[]): void {
    this.#here = peers
    if (this.#timer !== null || this.#isOver || !peers.some(peer => this.#isWanted(peer))) return
    this.#timer = setTimeout(() => { void this.#answer() }, WAIT_MS + WAIT_MS_EACH * peers.length)
  }

  /** These have gone. Another connection may come back under their ids. */
  forget (clients: readonly number[]): void {
    for (const client of clients) {
      this.#asked.delete(client)
      this.#gone.add(client)
    }
    if (!clients.some(client => this.#known.has(client))) return
    this.#known = new Map([...this.#known].filter(([client]) => !clients.includes(client)))
    this.#tell(this.#known)
  }

  stop (): void {
    this.#isOver = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #isWanted ({ client, kind }: Peer): boolean {
    return kind === 'person' && !this.#known.has(client) && (this.#asked.get(client) ?? 0) < ASKED_MAX
  }

  async #answer (): Promise<void> {
    const about = this.#here.filter(peer => this.#isWanted(peer)).map(({ client }) => client)
    const gone = this.#gone = new Set<number>()
    // Without an answer nobody counts as known.
    const rows = await this.#ask().catch(() => null)
    this.#timer = null
    if (this.#isOver) return
    if (rows === null) for (const client of about) this.#asked.set(client, (this.#asked.get(client) ?? 0) + 1)
    else this.#learn(about.filter(client => !gone.has(client)), knownClients(rows))
    this.look(this.#here)
  }

  #learn (about: readonly number[], said: ReadonlyMap<number, Known>): void {
    const here = new Set(this.#here.map(({ client }) => client))
    const known = new Map([...this.#known].filter(([client]) => here.has(client)))
    for (const client of about) {
      const times = (this.#asked.get(client) ?? 0) + 1
      this.#asked.set(client, times)
      const who = said.get(client) ?? (times < ASKED_MAX ? undefined : NOBODY)
      if (who !== undefined) known.set(client, who)
    }
    for (const client of this.#asked.keys()) if (!here.has(client)) this.#asked.delete(client)
    this.#known = known
    this.#tell(known)
  }
}

/** Who the peers are, as far as the server has said. `ask` must be stable. */
export function useKnown (ask: () => Promise<readonly Present[]>, awareness: Awareness, peers: readonly Peer[]): ReadonlyMap<number, Known> {
  const [known, setKnown] = useState<ReadonlyMap<number, Known>>(new Map())
  const asker = useMemo(() => ({ current: null as Asker | null }), [])
  useEffect(() => {
    const made = asker.current = new Asker(ask, setKnown)
    const forget = ({ removed }: { removed: number[] }): void => made.forget(removed)
    awareness.on('change', forget)
    return () => {
      awareness.off('change', forget)
      made.stop()
    }
  }, [ask, awareness, asker])
  useEffect(() => asker.current?.look(peers), [asker, ask, peers])
  return known
}
