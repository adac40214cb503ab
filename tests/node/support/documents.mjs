// Documents of Yjs 13 and 14: comparing them exactly, and editing them at random.
import * as Y13 from 'yjs'
import * as Y14 from '@y/y'

/** Names of the root types that the tests use. In Yjs 13 their kinds are fixed by `realize`. */
const ROOTS = { map: 'getMap', array: 'getArray', text: 'getText', xml: 'getXmlFragment' }

/** Yjs 14 documents carry its own struct store; both versions export the same functions for what we need. */
export const versionOf = doc => doc instanceof Y14.Doc ? Y14 : Y13

/** The whole state as an update, version 1. */
export const encode = doc => versionOf(doc).encodeStateAsUpdate(doc)

const realize = doc => {
  for (const [name, getter] of Object.entries(ROOTS)) doc[getter](name)
  return doc
}

/** State vector and delete set of any document, as a Yjs 13 snapshot. */
export const snapshotOf = doc => {
  const Y = versionOf(doc)
  return Y13.decodeSnapshot(Y.encodeSnapshot(Y.snapshot(doc)))
}

// Keys of maps have no order in Yjs, so none here.
const sorted = (_key, value) => value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array)
  ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
  : value

/** What a reader sees: the root types as JSON, text with its formats. */
export const contentOf = doc => {
  if (versionOf(doc) === Y14) return JSON.stringify(doc.toJSON(), sorted)
  realize(doc)
  return JSON.stringify({ map: doc.getMap('map'), array: doc.getArray('array'), text: doc.getText('text').toDelta(), xml: doc.getXmlFragment('xml') }, sorted)
}

/** A Yjs 13 document with the state `update`. */
export const load = (update, Y = Y13) => {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc
}

/** What a fresh Yjs 13 reader makes of a document of either version. */
export const rereadContent = doc => {
  const fresh = load(encode(doc))
  const content = contentOf(fresh)
  fresh.destroy()
  return content
}

/** Nothing waits for missing updates: a document with a hole is not equal to anything. */
const isWhole = doc => doc.store.pendingStructs === null && doc.store.pendingDs === null

/** Whether two documents have the same structs and the same deletions. Cheap enough to poll. */
export const sameState = (a, b) => isWhole(a) && isWhole(b) && Y13.equalSnapshots(snapshotOf(a), snapshotOf(b))

/** Whether all documents have the same structs and deletions. */
export const allSameState = docs => docs.every(doc => sameState(docs[0], doc))

/** Throws unless all documents are equal: structs, deletions, what a fresh reader sees, and what live readers of one version see. */
export function assertSame (docs, what = 'the documents') {
  if (!allSameState(docs)) throw new Error(`${what} differ in state:\n${docs.map(describe).join('\n')}`)
  const fail = (a, b) => {
    const at = Math.max(0, a.split('').findIndex((letter, i) => letter !== b[i]) - 100)
    throw new Error(`${what} differ in content:\n...${a.slice(at, at + 300)}\n...${b.slice(at, at + 300)}`)
  }
  const reread = docs.map(rereadContent)
  reread.forEach(content => content === reread[0] || fail(reread[0], content))
  for (const Y of [Y13, Y14]) {
    const live = docs.filter(doc => versionOf(doc) === Y).map(contentOf)
    live.forEach(content => content === live[0] || fail(live[0], content))
  }
}

/** State vector and size of the delete set, for messages. */
export function describe (doc) {
  const { sv, ds } = snapshotOf(doc)
  const deleted = [...ds.clients.values()].flat().reduce((sum, range) => sum + range.len, 0)
  const vector = [...sv].sort(([a], [b]) => a - b).map(([client, clock]) => `${client}:${clock}`).join(' ')
  return `whole=${isWhole(doc)} deleted=${deleted} vector=${vector}`
}

/** Gives `doc` an undo manager over all its root types, so that undo and redo are among its random edits. */
export function withUndo (doc) {
  const Y = versionOf(doc)
  const scope = Y === Y14 ? Object.keys(ROOTS).map(name => doc.get(name)) : Object.entries(ROOTS).map(([name, getter]) => doc[getter](name))
  return new Y.UndoManager(scope, { captureTimeout: 0 })
}

const FORMATS = [{ bold: true }, { bold: null }, { italic: true }, { link: 'https://example.org/' }, { link: null }]

// The offsets at which a text may be cut: cutting a surrogate pair makes stock Yjs replace both halves, and
// what readers see then depends on who cut it. Our server has no part in that.
function cuts (parts) {
  const offsets = [0]
  for (const part of parts) {
    for (const piece of typeof part === 'string' ? part : [part]) offsets.push(offsets.at(-1) + (typeof piece === 'string' ? piece.length : 1))
  }
  return offsets
}

// A random offset, and a random short range behind it.
function range (offsets, r) {
  const from = r.below(offsets.length)
  const to = Math.min(offsets.length - 1, from + 1 + r.below(3))
  return { at: offsets[from], length: offsets[to] - offsets[from] }
}

const text13 = (doc, r) => {
  const text = doc.getText('text')
  return { text, ...range(cuts(text.toDelta().map(op => op.insert)), r) }
}

const text14 = (doc, r) => {
  const text = doc.get('text')
  return { text, ...range(cuts(text.toJSON().children ?? []), r) }
}

const EDITS_13 = [
  (doc, r) => doc.getMap('map').set('key' + r.below(12), r.value()),
  (doc, r) => doc.getMap('map').delete('key' + r.below(12)),
  (doc, r) => doc.getMap('map').set('key' + r.below(12), r.of([
    () => new Y13.Map([['inner', r.value()]]), () => Y13.Array.from([r.value(), r.value()]), () => new Y13.Text(r.word()),
    () => new Uint8Array([r.below(256), r.below(256)])])()),
  (doc, r) => {
    const nested = [...doc.getMap('map').values()].find(value => value instanceof Y13.Map)
    nested?.set('inner' + r.below(3), r.chance(0.3) ? new Y13.Map([['deep', r.below(9)]]) : r.value())
  },
  (doc, r) => {
    const array = doc.getArray('array')
    array.insert(r.below(array.length + 1), [r.value(), ...(r.chance(0.3) ? [new Y13.Map([['in', r.below(9)]])] : [])])
  },
  (doc, r) => {
    const array = doc.getArray('array')
    if (array.length > 0) {
      const at = r.below(array.length)
      array.delete(at, 1 + r.below(Math.min(3, array.length - at)))
    }
  },
  (doc, r) => {
    const { text, at } = text13(doc, r)
    text.insert(at, r.word(), r.chance(0.3) ? { bold: true } : undefined)
  },
  (doc, r) => {
    const { text, at, length } = text13(doc, r)
    if (length > 0) text.delete(at, length)
  },
  (doc, r) => {
    const { text, at, length } = text13(doc, r)
    if (length > 0) text.format(at, length, r.of(FORMATS))
  },
  (doc, r) => { doc.getText('text').insertEmbed(0, { image: r.word() }) },
  (doc, r) => {
    const xml = doc.getXmlFragment('xml')
    const element = new Y13.XmlElement(r.of(['p', 'h1', 'li']))
    xml.insert(r.below(xml.length + 1), [element])
    element.setAttribute('class', r.word())
    element.insert(0, [new Y13.XmlText(r.word())])
  },
  (doc, r) => {
    const xml = doc.getXmlFragment('xml')
    if (xml.length > 0) {
      const child = xml.get(r.below(xml.length))
      if (child instanceof Y13.XmlElement && r.chance(0.7)) child.setAttribute('id', r.word())
      else xml.delete(xml.length - 1, 1)
    }
  }
]

const EDITS_14 = [
  (doc, r) => { doc.get('map').setAttr('key' + r.below(12), r.value()) },
  (doc, r) => {
    const key = 'key' + r.below(12)
    if (doc.get('map').hasAttr(key)) doc.get('map').deleteAttr(key)
  },
  (doc, r) => {
    const nested = new Y14.Type()
    nested.setAttr('inner', r.value())
    doc.get('map').setAttr('key' + r.below(12), nested)
  },
  (doc, r) => {
    const nested = [...doc.get('map').attrValues()].find(value => value instanceof Y14.Type)
    nested?.setAttr('inner' + r.below(3), r.value())
  },
  (doc, r) => {
    const array = doc.get('array')
    array.insert(r.below(array.length + 1), [r.value()])
  },
  (doc, r) => {
    const array = doc.get('array')
    if (array.length > 0) array.delete(r.below(array.length), 1)
  },
  (doc, r) => {
    const { text, at } = text14(doc, r)
    text.insert(at, r.word())
  },
  (doc, r) => {
    const { text, at, length } = text14(doc, r)
    if (length > 0) text.delete(at, length)
  },
  (doc, r) => {
    const { text, at, length } = text14(doc, r)
    if (length > 0) text.format(at, length, r.of(FORMATS))
  },
  (doc, r) => {
    const element = new Y14.Type(r.of(['p', 'h1', 'li']))
    element.setAttr('class', r.word())
    element.insert(0, r.word())
    const xml = doc.get('xml')
    xml.insert(r.below(xml.length + 1), [element])
  },
  (doc, r) => {
    const xml = doc.get('xml')
    if (xml.length > 0) xml.delete(xml.length - 1, 1)
  }
]

/** One random edit: of a map, an array, a text, XML or a nested type, several of them in one transaction, or an undo. */
export function edit (doc, random, undo) {
  if (undo !== undefined && random.chance(0.1)) {
    if (random.chance(0.6)) undo.undo()
    else undo.redo()
    return
  }
  const edits = versionOf(doc) === Y14 ? EDITS_14 : EDITS_13
  const count = random.chance(0.2) ? 5 : 1
  doc.transact(() => {
    for (let i = 0; i < count; i++) random.of(edits)(doc, random)
  })
}
