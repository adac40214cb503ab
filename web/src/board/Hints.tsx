// Lines over the canvas: what happened to one's rights, and what is not saved.
import { useState } from 'react'
import { useValue } from 'tldraw'
import type { BoardConnection, ConnectionState } from './connection'
import { saveJson, stemOf } from './files'
import type { Signals } from './signals'

export function Hints ({ connection, state, signals }: { connection: BoardConnection, state: ConnectionState, signals: Signals }) {
  const hint = useValue('hint', () => signals.hint.get(), [signals])
  const hidden = useValue('hidden', () => signals.hidden.get(), [signals])
  const notice = useValue('notice', () => signals.notice.get(), [signals])
  const uploads = useValue('uploads', () => signals.uploads.get(), [signals])
  const [seen, setSeen] = useState(0)
  const [knows, setKnows] = useState(false)
  const isRefused = state.saving === 'refused' && state.verdict === null
  return (
    <div className='bw-hints' data-testid='hints'>
      <div role='status' className='bw-live'>
        {hint !== null && !isRefused && <p className='bw-hint' data-testid='hint'>{hint}</p>}
        {uploads !== null && (
          <p className='bw-hint bw-hint-quiet' data-testid='uploads'>
            <span>{uploadWords(uploads.count, state.link === 'connected')}</span>
            {uploads.part !== null && <progress className='bw-progress' aria-label='Sent' max={1} value={uploads.part} />}
          </p>
        )}
        {notice?.isBad === false && <Told notice={notice} onDismiss={() => signals.notice.set(null)} />}
        {state.fleeting === true && !knows && (
          <p className='bw-hint bw-hint-quiet' data-testid='fleeting'>
            This browser keeps nothing of this board: what is not saved yet is lost with the page.
            <button type='button' className='bw-button bw-quiet' onClick={() => setKnows(true)}>Dismiss</button>
          </p>
        )}
        {hidden > seen && (
          <p className='bw-hint bw-hint-quiet' data-testid='hidden'>
            {hidden === 1 ? 'One thing' : `${hidden} things`} on this board cannot be shown by this version of the page.
            <button type='button' className='bw-button bw-quiet' onClick={() => saveHidden(connection, state, signals)}>
              Save {hidden === 1 ? 'it' : 'them'} as a file
            </button>
            <button type='button' className='bw-button bw-quiet' onClick={() => setSeen(hidden)}>Dismiss</button>
          </p>
        )}
      </div>
      <div role='alert' className='bw-live'>
        {notice?.isBad === true && <Told notice={notice} onDismiss={() => signals.notice.set(null)} />}
        {isRefused && (
          <p className='bw-hint bw-hint-bad' data-testid='refused'>
            <span>Not saved: you may only view this board. Your last changes are in this browser only.</span>
            <Discard connection={connection} />
          </p>
        )}
      </div>
    </div>
  )
}

function uploadWords (count: number, isConnected: boolean): string {
  if (isConnected) return count === 1 ? 'Sending a picture' : `Sending ${count} pictures`
  return count === 1 ? 'A picture waits in this browser until the server is back.' : `${count} pictures wait in this browser until the server is back.`
}

function Told ({ notice, onDismiss }: { notice: { readonly text: string, readonly isBad: boolean }, onDismiss: () => void }) {
  return (
    <p className={`bw-hint ${notice.isBad ? 'bw-hint-bad' : 'bw-hint-quiet'}`} data-testid='notice'>
      <span>{notice.text}</span>
      <button type='button' className='bw-button bw-quiet' onClick={onDismiss}>Dismiss</button>
    </p>
  )
}

function saveHidden ({ id }: BoardConnection, { title }: ConnectionState, signals: Signals): void {
  saveJson(`${stemOf(title ?? id, 'board')} - not shown.json`, signals.hiddenValues())
}

/** Throws away what the server does not have, when asked twice. */
export function Discard ({ connection }: { connection: BoardConnection }) {
  const [sure, setSure] = useState(false)
  return (
    <button
      type='button' className='bw-button bw-quiet bw-danger' onBlur={() => setSure(false)}
      onClick={() => { if (sure) void connection.discard(); else setSure(true) }}
    >
      {sure ? 'Really discard?' : 'Discard my changes'}
    </button>
  )
}
