// Keeps awareness and tldraw in step: one's own cursor and selection go out, the others' come in as presence
// records.
import {
  InstancePresenceRecordType, isEqual, react, TLPOINTER_ID, type Editor, type TLInstancePresence, type TLPageId,
  type TLScribble, type TLShapeId
} from 'tldraw'
import type { Awareness } from 'y-protocols/awareness'
import type { Identity } from './identity'
import { firstPresence, readPeers, tellLaser, tenth, type Peer, type PresenceState } from './presence'

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
  return {
    ...firstPresence(identity),
    page: editor.getCurrentPageId(),
    cursor: isHere && isMoved ? { x: tenth(pointer.x), y: tenth(pointer.y) } : null,
    selection: editor.getSelectedShapeIds().slice(0, SELECTION_MAX),
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
  const show = (): void => {
    const now = readPeers(awareness.getStates(), awareness.clientID)
    const moved = now.filter(peer => !isEqual(peer, peers.find(({ client }) => client === peer.client)))
    const gone = peers.filter(({ client }) => !now.some(peer => peer.client === client))
    if (moved.length === 0 && gone.length === 0) return
    peers = now
    editor.store.mergeRemoteChanges(() => {
      editor.store.put(moved.map(recordOf))
      editor.store.remove(gone.map(({ client }) => recordId(client)))
    })
    onPeers(peers)
  }
  show()
  awareness.on('change', show)
  return () => awareness.off('change', show)
}

function recordId (client: number): TLInstancePresence['id'] {
  return InstancePresenceRecordType.createId(String(client))
}

function recordOf (peer: Peer): TLInstancePresence {
  return InstancePresenceRecordType.create({
    id: recordId(peer.client),
    // Each tab has a cursor of its own; tldraw shows one for each user id.
    userId: `${peer.user.id}#${peer.client}`,
    userName: peer.user.name,
    color: peer.user.color,
    currentPageId: peer.page as TLPageId,
    cursor: peer.cursor === null ? null : { ...peer.cursor, type: 'default', rotation: 0 },
    selectedShapeIds: peer.selection as TLShapeId[],
    scribbles: peer.laser.map(scribbleOf),
    lastActivityTimestamp: Date.now()
  })
}

function scribbleOf (stroke: readonly number[], n: number): TLScribble {
  const points = stroke.flatMap((x, at) => at % 2 === 0 ? [{ x, y: stroke[at + 1] ?? 0, z: 0.5 }] : [])
  return { id: `laser-${n}`, points, size: 4, color: 'laser', opacity: 0.7, state: 'active', delay: 0, shrink: 0.05, taper: true }
}
