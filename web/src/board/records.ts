// Reads the values of the Y.Map `tldraw`: which are records that this page can show. It decides and changes nothing.
//
// Anybody with edit writes that map: people with older or newer pages, agents, hostile clients. A value that cannot be
// read here is left alone in the map and is not shown; it never throws.
import type { SerializedSchema, TLRecord, TLStoreSchema, UnknownRecord } from 'tldraw'

/** Coordinates and sizes beyond this are not drawn: the browser's own limits on transforms lie not far above. */
const NUMBER_MAX = 1e8

/** Values nested deeper than this are not read. tldraw's own records stay under 20. */
const DEPTH_MAX = 64

/** Longer words are not shown: breaking one of 6,000 letters into lines takes a browser seconds, again and again. */
const WORD_MAX = 1_000

// Lines break at spaces, and around the letters of scripts that are written without.
const ENDLESS_WORD = new RegExp(`[^\\s\\u2e80-\\uffff]{${WORD_MAX + 1}}`)

/** Reads values of the map for one schema. Values are kept as they are, so each is looked at once. */
export class RecordReader {
  readonly #schema: TLStoreSchema
  readonly #read = new WeakMap<object, TLRecord | null>()

  constructor (schema: TLStoreSchema) {
    this.#schema = schema
  }

  /** The record under a key; null where this page cannot show what stands there. */
  read (key: string, value: unknown): TLRecord | null {
    if (!isPlainObject(value) || value['id'] !== key) return null
    let record = this.#read.get(value)
    if (record === undefined) {
      record = this.#readNew(value)
      this.#read.set(value, record)
    }
    return record
  }

  #readNew (value: Record<string, unknown>): TLRecord | null {
    if (!this.#isOfDocument(value) || !isTame(value) || hasEmptyStroke(value) || hasEndlessWord(value)) return null
    const record = value as unknown as TLRecord
    return this.#validated(record) ?? this.#migrated(record)
  }

  #isOfDocument (value: Record<string, unknown>): boolean {
    const { typeName } = value
    if (typeof typeName !== 'string' || !Object.hasOwn(this.#schema.types, typeName)) return false
    const type = this.#schema.types[typeName as TLRecord['typeName']]
    return type.scope === 'document' && type.isId(value['id'] as string)
  }

  #validated (record: TLRecord): TLRecord | null {
    try {
      return this.#schema.types[record.typeName].validate(record as never) as TLRecord
    } catch {
      return null
    }
  }

  // Records carry no version, and one board may hold records of several. So the versions of the record's own kind are
  // tried, the nearest first, until what comes out is valid.
  #migrated (record: TLRecord): TLRecord | null {
    const current = this.#schema.serialize()
    if (current.schemaVersion !== 2) return null
    const kind = 'type' in record ? `.${record.type}` : ''
    const sequence = `com.tldraw.${record.typeName}${kind}`
    for (let version = (current.sequences[sequence] ?? 0) - 1; version >= 0; version--) {
      const older = { ...current, sequences: { ...current.sequences, [sequence]: version } }
      const migrated = this.#upFrom(older, record)
      const valid = migrated === null ? null : this.#validated(migrated)
      if (valid !== null) return valid
    }
    return null
  }

  // Like `schema.migratePersistedRecord`, which prints what fails to the console; here failing is part of trying.
  #upFrom (older: SerializedSchema, record: TLRecord): TLRecord | null {
    const migrations = this.#schema.getMigrationsSince(older)
    if (!migrations.ok) return null
    let up: UnknownRecord = structuredClone(record)
    try {
      for (const migration of migrations.value) {
        if (migration.scope !== 'record') return null
        if (migration.filter?.(up) === false) continue
        up = (migration.up(up) as UnknownRecord | undefined) ?? up
      }
    } catch {
      return null
    }
    return up as TLRecord
  }
}

function isPlainObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

// Whether every number can be drawn with, and nothing lies too deep for the recursion of those who read it. What stands
// in `meta` is drawn by nobody, so it may hold times; the size of an asset's file is no coordinate either.
function isTame (record: Record<string, unknown>): boolean {
  const numbersMax = record['typeName'] === 'asset' ? Infinity : NUMBER_MAX
  return Object.entries(record).every(([name, member]) => isShallow(member, name === 'meta' ? Infinity : numbersMax, DEPTH_MAX))
}

// A stroke without points is valid, and tldraw throws where it draws one.
function hasEmptyStroke ({ props }: Record<string, unknown>): boolean {
  const segments = isPlainObject(props) ? props['segments'] : undefined
  if (!Array.isArray(segments)) return false
  return segments.length === 0 || segments.some(segment => segment?.points?.length === 0)
}

// `props` nest no deeper than DEPTH_MAX where this is asked.
function hasEndlessWord ({ props }: Record<string, unknown>): boolean {
  if (!isPlainObject(props)) return false
  return [props['text'], ...lines(props['richText'])].some(text => typeof text === 'string' && ENDLESS_WORD.test(text))
}

// The texts of a rich text; neighbours that differ only in their marks make one word.
function lines (node: unknown): string[] {
  if (!isPlainObject(node) || !Array.isArray(node['content'])) return []
  const parts = node['content'] as unknown[]
  const own = parts.map(part => isPlainObject(part) && typeof part['text'] === 'string' ? part['text'] : ' ').join('')
  return [own, ...parts.flatMap(lines)]
}

function isShallow (value: unknown, numbersMax: number, depth: number): boolean {
  if (typeof value === 'number') return Math.abs(value) <= numbersMax
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  for (const member of Object.values(value)) if (!isShallow(member, numbersMax, depth - 1)) return false
  return true
}
