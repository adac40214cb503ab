// The board: a canvas, and around it what tells who is here and whether all is well.
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import { useValue, type Editor } from 'tldraw'
import type { Access } from '../access'
import { bestAlone } from '../api'
import { browserKeep } from '../browser'
import { apart } from '../credentials'
import { GUEST, isAmbient, readSession } from '../session'
import { AwayChip } from './AwayChip'
import { Canvas } from './Canvas'
import { BoardConnection, type ConnectionState } from './connection'
import { keepGuest, readGuest } from './guest'
import { GuestQuestion } from './GuestName'
import { Hints } from './Hints'
import { HistoryDialog } from './HistoryDialog'
import { useRenewal } from './renewal'
import { RenewalBar } from './RenewalBar'
import { Signals } from './signals'
import { Corner, TopBar } from './TopBar'
import { VerdictScreen } from './VerdictScreen'
import './board.css'

declare global {
  interface Window {
    /** For the browser tests: see README.md. Not for anything else. */
    boardwire?: { editor: Editor, doc: BoardConnection['doc'], provider: BoardConnection['provider'], connection: BoardConnection }
  }
}

export interface BoardProps {
  readonly id: string
  readonly access: Access
  /** Whether it is shown without the bar above it. */
  readonly isEmbedded: boolean
}

export default function Board ({ id, access, isEmbedded }: BoardProps) {
  const [used, setUsed] = useState(access)
  const [connection, setConnection] = useState<BoardConnection | null>(null)
  useEffect(() => {
    const opened = new BoardConnection(id, used.credentials, used.session)
    if (used.session.sub === null) opened.callMe(readGuest(browserKeep).name ?? GUEST.name)
    setConnection(opened)
    return () => opened.destroy()
  }, [id, used])
  if (connection === null) return <main className='bw-board' />
  return <OpenBoard key={connection.doc.clientID} connection={connection} first={used} isEmbedded={isEmbedded} onOther={setUsed} />
}

interface OpenBoardProps {
  readonly connection: BoardConnection
  /** What the connection was made with. */
  readonly first: Access
  readonly isEmbedded: boolean
  /** Goes on as somebody else, or with other credentials: with another connection. */
  readonly onOther: (access: Access) => void
}

function OpenBoard ({ connection, first, isEmbedded, onOther }: OpenBoardProps) {
  const [access, setAccess] = useState(first)
  const { credentials } = access
  const state = useSyncExternalStore(connection.subscribe, connection.snapshot)
  const isTrying = useBestAlone(connection.id, access, state, onOther)
  const renewal = useRenewal(connection, access, state, setAccess, onOther)
  const signals = useMemo(() => {
    const made = new Signals()
    made.history.set(false)
    return made
  }, [connection])
  const [editor, setEditor] = useState<Editor | null>(null)
  const guest = useGuest(connection)
  const isHistoryOpen = useValue('history', () => signals.history.get(), [signals])
  useEffect(() => {
    document.title = `${state.title ?? connection.id} - Boardwire`
  }, [state.title, connection])
  useEffect(() => {
    if (editor === null) return
    const { doc, provider } = connection
    window.boardwire = { editor, doc, provider, connection }
    return () => { delete window.boardwire }
  }, [editor, connection])
  const Bar = isEmbedded ? Corner : TopBar
  return (
    <div className='bw-board' data-testid='board' data-level={state.level ?? ''} data-loaded={state.loaded} data-embedded={isEmbedded}>
      <Bar
        connection={connection} credentials={credentials} state={state} signals={signals} editor={editor}
        name={guest.name} onName={guest.onName}
      />
      <main className='bw-canvas' aria-label='Canvas'>
        {state.open && <Canvas connection={connection} signals={signals} onEditor={setEditor} />}
        {!state.loaded && state.verdict === null && <p className='bw-opening' role='status'>Opening the board</p>}
        <div className='bw-floating'>
          <RenewalBar renewal={renewal} access={access} isKept={state.fleeting !== true} board={connection.id} />
          <Hints connection={connection} state={state} signals={signals} />
          {editor !== null && <AwayChip editor={editor} signals={signals} />}
          {guest.onName !== null && !guest.isAsked && editor !== null && state.verdict === null && <GuestQuestion onName={guest.onName} />}
        </div>
        {isHistoryOpen === true && state.verdict === null && (
          <HistoryDialog
            board={connection.id} credentials={credentials} isEditor={state.level === 'edit'} onClose={() => signals.history.set(false)}
          />
        )}
        {state.verdict !== null && !isTrying && renewal.status !== 'trying' && (
          <VerdictScreen connection={connection} credentials={credentials} state={state} verdict={state.verdict} />
        )}
      </main>
    </div>
  )
}

// What one is called; guests may say it themselves.
function useGuest (connection: BoardConnection): { name: string, isAsked: boolean, onName: ((name: string) => void) | null } {
  const [name, setName] = useState(connection.identity.name)
  const [isAsked, setAsked] = useState(() => readGuest(browserKeep).asked)
  const onName = useCallback((given: string): void => {
    const kept = keepGuest(given, browserKeep) ?? GUEST.name
    connection.callMe(kept)
    setName(kept)
    setAsked(true)
  }, [connection])
  return { name, isAsked, onName: connection.session.sub === null ? onName : null }
}

// A sign-in may have ended while the link is good, or the other way round, and the server refuses both where
// one is not valid. Returns whether that is being found out.
function useBestAlone (board: string, access: Access, { verdict }: ConnectionState, onFound: (access: Access) => void): boolean {
  const isRefused = verdict?.kind === 'credential' && apart(access.credentials, access.session).length > 0
  const [isOver, setOver] = useState(false)
  useEffect(() => {
    if (!isRefused) return
    let isWanted = true
    void bestAlone(board, apart(access.credentials, access.session)).then(found => {
      if (!isWanted) return
      if (found === null) setOver(true)
      else onFound({ credentials: found, session: isAmbient(access.session) ? access.session : readSession(found.token) })
    })
    return () => { isWanted = false }
  }, [isRefused, board, access, onFound])
  return isRefused && !isOver
}
