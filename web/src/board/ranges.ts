// Sets of Yjs ids: for each client, ranges of clocks. Small, since Yjs counts up.
interface Range { start: number, end: number }

/** A set of (client, clock) pairs. */
export class IdSet {
  readonly #clients = new Map<number, Range[]>()

  get isEmpty (): boolean {
    return this.#clients.size === 0
  }

  /** Adds the clocks from `start` to before `end`. */
  add (client: number, start: number, end: number): void {
    if (start >= end) return
    const ranges = this.#clients.get(client) ?? []
    const apart = ranges.filter(range => range.end < start || range.start > end)
    const joined = ranges.filter(range => range.end >= start && range.start <= end)
    apart.push({
      start: Math.min(start, ...joined.map(range => range.start)),
      end: Math.max(end, ...joined.map(range => range.end))
    })
    this.#clients.set(client, apart.sort((one, other) => one.start - other.start))
  }

  /** Removes the clocks from `start` to before `end`. */
  remove (client: number, start: number, end: number): void {
    const ranges = this.#clients.get(client)
    if (ranges === undefined) return
    const left = ranges.flatMap(range => [
      { start: range.start, end: Math.min(range.end, start) },
      { start: Math.max(range.start, end), end: range.end }
    ]).filter(range => range.start < range.end)
    if (left.length === 0) this.#clients.delete(client)
    else this.#clients.set(client, left)
  }

  /** Whether all clocks from `start` to before `end` are in the set. */
  covers (client: number, start: number, end: number): boolean {
    return this.#clients.get(client)?.some(range => range.start <= start && end <= range.end) ?? false
  }

  /** Every range. */
  * ranges (): Generator<readonly [client: number, start: number, end: number]> {
    for (const [client, ranges] of this.#clients) for (const { start, end } of ranges) yield [client, start, end]
  }

  clear (): void {
    this.#clients.clear()
  }
}
