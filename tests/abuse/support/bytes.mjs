// Bytes of updates, messages and frames, written one by one: no library would write what stands here. Must
// not know sockets. Formats: Yjs update v1 (src/update/structs.rs), y-protocols, RFC 6455.

/** What a struct is; the values are those of the format. */
export const KIND = { gc: 0, deleted: 1, binary: 3, string: 4, embed: 5, format: 6, type: 7, any: 8 }

const ORIGIN = 0x80
const RIGHT = 0x40
const KEY = 0x20

/** Bytes that grow. */
export class Bytes {
  #held = Buffer.allocUnsafe(1024)
  #end = 0

  #room (bytes) {
    if (this.#end + bytes <= this.#held.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#held.length * 2, this.#end + bytes))
    this.#held.copy(larger, 0, 0, this.#end)
    this.#held = larger
  }

  byte (value) {
    this.#room(1)
    this.#held[this.#end++] = value
    return this
  }

  /** A lib0 varuint. */
  number (value) {
    this.#room(8)
    while (value > 0x7f) {
      this.#held[this.#end++] = 0x80 | (value % 0x80)
      value = Math.floor(value / 0x80)
    }
    this.#held[this.#end++] = value
    return this
  }

  bytes (value) {
    this.#room(value.length)
    this.#end += Buffer.from(value.buffer, value.byteOffset, value.length).copy(this.#held, this.#end)
    return this
  }

  /** Bytes or a text, its length in front. */
  blob (value) {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value
    return this.number(bytes.length).bytes(bytes)
  }

  /** The head of a struct that is the first in the top-level type `name`, or the entry `key` of it. */
  first (kind, name, key) {
    this.byte(key === undefined ? kind : kind | KEY).number(1).blob(name)
    return key === undefined ? this : this.blob(key)
  }

  /** The head of a struct in the type that the item (client, clock) holds. */
  inside (kind, client, clock) {
    return this.byte(kind).number(0).number(client).number(clock)
  }

  /** The head of a struct that stands behind (client, clock). */
  after (kind, client, clock) {
    return this.byte(kind | ORIGIN).number(client).number(clock)
  }

  /** The head of a struct between two clocks of a client. */
  between (kind, client, left, right) {
    return this.byte(kind | ORIGIN | RIGHT).number(client).number(left).number(client).number(right)
  }

  /** The head of a map entry that stands before (client, clock), which no client of today writes. */
  entryBefore (kind, client, clock) {
    return this.byte(kind | RIGHT | KEY).number(client).number(clock)
  }

  done () {
    return this.#held.subarray(0, this.#end)
  }
}

/** What `build` writes. */
export function write (build) {
  const bytes = new Bytes()
  build(bytes)
  return bytes.done()
}

/**
 * An update of `sections` ({ client, clock, count, build }, where `build` writes `count` structs) and `deletes`
 * ({ client, count, build }, where `build` writes `count` ranges).
 */
export const update = (sections, deletes = []) => write(bytes => {
  bytes.number(sections.length)
  for (const { client, clock = 0, count, build } of sections) build(bytes.number(count).number(client).number(clock))
  bytes.number(deletes.length)
  for (const { client, count, build } of deletes) build(bytes.number(client).number(count))
})

/** `build(bytes, i)` for each i below `count`. */
export const times = (count, build) => bytes => {
  for (let i = 0; i < count; i++) build(bytes, i)
}

/** Every second of `count` clocks from `start` on: the ranges of a delete set that cannot be merged. */
export const everySecond = (count, start = 0) => ({ count, build: times(count, (bytes, i) => bytes.number(start + 2 * i).number(1)) })

/** A text of `letters` letters by `client`, `gaps` of which, every second one, are deleted. */
export const gapped = (client, letters, gaps) => update(
  [{ client, count: 1, build: bytes => bytes.first(KIND.string, 't').blob(Buffer.alloc(letters, 0x61)) }],
  gaps === 0 ? [] : [{ client, ...everySecond(gaps) }])

/** A board of `mebibytes` buffers of nearly 1 MiB. */
export const large = (client, mebibytes) => {
  const buffer = Buffer.alloc(2 ** 20 - 16, 0x62)
  return update([{
    client,
    count: mebibytes,
    build: times(mebibytes, (bytes, i) => (i === 0 ? bytes.first(KIND.any, 'a') : bytes.after(KIND.any, client, i - 1)).number(1).byte(116).blob(buffer))
  }])
}

/** Protocol messages. */
export const message = {
  step1: (vector = [0]) => write(bytes => bytes.number(0).number(0).blob(Uint8Array.from(vector))),
  update: content => write(bytes => bytes.number(0).number(2).blob(content)),
  awareness: entries => write(bytes => bytes.number(1).blob(write(inner => {
    inner.number(entries.length)
    for (const { id, clock, state } of entries) inner.number(id).number(clock).blob(state)
  })))
}

/** The head of a client's frame. The mask is all zeros, so that masking costs the attacker nothing. */
export function frameHead (length, { opcode = 2, fin = true } = {}) {
  const first = (fin ? 0x80 : 0) | opcode
  const mask = [0, 0, 0, 0]
  if (length < 126) return Buffer.from([first, 0x80 | length, ...mask])
  const head = Buffer.alloc(length < 65536 ? 8 : 14)
  head[0] = first
  if (length < 65536) {
    head[1] = 0x80 | 126
    head.writeUInt16BE(length, 2)
  } else {
    head[1] = 0x80 | 127
    head.writeBigUInt64BE(BigInt(length), 2)
  }
  return head
}

/** A whole frame of a client. */
export const frame = (payload, options) => Buffer.concat([frameHead(payload.length, options), payload])
