// Reads the values of the Y.Map `tldraw`: which are records that this page can show. It decides and changes
// nothing.
//
// Anybody with edit writes that map: people with older or newer pages, agents, hostile clients. A value that
// cannot be read here is left alone in the map and is not shown; it never throws.
import type { SerializedSchema, TLRecord, TLStoreSchema, UnknownRecord } from 'tldraw'
import { isTame } from './tame'

/** Reads values of the map for one schema. Values are kept as they are, so each is looked at once. */
export class RecordReader {
  readonly #schema: TLStoreSchema
  readonly #read = new WeakMap<object, TLRecord | null>()

  constructor (schema: TLStoreSchema) {
    this.#schema = schema
  }

  /** The record under a key; null where this page cannot show what stands there. `before` is what stood there, of which only what differs is looked at. */
  read (key: string, value: unknown, before: TLRecord | null): TLRecord | null {
    if (!isPlainObject(value) || value['id'] !== key) return null
    let record = this.#read.get(value)
    if (record === undefined) {
      record = this.#readNew(value, before)
      this.#read.set(value, record)
    }
    return record
  }

  /** Takes note of a record of one's own that is written as it is: the store has looked at it. */
  know (record: TLRecord): void {
    this.#read.set(record, record)
  }

  #readNew (value: Record<string, unknown>, before: TLRecord | null): TLRecord | null {
    if (!this.#isOfDocument(value) || !isTame(value)) return null
    const record = value as unknown as TLRecord
    return this.#validated(record, isOfOneKind(record, before) ? before : null) ?? this.#migrated(record)
  }

  #isOfDocument (value: Record<string, unknown>): boolean {
    const { typeName } = value
    if (typeof typeName !== 'string' || !Object.hasOwn(this.#schema.types, typeName)) return false
    const type = this.#schema.types[typeName as TLRecord['typeName']]
    return type.scope === 'document' && type.isId(value['id'] as string)
  }

  #validated (record: TLRecord, before: TLRecord | null = null): TLRecord | null {
    try {
      // Of two that are equal it gives the one before.
      return this.#schema.types[record.typeName].validate(record as never, (before ?? undefined) as never) as TLRecord
    } catch {
      return null
    }
  }

  // Records carry no version, and one board may hold records of several. So the versions of the record's own
  // kind are tried, the nearest first, until what comes out is valid.
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

  // Like `schema.migratePersistedRecord`, which prints what fails to the console; here failing is part of
  // trying.
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

function isOfOneKind (one: TLRecord, other: TLRecord | null): boolean {
  return one.typeName === other?.typeName && (!('type' in one) || ('type' in other && one.type === other.type))
}

function isPlainObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
