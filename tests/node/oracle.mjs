// Yjs 13 and 14 as oracles for tests/algebra: one JSON request a line on stdin, one JSON answer a line on
// stdout. Bytes are base64. Never reads anything else.
import * as Y from 'yjs'
import * as Y14 from '@y/y'
import readline from 'node:readline'

const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'))
const text = (buffer) => Buffer.from(buffer).toString('base64')

// --- reading a document, the same way for both versions
// ---------------------------------------------------------

const value = (v) => {
  if (v === undefined) return { undefined: 1 }
  if (typeof v === 'bigint') return { bigint: v.toString() }
  if (typeof v === 'number' && (!Number.isFinite(v) || Object.is(v, -0))) return { number: Object.is(v, -0) ? '-0' : String(v) }
  if (v instanceof Uint8Array) return { bytes: text(v) }
  if (Array.isArray(v)) return v.map(value)
  if (v !== null && typeof v === 'object') return Object.fromEntries(Object.keys(v).sort().map((k) => [k, value(v[k])]))
  return v
}

const content = (c) => {
  if (c.type !== undefined) return [{ type: dumpType(c.type) }]
  if (c.str !== undefined) return [c.str]
  if (c.arr !== undefined) return c.arr.map((v) => ({ value: value(v) }))
  if (c.embed !== undefined) return [{ embed: value(c.embed) }]
  if (c.key !== undefined) return [{ format: c.key, to: value(c.value) }]
  if (c.content instanceof Uint8Array) return [{ bytes: text(c.content) }]
  if (c.guid !== undefined || c.doc !== undefined) return [{ doc: c.guid ?? c.doc.guid }]
  throw new Error('content of unknown kind')
}

const dumpType = (type) => {
  const list = []
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted) continue
    for (const part of content(item.content)) {
      if (typeof part === 'string' && typeof list.at(-1) === 'string') list.push(list.pop() + part)
      else list.push(part)
    }
  }
  const map = {}
  for (const key of [...type._map.keys()].sort()) {
    const item = type._map.get(key)
    if (!item.deleted) map[key] = content(item.content).at(-1)
  }
  return { list, map, name: type.nodeName ?? type.hookName ?? type.name ?? null }
}

const dump = (doc) => {
  const roots = {}
  for (const name of [...doc.share.keys()].sort()) {
    const { list, map } = dumpType(doc.share.get(name))
    if (list.length > 0 || Object.keys(map).length > 0) roots[name] = { list, map }
  }
  return JSON.stringify(roots)
}

const deletes = (state) => {
  const { ds } = Y.decodeUpdate(state)
  const clients = [...ds.clients.entries()].sort((a, b) => a[0] - b[0])
  return JSON.stringify(clients.map(([client, items]) => {
    const joined = []
    for (const { clock, len } of [...items].sort((a, b) => a.clock - b.clock)) {
      const last = joined.at(-1)
      if (last !== undefined && last[1] >= clock) last[1] = Math.max(last[1], clock + len)
      else joined.push([clock, clock + len])
    }
    return [client, joined]
  }))
}

const vector = (encoded) => JSON.stringify([...Y.decodeStateVector(encoded).entries()].sort((a, b) => a[0] - b[0]))

const report = (doc, V) => {
  const state = V.encodeStateAsUpdate(doc)
  return {
    dump: dump(doc),
    vector: vector(V.encodeStateVector(doc)),
    deletes: deletes(state),
    state: text(state),
    pending: doc.store.pendingStructs !== null || doc.store.pendingDs !== null
  }
}

// --- random honest histories
// -----------------------------------------------------------------------------------

const random = (seed) => {
  let a = seed >>> 0
  const next = () => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), a | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (n) => Math.floor(next() * n)
  return { below, chance: (p) => next() < p, of: (list) => list[below(list.length)] }
}

const KEYS = ['k', 'key two', '\u00fcber']

// `plain`: without what yrs must not be given (subdocuments, hooks, legacy JSON).
const history = ({ seed, steps, clients, astral, plain: isPlain }) => {
  const r = random(seed)
  const updates = []
  const members = []
  for (let n = 0; n < clients; n++) {
    const doc = new Y.Doc({ gc: r.chance(0.7) })
    // Ids of one to eight bytes.
    doc.clientID = r.of([n + 1, 200 + n, 70000 + n, 3000000000 + n, 2 ** 52 + n])
    const roots = [doc.getMap('m'), doc.getArray('a'), doc.getText('t'), doc.getXmlFragment('x')]
    const undo = new Y.UndoManager(roots, { captureTimeout: 0 })
    const member = { doc, roots, undo, seen: 0 }
    doc.on('update', (update, origin) => {
      if (origin !== 'remote') updates.push(update)
    })
    members.push(member)
  }
  const word = () => r.of(['x', 'hello', 'wor ld', '\u00e9t\u00e9', '\u4e2d\u6587', astral ? 'a\u{1f600}b' : 'ab', astral ? '\u{1f601}\u{1f602}' : 'zz'])
  const plain = () => r.of([
    () => r.below(5), () => -r.below(1e9), () => r.below(2 ** 40) + 2 ** 33, () => 0.1, () => -0, () => 1e300, () => null, () => undefined, () => true, () => false,
    () => word(), () => 2n ** 60n, () => [1, [2, { a: null }], 'x'], () => ({ id: 'shape:1', x: r.below(100), props: { w: 1.5, text: word() } }),
    () => new Uint8Array([1, 2, r.below(256)])
  ])()
  // Arrays take neither undefined nor bigint by themselves.
  const element = () => {
    const v = plain()
    return v === undefined || typeof v === 'bigint' ? [v] : v
  }
  const nested = () => r.of([
    () => new Y.Map([[r.of(KEYS), plain()]]), () => Y.Array.from([1, 'two']), () => new Y.Text(word()), () => new Y.XmlText(word()),
    () => new Y.XmlElement('p'), () => isPlain ? new Y.Array() : new Y.Doc({ guid: 'sub' + r.below(1e6), meta: { a: 1 } }), () => new Y.Map()
  ])()
  const types = (member) => {
    const found = []
    const walk = (type) => {
      found.push(type)
      for (let item = type._start; item !== null; item = item.right) if (!item.deleted && item.content.type) walk(item.content.type)
      for (const item of type._map.values()) if (!item.deleted && item.content.type) walk(item.content.type)
    }
    member.roots.forEach(walk)
    return found
  }
  const json = (type) => Y.transact(type.doc, (tr) => {
    let left = type._start
    while (left !== null && left.right !== null) left = left.right
    const id = Y.createID(type.doc.clientID, Y.getState(type.doc.store, type.doc.clientID))
    const arr = [1, { a: [1, 'b'] }, undefined, 'x'].slice(0, 1 + r.below(4))
    new Y.Item(id, left, left && left.lastId, null, null, type, null, new Y.ContentJSON(arr)).integrate(tr, 0)
  })
  const edit = (member) => {
    const all = types(member)
    const type = r.chance(0.4) ? r.of(member.roots) : r.of(all)
    if (type instanceof Y.XmlElement || type instanceof Y.XmlText || type instanceof Y.XmlFragment) {
      if (!(type instanceof Y.XmlText) && r.chance(0.6)) {
        type.insert(r.below(type.length + 1), [r.of([() => new Y.XmlElement(r.of(['p', 'div'])), () => new Y.XmlText(word()), () => isPlain ? new Y.XmlElement('i') : new Y.XmlHook('hook')])()])
        return
      }
      if (!(type instanceof Y.XmlText) && type.length > 0 && r.chance(0.4)) return type.delete(r.below(type.length), 1)
      if (type.setAttribute) return r.chance(0.7) ? type.setAttribute(r.of(KEYS), word()) : type.removeAttribute(r.of(KEYS))
    }
    if (type instanceof Y.Text) {
      const at = r.below(type.length + 1)
      const rest = type.length - at
      return r.of([
        () => type.insert(at, word()), () => type.insert(at, word()), () => type.insert(type.length, word()),
        () => type.insert(at, word(), { bold: r.of([true, null]) }), () => type.insertEmbed(at, { image: word() }),
        () => rest > 0 && type.format(at, 1 + r.below(rest), { italic: r.of([true, { a: 1 }, null]) }),
        () => rest > 0 && type.delete(at, 1 + r.below(Math.min(rest, 4)))
      ])()
    }
    if (type instanceof Y.Map) {
      return r.of([() => type.set(r.of(KEYS), plain()), () => type.set(r.of(KEYS), plain()), () => type.set(r.of(KEYS), nested()), () => type.delete(r.of(KEYS))])()
    }
    if (type instanceof Y.Array) {
      const at = r.below(type.length + 1)
      const rest = type.length - at
      return r.of([
        () => type.insert(at, [element()]), () => type.insert(at, [element(), element(), element()]), () => type.push([element()]), () => type.insert(at, [nested()]),
        () => rest > 0 && type.delete(at, 1 + r.below(Math.min(rest, 3))), () => isPlain ? type.push([1]) : json(type)
      ])()
    }
  }
  const sync = (member, to) => {
    for (; member.seen < to; member.seen++) Y.applyUpdate(member.doc, updates[member.seen], 'remote')
  }
  const extra = []
  for (let step = 0; step < steps; step++) {
    const member = r.of(members)
    if (r.chance(0.25)) sync(member, member.seen + r.below(updates.length - member.seen + 1))
    if (r.chance(0.08)) member.undo.undo()
    else if (r.chance(0.05)) member.undo.redo()
    else member.doc.transact(() => { for (let n = r.of([1, 1, 1, 2, 5]); n > 0; n--) edit(member) })
    if (r.chance(0.05)) extra.push(text(Y.encodeStateAsUpdate(member.doc)))
  }
  const before = members.map(({ doc }) => ({ state: text(Y.encodeStateAsUpdate(doc)), vector: text(Y.encodeStateVector(doc)) }))
  members.forEach((member) => sync(member, updates.length))
  // The deletions that only follow from others' structs are known to all after this.
  const finals = members.map(({ doc }) => text(Y.encodeStateAsUpdate(doc)))
  members.forEach(({ doc }) => finals.forEach((state) => Y.applyUpdate(doc, bytes(state), 'remote')))
  const reports = members.map(({ doc }) => report(doc, Y))
  // Yjs does not converge on every history (a surrogate pair cut by one client only); such a one proves
  // nothing.
  if (reports.some((it) => it.pending || it.dump !== reports[0].dump)) return { diverges: reports.map((it) => it.dump + it.pending) }
  return { updates: updates.map(text), extra, before, report: reports[0] }
}

// --- requests
// ----------------------------------------------------------------------------------------------------

const load = ({ version, updates, gc }) => {
  const V = version === 14 ? Y14 : Y
  const doc = new V.Doc({ gc: gc !== false })
  // Stock Yjs deletes redundant formatting after a remote change, each version in its own way: an edit, not a
  // load.
  doc.cleanupFormatting = false
  doc.on('afterTransaction', (transaction) => { transaction._needFormattingCleanup = false })
  for (const update of updates) V.applyUpdate(doc, bytes(update))
  return report(doc, V)
}

// Where items stand: client, clock and length of each, in the order of the lists named `texts` and of the
// keys of the map `m`.
const lists = ({ updates, texts, keys }) => {
  const doc = new Y.Doc({ gc: false })
  for (const update of updates) Y.applyUpdate(doc, bytes(update))
  const walk = (item) => {
    const found = []
    for (; item; item = item.right) found.push([item.id.client, item.id.clock, item.length])
    return found
  }
  const first = (item) => {
    while (item && item.left) item = item.left
    return item
  }
  const map = doc.getMap('m')
  return [...texts.map((name) => walk(doc.get(name)._start)), ...keys.map((key) => walk(first(map._map.get(key))))]
}

const merge = ({ updates }) => ({ update: text(Y.mergeUpdates(updates.map(bytes))) })

const answers = { history, load, lists, merge }

console.error = () => {}
console.log = () => {}
console.warn = () => {}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  let answer
  try {
    answer = { ok: answers[request.op](request) }
  } catch (error) {
    answer = { error: String(error && error.stack || error) }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
