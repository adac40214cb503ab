// Reads `.tldr` files with tldraw's own parser: what it can bring to this page's schema becomes a drawing
// with ids of its own.
import {
  AssetRecordType, createBindingId, createShapeId, PageRecordType, parseTldrawJsonFile, sortByIndex, type TLAsset, type TLBinding, type TLPage,
  type TLParentId, type TLSchema, type TLShape, type TldrawFileParseError
} from 'tldraw'
import { BadFile, Left, type Drawing } from './drawing'

const WORDS: Record<TldrawFileParseError['type'], string> = {
  v1File: 'This file is of the first tldraw, which this page cannot read. Open it at tldraw.com and save it anew.',
  notATldrawFile: 'This is no tldraw file. It may be cut off, or be something else under that name.',
  fileFormatVersionTooNew: 'This file was saved by a newer tldraw than this page has.',
  migrationFailed: 'This file was saved by a newer tldraw than this page has, or is damaged.',
  invalidRecords: 'This file is damaged: something in it is nothing that tldraw draws.'
}

/** What the file with this content has; throws a `BadFile` where it is none. */
export function readTldr (json: string, schema: TLSchema): Drawing {
  const parsed = parseTldrawJsonFile({ json, schema })
  if (!parsed.ok) throw new BadFile(WORDS[parsed.error.type])
  const store = parsed.value
  try {
    return renamed(store.allRecords())
  } finally {
    store.dispose()
  }
}

function renamed (records: ReadonlyArray<{ readonly typeName: string }>): Drawing {
  const of = <R>(typeName: string): R[] => records.filter(record => record.typeName === typeName) as R[]
  const pages = of<TLPage>('page').sort(sortByIndex)
  const [shapes, bindings, assets] = [of<TLShape>('shape'), of<TLBinding>('binding'), of<TLAsset>('asset')]
  const used = new Set<TLParentId>(shapes.map(({ parentId }) => parentId))
  // Pages with nothing on them are nothing to bring along.
  const [first, ...others] = pages.filter(({ id }) => used.has(id))
  const ids = new Map<string, string>([
    ...shapes.map(({ id }) => [id, createShapeId()] as const),
    ...assets.map(({ id }) => [id, AssetRecordType.createId()] as const),
    ...others.map(({ id }) => [id, PageRecordType.createId()] as const)
  ])
  if (first !== undefined) ids.set(first.id, 'page:page')
  const next = <Id extends string>(id: Id): Id => (ids.get(id) ?? id) as Id
  const left = new Left()
  const kept = shapes.filter(({ parentId }) => {
    if (!ids.has(parentId)) left.add('thing without a page')
    return ids.has(parentId)
  })
  return {
    shapes: kept.map(shape => {
      const { assetId } = shape.props as { assetId?: string | null }
      const props = typeof assetId === 'string' ? { ...shape.props, assetId: ids.get(assetId) ?? null } : shape.props
      return { ...shape, id: next(shape.id), parentId: next(shape.parentId), props } as TLShape
    }),
    bindings: bindings.filter(({ fromId, toId }) => ids.has(fromId) && ids.has(toId))
      .map(binding => ({ ...binding, id: createBindingId(), fromId: next(binding.fromId), toId: next(binding.toId) })),
    assets: assets.map(asset => ({ ...asset, id: next(asset.id) })),
    pages: others.map(page => ({ ...page, id: next(page.id) })),
    left: left.counts
  }
}
