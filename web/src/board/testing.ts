// What the tests of this folder share: stores, records, and documents that exchange updates.
import {
  AssetRecordType, createTLStore, defaultBindingUtils, defaultShapeUtils, PageRecordType, toRichText, type IndexKey, type TLAsset,
  type TLBinding, type TLPage, type TLPageId, type TLParentId, type TLRecord, type TLShape, type TLShapeId, type TLStore
} from 'tldraw'
import * as Y from 'yjs'

/** A store as the canvas makes it. */
export function newStore (): TLStore {
  const store = createTLStore({ shapeUtils: defaultShapeUtils, bindingUtils: defaultBindingUtils })
  // Makes the document and the first page.
  store.mergeRemoteChanges(() => {})
  return store
}

/** A rectangle. */
export function geo (name: string, changes: Partial<TLShape> = {}): TLShape {
  return {
    id: `shape:${name}` as TLShapeId,
    typeName: 'shape',
    type: 'geo',
    x: 0,
    y: 0,
    rotation: 0,
    index: 'a1' as IndexKey,
    parentId: 'page:page' as TLParentId,
    isLocked: false,
    opacity: 1,
    props: {
      w: 100,
      h: 100,
      geo: 'rectangle',
      dash: 'draw',
      growY: 0,
      url: '',
      scale: 1,
      color: 'black',
      labelColor: 'black',
      fill: 'none',
      size: 'm',
      font: 'draw',
      align: 'middle',
      verticalAlign: 'middle',
      richText: toRichText('')
    },
    meta: {},
    ...changes
  } as TLShape
}

/** A frame. */
export function frame (name: string, changes: Partial<TLShape> = {}): TLShape {
  return geo(name, { type: 'frame', props: { w: 300, h: 200, name: '', color: 'black' }, ...changes } as Partial<TLShape>)
}

/** An arrow. */
export function arrow (name: string, changes: Partial<TLShape> = {}): TLShape {
  return geo(name, {
    type: 'arrow',
    props: {
      kind: 'arc', labelColor: 'black', color: 'black', fill: 'none', dash: 'draw', size: 'm', arrowheadStart: 'none',
      arrowheadEnd: 'arrow', font: 'draw', start: { x: 0, y: 0 }, end: { x: 2, y: 0 }, bend: 0, text: '',
      labelPosition: 0.5, scale: 1, elbowMidPoint: 0.5
    },
    ...changes
  } as Partial<TLShape>)
}

/** Binds an arrow to a shape. */
export function binding (name: string, from: string, to: string): TLBinding {
  return {
    id: `binding:${name}`, typeName: 'binding', type: 'arrow', fromId: `shape:${from}`, toId: `shape:${to}`, meta: {},
    props: { terminal: 'end', normalizedAnchor: { x: 0.5, y: 0.5 }, isExact: false, isPrecise: false, snap: 'none' }
  } as unknown as TLBinding
}

/** An image's asset. */
export function imageAsset (name: string, src: string): TLAsset {
  return AssetRecordType.create({
    id: AssetRecordType.createId(name),
    type: 'image',
    props: { w: 10, h: 10, name, isAnimated: false, mimeType: 'image/png', src, fileSize: undefined as never }
  })
}

/** A page. */
export function page (name: string, index = 'a2'): TLPage {
  return PageRecordType.create({ id: `page:${name}` as TLPageId, name, index: index as IndexKey })
}

/** A document whose map holds these records, written by somebody else. */
export function docWith (...records: readonly TLRecord[]): Y.Doc {
  const doc = new Y.Doc()
  const map = doc.getMap('tldraw')
  doc.transact(() => { for (const record of records) map.set(record.id, record) })
  return doc
}

/** Brings all documents to the same state, whoever has what. */
export function exchange (...docs: readonly Y.Doc[]): void {
  for (const from of docs) {
    for (const to of docs) {
      if (from !== to) Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)), 'wire')
    }
  }
}

/** What the store shows, without what belongs to the session. */
export function documentOf (store: TLStore): Record<string, TLRecord> {
  return store.serialize('document') as Record<string, TLRecord>
}
