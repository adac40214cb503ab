// Which values can be drawn at all, and what becomes of those that one's own hands would make otherwise: a
// shape that is dragged far away, a list within lists within lists, what somebody pasted. So nothing that a
// page takes from its own editor is hidden by it, or refused by the server. Pure.
import { toRichText, type TLRecord, type TLRichText } from 'tldraw'

/** Coordinates and sizes beyond this are not drawn: the browser's own limits on transforms lie not far above. */
const NUMBER_MAX = 1e8

/** Values nested deeper than this are not read. The server lets through a depth of 64, the record itself counted. */
const DEPTH_MAX = 64

/** What is written here stays below both. */
const OWN_DEPTH_MAX = 60

/** Lists in lists, two nodes each: the text in them takes ten more levels. */
const BLOCKS_MAX = 2 * 12

/** A stroke must have a point somewhere. */
const DOT = { type: 'free', points: [{ x: 0, y: 0, z: 0.5 }] }

type Members = Record<string, unknown>

/** Whether every number can be drawn with, nothing lies too deep for the recursion of those who read it, and strokes have points. */
export function isTame (record: Members): boolean {
  return isWithin(record, DEPTH_MAX) && !hasEmptyStroke(record)
}

/** A record of one's own as it may be written: itself, where it is tame. */
export function tamed <R extends TLRecord> (record: R): R {
  const members = record as unknown as Members
  if (isWithin(members, OWN_DEPTH_MAX) && !hasEmptyStroke(members)) return record
  const max = numbersMax(members)
  const tame: Members = {}
  for (const [name, member] of Object.entries(members)) tame[name] = name === 'meta' ? shallow(member) : clamped(member, max)
  if (isObject(tame['props'])) tame['props'] = tameProps(tame['props'])
  return tame as unknown as R
}

// What stands in `meta` is drawn by nobody, so it may hold times; the size of an asset's file is no
// coordinate either.
function isWithin (record: Members, depth: number): boolean {
  const max = numbersMax(record)
  return Object.entries(record).every(([name, member]) => isShallow(member, name === 'meta' ? Infinity : max, depth))
}

function numbersMax ({ typeName }: Members): number {
  return typeName === 'asset' ? Infinity : NUMBER_MAX
}

function isShallow (value: unknown, max: number, depth: number): boolean {
  if (typeof value === 'number') return Math.abs(value) <= max
  if (!isObject(value)) return true
  if (depth === 0) return false
  for (const member of Object.values(value)) if (!isShallow(member, max, depth - 1)) return false
  return true
}

// A stroke without points is valid, and tldraw throws where it draws one.
function hasEmptyStroke ({ props }: Members): boolean {
  const segments = isObject(props) ? props['segments'] : undefined
  return Array.isArray(segments) && (segments.length === 0 || segments.some(segment => segment?.points?.length === 0))
}

function tameProps (props: Members): Members {
  const { segments, richText } = props
  if (Array.isArray(segments)) {
    const drawn = segments.filter(segment => segment?.points?.length !== 0)
    return { ...props, segments: drawn.length === 0 ? [DOT] : drawn }
  }
  return isObject(richText) ? { ...props, richText: flat(richText as unknown as TLRichText) } : props
}

// Only what goes too deep is taken out of its lists, so the text stays.
function flat (richText: TLRichText): TLRichText {
  // Above it are the record and its props.
  const depth = OWN_DEPTH_MAX - 2
  if (isShallow(richText, Infinity, depth)) return richText
  const lifted = { ...richText, content: richText.content.flatMap(block => lift(block, BLOCKS_MAX)) }
  return isShallow(lifted, Infinity, depth) ? lifted : toRichText(textOf(richText))
}

function lift (node: unknown, levels: number): unknown[] {
  const content = isObject(node) && Array.isArray(node['content']) ? node['content'] as unknown[] : []
  const holdsText = content.length === 0 || content.some(isText)
  if (holdsText) return [node]
  if (levels === 0) return content.flatMap(child => lift(child, 0))
  return [{ ...node as object, content: content.flatMap(child => lift(child, levels - 1)) }]
}

/** The words of a rich text, or of what should be one. */
export function textOf (node: unknown): string {
  if (!isObject(node)) return ''
  if (isText(node)) return String(node['text'])
  const content = Array.isArray(node['content']) ? node['content'] as unknown[] : []
  return content.map(textOf).join(content.some(isText) ? '' : '\n')
}

function isText (node: unknown): boolean {
  return isObject(node) && typeof node['text'] === 'string'
}

function clamped (value: unknown, max: number): unknown {
  if (typeof value === 'number') return Math.min(Math.max(value, -max), max)
  if (Array.isArray(value)) return value.map(member => clamped(member, max))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, clamped(member, max)]))
}

// Members that lie too deep are left out.
function shallow (meta: unknown): unknown {
  if (!isObject(meta)) return meta
  return Object.fromEntries(Object.entries(meta).filter(([, member]) => isShallow(member, Infinity, OWN_DEPTH_MAX - 1)))
}

function isObject (value: unknown): value is Members {
  return typeof value === 'object' && value !== null
}
