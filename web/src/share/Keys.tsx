// API keys: for agents and scripts that draw on this board.
import { type FormEvent, useCallback, useState } from 'react'
import { type CreatedKey, everyPage, type Key, type Level } from '../api'
import { serverAddress } from '../base'
import { CopyButton, CopyField } from '../ui/CopyField'
import { useAct, useLoaded } from '../ui/hooks'
import { LevelSelect } from '../ui/LevelSelect'
import { Problem } from '../ui/Notice'
import { fullTime, levelWords, relativeTime } from '../words'
import type { ShareProps } from './props'
import { snippet } from './snippet'

export function Keys ({ api, board }: ShareProps) {
  const load = useCallback(
    async (signal: AbortSignal) => await everyPage(async cursor => await api.listKeys(board, cursor, signal)), [api, board]
  )
  const keys = useLoaded<Key>(load)
  const [made, setMade] = useState<CreatedKey | null>(null)
  const [name, setName] = useState('')
  const [level, setLevel] = useState<Level>('edit')
  const { busy, problem, run } = useAct()

  const make = (event: FormEvent) => {
    event.preventDefault()
    run(async () => {
      const key = await api.createKey(board, name.trim(), level)
      setMade(key)
      setName('')
      keys.change(known => [...known, key])
    })
  }

  const pause = (key: Key) => run(async () => {
    const now = await api.pauseKey(board, key.id, !key.paused)
    keys.change(known => known.map(other => other.id === now.id ? now : other))
  })

  const revoke = (key: Key) => run(async () => {
    await api.revokeKey(board, key.id)
    keys.change(known => known.filter(other => other.id !== key.id))
    setMade(last => last?.id === key.id ? null : last)
  })

  if (keys.problem != null) return <Problem cause={keys.problem} onRetry={keys.reload} />
  return (
    <>
      <p className='bw-small bw-soft'>An agent or script with a key reads and draws on this board over HTTP. A key does not expire.</p>
      <form className='bw-row' onSubmit={make}>
        <label className='bw-field bw-wide'>
          Name of the key
          <input
            className='bw-input' required pattern='.*\S.*' maxLength={64} autoComplete='off' placeholder='Release bot'
            value={name} onChange={event => setName(event.target.value)}
          />
        </label>
        <label className='bw-field'>Level<LevelSelect value={level} onChange={setLevel} /></label>
        <button type='submit' className='bw-button bw-primary' disabled={busy}>Make a key</button>
      </form>
      <Problem cause={problem} />
      <div className='bw-live' role='status'>{made !== null && <Made made={made} board={board} />}</div>
      {keys.items !== null && keys.items.length > 0 && (
        <ul className='bw-list' aria-label='Keys of this board'>
          {keys.items.map(key => (
            <li key={key.id}>
              <span className='bw-list-text'>
                <span title={key.name}>{key.name}</span>
                <span className='bw-small bw-soft'>
                  {key.paused && 'paused, '}{levelWords(key.level)}, made <time dateTime={key.created_at} title={fullTime(key.created_at)}>{relativeTime(key.created_at)}</time>
                </span>
              </span>
              <button type='button' className='bw-button bw-quiet' aria-label={`${key.paused ? 'Let go on' : 'Pause'}: ${key.name}`} onClick={() => pause(key)}>
                {key.paused ? 'Let it go on' : 'Pause'}
              </button>
              <button type='button' className='bw-button bw-quiet bw-danger' aria-label={`Revoke key ${key.name}`} onClick={() => revoke(key)}>
                Revoke
              </button>
            </li>
          ))}
        </ul>
      )}
      {keys.items?.length === 0 && <p className='bw-soft'>There are no keys yet.</p>}
    </>
  )
}

function Made ({ made, board }: { made: CreatedKey, board: string }) {
  const command = snippet(serverAddress(), board, made.key)
  return (
    <div className='bw-once'>
      <CopyField label={`New key: ${made.name}`} value={made.key} />
      <p className='bw-small bw-soft'>Copy it now: it is not shown again.</p>
      {made.level === 'edit' && (
        <>
          <div className='bw-code-head'>
            <h3>Try it: this draws a sticky note</h3>
            <CopyButton value={command} what='the command' />
          </div>
          <pre className='bw-code' tabIndex={0} aria-label='A command that draws a sticky note'>{command}</pre>
        </>
      )}
    </div>
  )
}
