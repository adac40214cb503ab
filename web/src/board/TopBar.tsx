// The bar above the canvas: the way back, the title, who is here, how the connection is, sharing.
import { useRef, useState, type FormEvent, type KeyboardEvent } from 'react'
import { useValue, type Editor } from 'tldraw'
import { under } from '../base'
import type { Credentials } from '../credentials'
import { explain } from '../problems'
import { ShareDialog } from '../share/ShareDialog'
import { ShareIcon } from '../ui/icons'
import type { BoardConnection, ConnectionState } from './connection'
import { HomeLink } from './HomeLink'
import { Indicator } from './Indicator'
import { PresenceBar } from './PresenceBar'
import type { Signals } from './signals'
import { isThere } from './verdict'

export interface TopBarProps {
  readonly connection: BoardConnection
  readonly credentials: Credentials
  readonly state: ConnectionState
  readonly signals: Signals
  readonly editor: Editor | null
  /** What one is called, and how a guest takes another name. */
  readonly name: string
  readonly onName: ((name: string) => void) | null
}

/** Who is here and whether all is saved, for a page in another page: there is no bar. */
export function Corner ({ connection, credentials, state, signals, editor, name, onName }: TopBarProps) {
  const peers = useValue('peers', () => signals.peers.get(), [signals])
  return (
    <div className='bw-corner' data-testid='corner'>
      <PresenceBar peers={peers} connection={connection} credentials={credentials} manages={false} editor={editor} name={name} onName={onName} />
      <Indicator state={state} />
    </div>
  )
}

export function TopBar ({ connection, credentials, state, signals, editor, name, onName }: TopBarProps) {
  const [sharing, setSharing] = useState(false)
  const peers = useValue('peers', () => signals.peers.get(), [signals])
  const { sub, admin } = connection.session
  const manages = (admin || (sub !== null && state.owner === sub)) && isThere(state.verdict)
  const title = state.title ?? connection.id
  return (
    <header className='bw-bar'>
      <HomeLink credentials={credentials} className='bw-bar-home' aria-label='All boards' title='All boards'>
        <img src={under('/favicon.svg')} width='24' height='24' alt='' />
      </HomeLink>
      <Title key={title} title={title} connection={manages ? connection : null} />
      {state.level !== null && state.level !== 'edit' && (
        <span className='bw-bar-level' data-testid='level'>{state.level === 'view' ? 'View only' : 'Comment only'}</span>
      )}
      <span className='bw-bar-space' />
      <PresenceBar peers={peers} connection={connection} credentials={credentials} manages={manages} editor={editor} name={name} onName={onName} />
      <Indicator state={state} />
      {manages && (
        <button type='button' className='bw-button bw-primary bw-bar-share' aria-label='Share' onClick={() => setSharing(true)}>
          <ShareIcon /><span>Share</span>
        </button>
      )}
      {manages && sharing && <ShareDialog board={connection.id} title={title} credentials={credentials} onClose={() => setSharing(false)} />}
    </header>
  )
}

// For owners a field, for others words. `connection` is null where one may not rename.
function Title ({ title, connection }: { title: string, connection: BoardConnection | null }) {
  const [text, setText] = useState(title)
  const [problem, setProblem] = useState<string | null>(null)
  // Leaving the field saves, and Escape leaves it before the state is the old title again.
  const cancelled = useRef(false)
  if (connection === null) return <h1 className='bw-bar-title' data-testid='title'>{title}</h1>
  const save = (): void => {
    const next = text.trim()
    const isKept = cancelled.current || next === title || (next === '' && title === connection.id)
    cancelled.current = false
    if (isKept) {
      setText(title)
      return
    }
    setProblem(null)
    connection.rename(next === '' ? null : next).catch((cause: unknown) => setProblem(explain(cause)))
  }
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>): void => {
    cancelled.current = event.key === 'Escape'
    if (event.key === 'Enter' || event.key === 'Escape') event.currentTarget.blur()
  }
  return (
    <form className='bw-bar-title' onSubmit={(event: FormEvent) => event.preventDefault()}>
      <h1 className='bw-hidden'>{title}</h1>
      <input
        value={text} aria-label='Title of the board' data-testid='title' maxLength={256} spellCheck={false} autoComplete='off'
        style={{ width: `${Math.min(Math.max(text.length, 6), 36) + 3}ch` }}
        aria-invalid={problem !== null} title={problem ?? 'Rename'}
        onChange={event => setText(event.target.value)} onBlur={save} onKeyDown={onKeyDown}
      />
      {problem !== null && <span className='bw-hidden' role='alert'>{problem}</span>}
    </form>
  )
}
