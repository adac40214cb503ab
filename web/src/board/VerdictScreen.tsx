// Over the canvas once the page has stopped for good: why, and what one can do.
import { useEffect, useRef, useState } from 'react'
import { serverAddress } from '../base'
import type { Credentials } from '../credentials'
import { boardPath } from '../route'
import { WaysIn } from '../ui/WaysIn'
import type { BoardConnection, ConnectionState } from './connection'
import { HomeLink } from './HomeLink'
import { Discard } from './Hints'
import type { Verdict } from './verdict'

export interface VerdictScreenProps {
  readonly connection: BoardConnection
  readonly credentials: Credentials
  readonly state: ConnectionState
  readonly verdict: Verdict
}

/** Where another sign-in helps: it is made here, and one comes back to the board. */
const SIGNED_IN_ANEW: ReadonlyArray<Verdict['kind']> = ['signin', 'expired', 'revoked', 'token']

/** Where it may be well by now. */
const RELOADED: ReadonlyArray<Verdict['kind']> = ['broken', 'origin', 'blocked']

/** What explains it to whoever runs the server, which has that document. */
const HELP: Partial<Record<Verdict['kind'], string>> = {
  broken: 'docs/troubleshooting.md#page-broken',
  origin: 'docs/troubleshooting.md#page-origin',
  blocked: 'docs/troubleshooting.md#page-blocked'
}

export function VerdictScreen ({ connection, credentials, state, verdict }: VerdictScreenProps) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => box.current?.focus(), [])
  // One's own changes may be there and nowhere else: they can be looked at and copied.
  const isTurnedDown = verdict.kind === 'full' || verdict.kind === 'costly'
  const holdsChanges = isTurnedDown || verdict.kind === 'broken' || state.saving === 'refused'
  const mayReload = isTurnedDown || RELOADED.includes(verdict.kind)
  const [looking, setLooking] = useState(false)
  if (looking) {
    return (
      <div className='bw-verdict-folded'>
        <button type='button' className='bw-button' onClick={() => setLooking(false)}>{verdict.title}</button>
      </div>
    )
  }
  return (
    <div className='bw-verdict'>
      <div
        ref={box} className='bw-verdict-box' role='alertdialog' aria-labelledby='bw-verdict-title' aria-describedby='bw-verdict-text'
        tabIndex={-1} data-testid='verdict' data-kind={verdict.kind}
      >
        <h2 id='bw-verdict-title'>{verdict.title}</h2>
        <p id='bw-verdict-text'>
          {verdict.text}{verdict.kind === 'origin' && <> <code>--public-url {serverAddress()}</code>.</>}
        </p>
        {state.saving === 'refused' && !isTurnedDown && (
          <p>Your last changes did not reach the server. {state.fleeting === true ? 'They are on this page only.' : 'They are kept in this browser.'}</p>
        )}
        {HELP[verdict.kind] !== undefined && (
          <p><a href={`${serverAddress()}/${HELP[verdict.kind]}`} target='_blank' rel='noopener noreferrer'>What whoever runs it can do</a></p>
        )}
        {SIGNED_IN_ANEW.includes(verdict.kind) && <WaysIn to={boardPath(connection.id)} />}
        <div className='bw-verdict-acts'>
          <HomeLink credentials={credentials} className='bw-button'>All boards</HomeLink>
          {holdsChanges && <button type='button' className='bw-button' onClick={() => setLooking(true)}>Look at it</button>}
          {mayReload && <button type='button' className='bw-button bw-primary' onClick={() => location.reload()}>Reload</button>}
          {isTurnedDown && <Discard connection={connection} />}
        </div>
      </div>
    </div>
  )
}
