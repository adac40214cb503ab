// The npm package boardwire-react: a board as a component of somebody else's page. It joins the same parts as
// Board.tsx, without what belongs to the server's own page: the bar, sharing, ways to sign in.
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { useValue, type Editor } from 'tldraw'
import { serveFrom } from './base'
import { AwayChip } from './board/AwayChip'
import { Canvas } from './board/Canvas'
import { BoardConnection } from './board/connection'
import { Hints } from './board/Hints'
import { Indicator } from './board/Indicator'
import { PresenceBar } from './board/PresenceBar'
import { SETTLED_MS } from './board/renewal'
import { Signals } from './board/signals'
import type { Credentials } from './credentials'
import { readSession } from './session'
import './styles.css'
import './board/board.css'

export interface BoardwireCanvasProps {
  /** The server: `https://boards.example.com`, or with the path under which it is. All boards of a page are of one server. */
  readonly url: string
  /** The board's id. */
  readonly board: string
  /** A fresh token (a JWT of your application) for the person at this page; asked for again when one has expired. */
  readonly token?: () => Promise<string>
  /** The token of a share link, instead of a person's or beside it. */
  readonly share?: string
  /** Called with tldraw's editor once the canvas is there, and with null once it is not. */
  readonly onEditor?: (editor: Editor | null) => void
}

/** A board with everybody who is on it, and whether all is saved. As large as what it is in. */
export function BoardwireCanvas ({ url, board, token, share, onEditor }: BoardwireCanvasProps) {
  // A new function with every rendering is no new token.
  const ask = useRef(token)
  ask.current = token
  const [opened, setOpened] = useState<Opened | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const [round, setRound] = useState(0)
  const renewedAt = useRef(-SETTLED_MS)

  useEffect(() => {
    let isWanted = true
    let connection: BoardConnection | null = null
    const open = async (): Promise<void> => {
      const fresh = await ask.current?.()
      if (!isWanted) return
      serveFrom(url)
      const credentials = { ...(fresh !== undefined && { token: fresh }), ...(share !== undefined && { share }) }
      connection = new BoardConnection(board, credentials)
      setProblem(null)
      setOpened({ connection, credentials })
    }
    open().catch(() => { if (isWanted) setProblem('There is no way to sign in at the moment.') })
    return () => {
      isWanted = false
      setOpened(null)
      connection?.destroy()
    }
  }, [url, board, share, round])

  const renew = async (connection: BoardConnection): Promise<void> => {
    const isNew = performance.now() - renewedAt.current < SETTLED_MS
    renewedAt.current = performance.now()
    const fresh = isNew ? undefined : await ask.current?.().catch(() => undefined)
    if (fresh === undefined) setProblem('There is no way to sign in at the moment.')
    else connection.renew({ token: fresh, ...(share !== undefined && { share }) }, readSession(fresh))
  }

  return (
    <div className='bw-board bw-embedded' data-testid='board'>
      {problem !== null && <Stopped title={problem} text='What was drawn is kept.' onRetry={() => setRound(round + 1)} />}
      {opened !== null && (
        <Open
          key={opened.connection.doc.clientID} {...opened} onEditor={onEditor} onRenew={token === undefined ? null : connection => { void renew(connection) }}
          onRetry={() => setRound(round + 1)}
        />
      )}
    </div>
  )
}

interface Opened {
  readonly connection: BoardConnection
  readonly credentials: Credentials
}

interface OpenProps extends Opened {
  readonly onEditor: BoardwireCanvasProps['onEditor']
  /** Gets another token for this connection; null where there is nobody to ask. */
  readonly onRenew: ((connection: BoardConnection) => void) | null
  readonly onRetry: () => void
}

function Open ({ connection, credentials, onEditor, onRenew, onRetry }: OpenProps) {
  const state = useSyncExternalStore(connection.subscribe, connection.snapshot)
  const signals = useMemo(() => new Signals(), [connection])
  const peers = useValue('peers', () => signals.peers.get(), [signals])
  const [editor, setEditor] = useState<Editor | null>(null)
  const told = useRef(onEditor)
  told.current = onEditor
  useEffect(() => {
    if (editor === null) return
    told.current?.(editor)
    return () => told.current?.(null)
  }, [editor])
  const { verdict } = state
  // Whoever embeds this gives a new token for one that has ended; the document and what can be undone stay.
  const isOver = state.lapsed === true && onRenew !== null
  useEffect(() => { if (isOver) onRenew(connection) }, [isOver])
  return (
    <div className='bw-canvas' role='region' aria-label='Canvas' data-level={state.level ?? ''}>
      {state.open && <Canvas connection={connection} signals={signals} onEditor={setEditor} />}
      {!state.loaded && verdict === null && <p className='bw-opening' role='status'>Opening the board</p>}
      <div className='bw-floating'>
        <Hints connection={connection} state={state} signals={signals} />
        {editor !== null && <AwayChip editor={editor} signals={signals} />}
      </div>
      <div className='bw-package-corner'>
        <PresenceBar peers={peers} connection={connection} credentials={credentials} manages={false} editor={editor} name={connection.identity.name} onName={null} />
        <Indicator state={state} />
      </div>
      {verdict !== null && <Stopped title={verdict.title} text={verdict.text} onRetry={onRenew !== null ? onRetry : null} />}
    </div>
  )
}

function Stopped ({ title, text, onRetry }: { title: string, text: string, onRetry: (() => void) | null }) {
  return (
    <div className='bw-stopped' role='alert' data-testid='verdict'>
      <h2>{title}</h2>
      <p>{text}</p>
      {onRetry !== null && <button type='button' className='bw-button' onClick={onRetry}>Try again</button>}
    </div>
  )
}
