// Joins an editor that is on the page with the board's connection, and takes both apart again.
import type { Editor, TLShapeId } from 'tldraw'
import { tabKeep } from '../browser'
import { actorName, stampChanges } from './authorship'
import { Binding } from './binding'
import type { BoardAssets } from './assets'
import { awayFrom, Conflicts, type Away } from './changes'
import { copyShapes } from './clipboard'
import type { BoardConnection } from './connection'
import { showPresence, tellPresence } from './cursors'
import { importFiles, importPasted } from '../import/files'
import { keepContentLocal } from './external'
import { watchFollowed } from './follow'
import { guardLinks } from './links'
import { movePicturesOut } from './moveOut'
import { deleteShapesWithPage } from './pages'
import type { Signals } from './signals'
import { undoOwnOnly } from './undo'
import { keepView, motion, readView, showView, sightOf, type View } from './view'

/** How long hints stay. */
const HINT_MS = 6000
const CONFLICT_HINT_MS = 3500

/** What of `<Tldraw>`'s states moves shapes under the pointer. */
const HOLDING = ['select.translating', 'select.resizing', 'select.rotating', 'select.dragging_handle', 'select.editing_shape']

/** Joins them. Returns how to take them apart. */
export function openCanvas (editor: Editor, connection: BoardConnection, signals: Signals, assets: BoardAssets): () => void {
  const { store } = editor
  const conflicts = new Conflicts()
  const undo = undoOwnOnly(store)
  const show = flash(signals)
  let binding: Binding | null = null
  // Until the board is there, where it will be looked at.
  const place = { kept: readView(tabKeep, connection.id) }
  signals.hidden.set(0)
  const stamps = stampChanges(editor, connection.identity.actor, () => binding?.merging !== true, () => undo.active)
  const stops = [undo.stop, stamps.stop]
  binding = new Binding({
    store,
    doc: connection.doc,
    writable: () => connection.writable,
    signed: stamps.signed,
    quietly: change => editor.run(change, { history: 'ignore', ignoreShapeLock: true }),
    undrawable: ids => ids.filter(id => !canDraw(editor, id as TLShapeId)),
    sight: () => sightOf(editor, place.kept),
    onHidden: count => signals.hidden.set(count),
    onLocal: ids => {
      connection.noteChanged(ids)
      conflicts.did(ids, Date.now())
    },
    onRemote: (changes, transaction) => {
      if (connection.isReturn(transaction)) {
        signals.away.update(before => joined(before, awayFrom(changes, connection.identity.actor)))
        return
      }
      const conflict = conflicts.seen(changes, heldBy(editor), Date.now(), (client, actor) => nameOf(connection, client, actor))
      // What is gone has no place on the canvas that could be pointed at.
      if (conflict !== null && editor.getShape(conflict.id) === undefined) show.hint(conflict.text)
      else if (conflict !== null) show.conflict(conflict)
    }
  })
  const bound = binding
  signals.whole = () => bound.whole()
  signals.hiddenValues = () => bound.hidden()
  keepContentLocal(editor)
  importFiles(editor, signals)
  importPasted(editor, signals)
  stops.push(
    copyShapes(editor),
    guardLinks(),
    assets.open(editor),
    movePicturesOut(editor, connection, assets),
    deleteShapesWithPage(editor),
    followLevel(editor, connection, bound, text => show.hint(text)),
    tellPresence(editor, connection.provider.awareness, connection.identity),
    showPresence(editor, connection.provider.awareness, peers => signals.peers.set(peers)),
    watchFollowed(editor, text => show.hint(text)),
    lookWhere(editor, connection, place),
    onLeave(() => {
      bound.flush()
      keepView(tabKeep, connection.id, editor)
    })
  )
  return () => {
    show.stop()
    bound.destroy()
    for (const stop of stops) stop()
  }
}

/** Brings into view what others changed. */
export function zoomTo (editor: Editor, ids: readonly TLShapeId[]): void {
  const [first] = ids.filter(id => editor.getShape(id) !== undefined)
  if (first === undefined) return
  const page = editor.getAncestorPageId(first)
  if (page !== undefined && page !== editor.getCurrentPageId()) editor.setCurrentPage(page)
  const boxes = ids.flatMap(id => editor.getAncestorPageId(id) === page ? editor.getShapePageBounds(id) ?? [] : [])
  const [box, ...others] = boxes
  if (box === undefined) return
  const bounds = others.reduce((all, one) => all.clone().union(one), box)
  editor.zoomToBounds(bounds, { inset: 96, targetZoom: Math.min(1, editor.getZoomLevel()), ...motion() })
}

// Text of unknown kinds, lines without points: what is valid by the letter may still not be drawable.
function canDraw (editor: Editor, id: TLShapeId): boolean {
  try {
    const shape = editor.getShape(id)
    if (shape === undefined) return true
    editor.getShapeGeometry(shape)
    const bounds = editor.getShapePageBounds(shape)
    return bounds === undefined || [bounds.x, bounds.y, bounds.w, bounds.h].every(Number.isFinite)
  } catch {
    return false
  }
}

function heldBy (editor: Editor): ReadonlySet<string> {
  return new Set(editor.isInAny(...HOLDING) ? editor.getSelectedShapeIds() : [])
}

function nameOf ({ provider }: BoardConnection, client: number | null, actor: string | null): string {
  const name: unknown = client === null ? null : provider.awareness.getStates().get(client)?.['user']?.name
  return typeof name === 'string' && name !== '' ? name.slice(0, 64) : actorName(actor)
}

function joined (before: Away | null, now: Away | null): Away | null {
  if (before === null || now === null) return now ?? before
  const marks = new Map([...before.marks, ...now.marks].map(mark => [mark.id, mark]))
  return { marks: [...marks.values()], deleted: before.deleted + now.deleted }
}

function followLevel (editor: Editor, connection: BoardConnection, binding: Binding, hint: (text: string) => void): () => void {
  let before: boolean | null = null
  const follow = (): void => {
    const { writable } = connection
    if (writable === before) return
    if (before === true) {
      editor.cancel()
      editor.setEditingShape(null)
      editor.setCurrentTool('select')
      binding.revert()
    }
    editor.updateInstanceState({ isReadonly: !writable })
    const { level, verdict, link } = connection.state
    if (before !== null && verdict === null && level !== null && link === 'connected') {
      hint(writable ? 'You may edit this board now.' : `You may only ${level === 'comment' ? 'comment on' : 'view'} this board now.`)
    }
    before = level === null ? null : writable
  }
  follow()
  return connection.subscribe(follow)
}

// A board opens where one left it in this tab, else on what is drawn: where nothing of it would be in view,
// the camera goes there.
function lookWhere (editor: Editor, connection: BoardConnection, place: { kept: View | null }): () => void {
  const look = (): boolean => {
    if (!connection.state.loaded) return false
    const { kept } = place
    place.kept = null
    if (kept !== null && showView(editor, kept)) return true
    const bounds = editor.getCurrentPageBounds()
    if (bounds !== undefined && !editor.getViewportPageBounds().collides(bounds)) {
      editor.zoomToFit()
      if (editor.getZoomLevel() > 1) editor.resetZoom()
    }
    return true
  }
  if (look()) return () => {}
  const stop = connection.subscribe(() => { if (look()) stop() })
  return stop
}

// Whoever goes may not come back.
function onLeave (act: () => void): () => void {
  const life = new AbortController()
  for (const event of ['pagehide', 'beforeunload', 'blur']) addEventListener(event, act, { signal: life.signal })
  document.addEventListener('visibilitychange', act, { signal: life.signal })
  return () => life.abort()
}

// Shows something for a few seconds.
function flash ({ conflict, hint }: Signals) {
  const timers = new Map<object, ReturnType<typeof setTimeout>>()
  const show = <T>(signal: { set: (value: T | null) => unknown }, value: T, ms: number): void => {
    clearTimeout(timers.get(signal))
    signal.set(value)
    timers.set(signal, setTimeout(() => signal.set(null), ms))
  }
  return {
    conflict: (value: NonNullable<ReturnType<typeof conflict.get>>) => show(conflict, value, CONFLICT_HINT_MS),
    hint: (value: string) => show(hint, value, HINT_MS),
    stop: () => { for (const timer of timers.values()) clearTimeout(timer) }
  }
}

