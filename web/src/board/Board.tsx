// The board: a canvas, and around it what tells who is here and whether all is well.
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import type { Editor } from 'tldraw'
import { bestAlone } from '../api'
import { apart, type Credentials } from '../credentials'
import { AwayChip } from './AwayChip'
import { Canvas } from './Canvas'
import { BoardConnection, type ConnectionState } from './connection'
import { Hints } from './Hints'
import { Signals } from './signals'
import { TopBar } from './TopBar'
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
  readonly credentials: Credentials
}

export default function Board ({ id, credentials }: BoardProps) {
  const [used, setUsed] = useState(credentials)
  const [connection, setConnection] = useState<BoardConnection | null>(null)
  useEffect(() => {
    const opened = new BoardConnection(id, used)
    setConnection(opened)
    return () => opened.destroy()
  }, [id, used])
  if (connection === null) return <main className='bw-board' />
  return <OpenBoard key={connection.doc.clientID} connection={connection} credentials={used} onCredentials={setUsed} />
}

interface OpenBoardProps {
  readonly connection: BoardConnection
  readonly credentials: Credentials
  readonly onCredentials: (credentials: Credentials) => void
}

function OpenBoard ({ connection, credentials, onCredentials }: OpenBoardProps) {
  const state = useSyncExternalStore(connection.subscribe, connection.snapshot)
  const isTrying = useBestAlone(connection.id, credentials, state, onCredentials)
  const signals = useMemo(() => new Signals(), [connection])
  const [editor, setEditor] = useState<Editor | null>(null)
  useEffect(() => {
    document.title = `${state.title ?? connection.id} - Boardwire`
  }, [state.title, connection])
  useEffect(() => {
    if (editor === null) return
    const { doc, provider } = connection
    window.boardwire = { editor, doc, provider, connection }
    return () => { delete window.boardwire }
  }, [editor, connection])
  return (
    <div className='bw-board' data-testid='board' data-level={state.level ?? ''} data-loaded={state.loaded}>
      <TopBar connection={connection} credentials={credentials} state={state} signals={signals} editor={editor} />
      <main className='bw-canvas' aria-label='Canvas'>
        {state.open && <Canvas connection={connection} signals={signals} onEditor={setEditor} />}
        {!state.loaded && state.verdict === null && <p className='bw-opening' role='status'>Opening the board</p>}
        <div className='bw-floating'>
          <Hints connection={connection} state={state} signals={signals} />
          {editor !== null && <AwayChip editor={editor} signals={signals} />}
        </div>
        {state.verdict !== null && !isTrying && (
          <VerdictScreen connection={connection} credentials={credentials} state={state} verdict={state.verdict} />
        )}
      </main>
    </div>
  )
}

// A sign-in may have ended while the link is good, or the other way round, and the server refuses both where
// one is not valid. Returns whether that is being found out.
function useBestAlone (
  board: string, credentials: Credentials, { verdict }: ConnectionState, onFound: (credentials: Credentials) => void
): boolean {
  const isRefused = verdict?.kind === 'credential' && apart(credentials).length > 0
  const [isOver, setOver] = useState(false)
  useEffect(() => {
    if (!isRefused) return
    let isWanted = true
    void bestAlone(board, credentials).then(found => {
      if (!isWanted) return
      if (found === null) setOver(true)
      else onFound(found)
    })
    return () => { isWanted = false }
  }, [isRefused, board, credentials, onFound])
  return isRefused && !isOver
}
