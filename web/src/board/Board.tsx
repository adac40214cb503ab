// The board: a canvas, and around it what tells who is here and whether all is well.
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react'
import type { Editor } from 'tldraw'
import type { Credentials } from '../credentials'
import { AwayChip } from './AwayChip'
import { Canvas } from './Canvas'
import { BoardConnection } from './connection'
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
  const [connection, setConnection] = useState<BoardConnection | null>(null)
  useEffect(() => {
    const opened = new BoardConnection(id, credentials)
    setConnection(opened)
    return () => opened.destroy()
  }, [id, credentials])
  return connection === null ? <main className='bw-board' /> : <OpenBoard connection={connection} credentials={credentials} />
}

function OpenBoard ({ connection, credentials }: { connection: BoardConnection, credentials: Credentials }) {
  const state = useSyncExternalStore(connection.subscribe, connection.snapshot)
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
        {state.verdict !== null && <VerdictScreen connection={connection} credentials={credentials} state={state} verdict={state.verdict} />}
      </main>
    </div>
  )
}
