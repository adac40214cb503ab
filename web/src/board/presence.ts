// Presence as it travels: one awareness state a tab. Pure; what others send is read as if it were hostile.
import { initials } from '../words'
import type { Identity } from './identity'

/** What this page tells the others. */
export interface PresenceState {
  readonly user: { readonly id: string, readonly name: string, readonly color: string }
  readonly kind: 'person' | 'agent'
  readonly page: string
  readonly cursor: { readonly x: number, readonly y: number } | null
  readonly selection: readonly string[]
  /** What the laser draws at this moment: x and y of each point, one after the other. */
  readonly laser?: readonly Stroke[]
  /** The part of the page that it looks at, in its window: for those who follow. */
  readonly camera?: Camera | null
  /** Whom it follows: see `followName`; empty for nobody. */
  readonly following?: string
  /** What it is doing at this moment, in words. */
  readonly doing?: string
  /** What it says, beside its cursor. */
  readonly message?: string
}

/** x, y, x, y... */
export type Stroke = readonly number[]

/** tldraw's camera, and the size of the window that it is for. */
export interface Camera {
  readonly x: number
  readonly y: number
  readonly z: number
  readonly w: number
  readonly h: number
}

/** What a tab is called on the canvas: each has a cursor of its own, tldraw shows one for each user id. */
export function followName (user: string, client: number): string {
  return `${user}#${client}`
}

/** Another tab, or an agent. */
export interface Peer extends Required<PresenceState> {
  /** The awareness client id. */
  readonly client: number
}

/** Who a client is, as the server says; `name` is null for whom it does not know. */
export interface Known {
  /** `user:...`, `link:...`, `key:...`. */
  readonly subject: string
  readonly name: string | null
}

/** Somebody in the presence bar: all tabs of one user. */
export interface Person {
  /** For who is verified their subject; for others what they call themselves, which is never that of somebody verified. */
  readonly id: string
  /** The id that their state gives. */
  readonly says: string
  /** The server's name for who is verified, else the one that they give. */
  readonly name: string
  /** Whether the server knows who it is; `asking` until it has said. */
  readonly verified: 'yes' | 'no' | 'asking'
  readonly initials: string
  readonly color: string
  readonly kind: 'person' | 'agent'
  readonly tabs: number
  /** What one of the tabs is doing; empty for nothing that is told. */
  readonly doing: string
  /** The tab that is shown when the mark is pressed: one with a cursor, if there is one. */
  readonly peer: Peer
}

const NAME_MAX = 64
const ID_MAX = 300
const SELECTION_MAX = 100
const COORDINATE_MAX = 1e8
const DOING_MAX = 128
const MESSAGE_MAX = 280

/** tldraw's own are 0.1 and 8. */
const ZOOM_MIN = 0.01
const ZOOM_MAX = 64

/** A stroke fades within a second, and its oldest points first. */
const STROKES_MAX = 4
const POINTS_MAX = 100

/** What is told before the canvas is there, so that the first message of a connection names this client. */
export function firstPresence ({ id, name, color }: Identity): PresenceState {
  return { user: { id, name, color }, kind: 'person', page: 'page:page', cursor: null, selection: [] }
}

/** Reads another client's state; null where it is none of ours. */
export function readPeer (client: number, state: unknown): Peer | null {
  if (!isObject(state) || !isObject(state['user'])) return null
  const { id, name, color } = state['user']
  if (typeof id !== 'string' || id === '' || id.length > ID_MAX) return null
  const page = state['page']
  return {
    client,
    user: { id, name: readName(name, id), color: readColor(color) },
    kind: state['kind'] === 'agent' ? 'agent' : 'person',
    page: typeof page === 'string' && page.startsWith('page:') && page.length <= ID_MAX ? page : 'page:page',
    cursor: readCursor(state['cursor']),
    selection: readSelection(state['selection']),
    laser: readLaser(state['laser']),
    camera: readCamera(state['camera']),
    following: readLine(state['following'], ID_MAX + 20),
    doing: readLine(state['doing'], DOING_MAX),
    message: readLine(state['message'], MESSAGE_MAX)
  }
}

/** All readable states but one's own. */
export function readPeers (states: ReadonlyMap<number, unknown>, own: number): Peer[] {
  return [...states].flatMap(([client, state]) => {
    const peer = client === own ? null : readPeer(client, state)
    return peer === null ? [] : [peer]
  })
}

/** Agents have the name that they give, and never a check. */
const NOT_ASKED: Known = { subject: '', name: null }

/** Everybody once, agents last, then by name. Nobody stands with somebody verified by what they say themselves. */
export function peopleOf (peers: readonly Peer[], known: ReadonlyMap<number, Known> = new Map()): Person[] {
  const tabs = new Map<string, Peer[]>()
  for (const peer of peers) {
    const id = idOf(peer, known.get(peer.client))
    tabs.set(id, [...tabs.get(id) ?? [], peer])
  }
  const people = [...tabs].flatMap(([id, [first, ...others]]) => {
    if (first === undefined) return []
    const peer = [first, ...others].find(({ cursor }) => cursor !== null) ?? first
    const doing = [peer, first, ...others].find(({ doing }) => doing !== '')?.doing ?? ''
    const said = peer.kind === 'agent' ? NOT_ASKED : known.get(peer.client)
    const name = said?.name ?? peer.user.name
    const verified = said === undefined ? 'asking' as const : said.name === null ? 'no' as const : 'yes' as const
    return [{
      id, says: peer.user.id, name, verified, color: peer.user.color, initials: initials(name), kind: peer.kind, tabs: others.length + 1, doing, peer
    }]
  })
  return people.sort((one, other) =>
    Number(one.kind === 'agent') - Number(other.kind === 'agent') ||
    one.name.localeCompare(other.name) || (one.id < other.id ? -1 : 1))
}

// An agent may act by somebody's token: it is not them.
function idOf ({ user, kind }: Peer, known: Known | undefined): string {
  if (kind === 'agent') return `says:${user.id}`
  return known === undefined ? `asking:${user.id}` : known.name === null ? `says:${user.id}` : known.subject
}

/** A name that the server gives, or a person, as it can be shown on one line. */
export function readNameLine (name: unknown): string {
  return readLine(name, NAME_MAX)
}

function readName (name: unknown, id: string): string {
  return readLine(name, NAME_MAX) || [...id.replace(/^[a-z]+:/, '') || 'Somebody'].slice(0, NAME_MAX).join('')
}

function readLine (text: unknown, most: number): string {
  if (typeof text !== 'string') return ''
  // Control characters and direction marks could make a text read as another. A character is at most two
  // units, so what is cut before costs nothing, however long it is.
  const clean = text.slice(0, 4 * most).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim()
  return [...clean].slice(0, most).join('')
}

function readColor (color: unknown): string {
  return typeof color === 'string' && /^#[0-9a-f]{6}$/i.test(color) ? color : '#5f5f5f'
}

function readCursor (cursor: unknown): { x: number, y: number } | null {
  if (!isObject(cursor)) return null
  const { x, y } = cursor
  return isCoordinate(x) && isCoordinate(y) ? { x, y } : null
}

function readCamera (camera: unknown): Camera | null {
  if (!isObject(camera)) return null
  const { x, y, z, w, h } = camera
  const isSize = (size: unknown): size is number => isCoordinate(size) && size >= 1
  return isCoordinate(x) && isCoordinate(y) && typeof z === 'number' && z >= ZOOM_MIN && z <= ZOOM_MAX && isSize(w) && isSize(h) ? { x, y, z, w, h } : null
}

function readSelection (selection: unknown): string[] {
  if (!Array.isArray(selection)) return []
  return selection.slice(0, SELECTION_MAX)
    .filter((id): id is string => typeof id === 'string' && id.startsWith('shape:') && id.length <= ID_MAX)
}

function readLaser (laser: unknown): Stroke[] {
  if (!Array.isArray(laser)) return []
  return laser.slice(0, STROKES_MAX)
    .filter((stroke): stroke is number[] => Array.isArray(stroke) && stroke.length <= 2 * POINTS_MAX && stroke.length % 2 === 0 && stroke.every(isCoordinate))
}

/** Strokes as they travel: a few, of a few points, the newest. */
export function tellLaser (strokes: ReadonlyArray<ReadonlyArray<{ readonly x: number, readonly y: number }>>): Stroke[] {
  return strokes.slice(-STROKES_MAX).map(points => points.slice(-POINTS_MAX).flatMap(({ x, y }) => [tenth(x), tenth(y)]))
}

/** A coordinate as it travels. */
export function tenth (value: number): number {
  return Math.round(value * 10) / 10
}

function isCoordinate (value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= COORDINATE_MAX
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
