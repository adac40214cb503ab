// Keeps awareness and tldraw in step: one's own cursor and selection go out, the others' come in as presence
// records.
import {
  InstancePresenceRecordType, isEqual, react, TLPOINTER_ID, type Editor, type TLInstancePresence, type TLPageId,
  type TLScribble, type TLShapeId
} from 'tldraw'
import type { Awareness } from 'y-protocols/awareness'
import { along, lengthOf, someOf, STOPS_MAX, type Point } from './glide'
import type { Identity } from './identity'
import { firstPresence, followName, readPeers, tellLaser, tenth, type Peer, type PresenceState } from './presence'

/** One's own state is sent at most this often. The server sends on every 33 ms. */
const SEND_EVERY_MS = 33

/** Longer selections are cut: a state has at most 16 KiB. */
const SELECTION_MAX = 100

/** Tells the others where one is. Returns how to stop. */
export function tellPresence (editor: Editor, awareness: Awareness, identity: Identity): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null
  let sentAt = 0
  let isHere = true
  const send = (): void => {
    timer = null
    sentAt = performance.now()
    const state = presenceOf(editor, identity, isHere)
    if (!isEqual(state, awareness.getLocalState())) awareness.setLocalState({ ...state })
  }
  const schedule = (): void => {
    timer ??= setTimeout(send, Math.max(0, SEND_EVERY_MS - (performance.now() - sentAt)))
  }
  const stop = react('presence', () => {
    editor.store.get(TLPOINTER_ID)
    editor.getCurrentPageId()
    editor.getSelectedShapeIds()
    lasersOf(editor)
    editor.getCamera()
    editor.getViewportScreenBounds()
    editor.getInstanceState().followingUserId
    schedule()
  })
  const container = editor.getContainer()
  const life = new AbortController()
  const here = (now: boolean) => (): void => { isHere = now; schedule() }
  container.addEventListener('pointerleave', here(false), { signal: life.signal })
  container.addEventListener('pointermove', () => { if (!isHere) here(true)() }, { signal: life.signal })
  return () => {
    stop()
    life.abort()
    if (timer !== null) clearTimeout(timer)
  }
}

function presenceOf (editor: Editor, identity: Identity, isHere: boolean): PresenceState {
  const pointer = editor.store.get(TLPOINTER_ID)
  // Nobody has moved the pointer of a canvas that was just opened.
  const isMoved = pointer !== undefined && pointer.lastActivityTimestamp > 0
  const lasers = lasersOf(editor)
  const [{ x, y, z }, { w, h }] = [editor.getCamera(), editor.getViewportScreenBounds()]
  const { followingUserId } = editor.getInstanceState()
  return {
    ...firstPresence(identity),
    page: editor.getCurrentPageId(),
    cursor: isHere && isMoved ? { x: tenth(pointer.x), y: tenth(pointer.y) } : null,
    selection: editor.getSelectedShapeIds().slice(0, SELECTION_MAX),
    camera: { x: tenth(x), y: tenth(y), z: Math.round(z * 1e4) / 1e4, w: Math.round(w), h: Math.round(h) },
    ...(followingUserId !== null && { following: followingUserId }),
    ...(lasers.length > 0 && { laser: tellLaser(lasers.map(({ points }) => points)) })
  }
}

// What else is scribbled is what the eraser and the brush of a selection leave.
function lasersOf (editor: Editor): TLScribble[] {
  return editor.getInstanceState().scribbles.filter(({ color, points }) => color === 'laser' && points.length > 0)
}

/** Shows the others on the canvas, and tells of them. Returns how to stop. */
export function showPresence (editor: Editor, awareness: Awareness, onPeers: (peers: readonly Peer[]) => void): () => void {
  let peers: readonly Peer[] = []
  const gliding = new Gliding(editor)
  const show = (): void => {
    const now = readPeers(awareness.getStates(), awareness.clientID)
    const moved = now.filter(peer => !isEqual(peer, peers.find(({ client }) => client === peer.client)))
    const gone = peers.filter(({ client }) => !now.some(peer => peer.client === client))
    if (moved.length === 0 && gone.length === 0) return
    const shown = moved.map(peer => gliding.from(peer, peers.find(({ client }) => client === peer.client)))
    peers = now
    editor.store.mergeRemoteChanges(() => {
      editor.store.put(shown.map(recordOf))
      editor.store.remove(gone.map(({ client }) => recordId(client)))
    })
    onPeers(peers)
  }
  show()
  awareness.on('change', show)
  return () => {
    awareness.off('change', show)
    gliding.stop()
  }
}

// Cursors of agents that are on their way to what they draw.
class Gliding {
  private readonly ways = new Map<number, { readonly peer: Peer, readonly way: readonly Point[], readonly since: number }>()
  private frame = 0

  constructor (private readonly editor: Editor) {}

  /** What is shown of a peer that has changed: an agent is still where it was, and goes. */
  from (peer: Peer, before: Peer | undefined): Peer {
    this.ways.delete(peer.client)
    if (peer.kind !== 'agent' || peer.cursor === null || matchMedia('(prefers-reduced-motion: reduce)').matches) return peer
    const record = this.editor.store.get(recordId(peer.client))
    const at = record !== undefined && record.currentPageId === peer.page ? record.cursor : null
    const way = [...at === null ? [] : [{ x: at.x, y: at.y }], ...this.stops(peer, before), peer.cursor]
    const [first] = way
    if (first === undefined || way.length < 2 || way.every(place => isEqual(place, first))) return peer
    this.ways.set(peer.client, { peer, way, since: performance.now() })
    this.frame ||= requestAnimationFrame(this.move)
    return { ...peer, cursor: first }
  }

  stop (): void {
    cancelAnimationFrame(this.frame)
  }

  // Of a batch, some of what it changed.
  private stops (peer: Peer, before: Peer | undefined): Point[] {
    if (peer.selection.length < 2 || isEqual(peer.selection, before?.selection)) return []
    return someOf(peer.selection, STOPS_MAX).flatMap(id => {
      const bounds = this.editor.getAncestorPageId(id as TLShapeId) === peer.page ? this.editor.getShapePageBounds(id as TLShapeId) : undefined
      return bounds === undefined ? [] : [{ x: bounds.x, y: bounds.y }]
    })
  }

  private readonly move = (): void => {
    const now = performance.now()
    const moved = [...this.ways.values()].flatMap(({ peer, way, since }) => {
      if (now - since >= lengthOf(way)) this.ways.delete(peer.client)
      const record = this.editor.store.get(recordId(peer.client))
      if (record === undefined || record.cursor === null) {
        this.ways.delete(peer.client)
        return []
      }
      return [{ ...record, cursor: { ...record.cursor, ...along(way, now - since) } }]
    })
    this.editor.store.mergeRemoteChanges(() => { this.editor.store.put(moved) })
    this.frame = this.ways.size > 0 ? requestAnimationFrame(this.move) : 0
  }
}

function recordId (client: number): TLInstancePresence['id'] {
  return InstancePresenceRecordType.createId(String(client))
}

function recordOf (peer: Peer): TLInstancePresence {
  return InstancePresenceRecordType.create({
    id: recordId(peer.client),
    userId: followName(peer.user.id, peer.client),
    userName: peer.user.name,
    color: peer.user.color,
    currentPageId: peer.page as TLPageId,
    cursor: peer.cursor === null ? null : { ...peer.cursor, type: 'default', rotation: 0 },
    selectedShapeIds: peer.selection as TLShapeId[],
    scribbles: peer.laser.map(scribbleOf),
    camera: peer.camera === null ? null : { x: peer.camera.x, y: peer.camera.y, z: peer.camera.z },
    screenBounds: peer.camera === null ? null : { x: 0, y: 0, w: peer.camera.w, h: peer.camera.h },
    followingUserId: peer.following === '' ? null : peer.following,
    chatMessage: peer.message || peer.doing,
    lastActivityTimestamp: Date.now()
  })
}

function scribbleOf (stroke: readonly number[], n: number): TLScribble {
  const points = stroke.flatMap((x, at) => at % 2 === 0 ? [{ x, y: stroke[at + 1] ?? 0, z: 0.5 }] : [])
  return { id: `laser-${n}`, points, size: 4, color: 'laser', opacity: 0.7, state: 'active', delay: 0, shrink: 0.05, taper: true }
}
