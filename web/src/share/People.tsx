// Grants to users and teams.
import { type FormEvent, useCallback, useId, useRef, useState } from 'react'
import { everyPage, type Grant, type Grantee, type Level } from '../api'
import { useAct, useLoaded } from '../ui/hooks'
import { LevelSelect } from '../ui/LevelSelect'
import { Problem } from '../ui/Notice'
import { grantee, PUBLIC } from './principal'
import type { ShareProps } from './props'
import { useVisitors } from './visitors'

/** More are offered as one types. */
const VISITORS_SHOWN = 5

export function People ({ api, board }: ShareProps) {
  const load = useCallback(
    async (signal: AbortSignal) => await everyPage(async cursor => await api.listGrants(board, cursor, signal)), [api, board]
  )
  const grants = useLoaded<Grant>(load)
  const visitors = useVisitors(api, board)
  const { busy, problem, run } = useAct()

  const set = (to: Grantee, level: Level) => run(async () => {
    const grant = await api.setGrant(board, to, level)
    grants.change(known => known.some(other => other.principal === grant.principal)
      ? known.map(other => other.principal === grant.principal ? grant : other)
      : [...known, grant])
  })

  const remove = (grant: Grant) => run(async () => {
    await api.removeGrant(board, grantee(grant.principal))
    grants.change(known => known.filter(other => other.principal !== grant.principal))
  })

  if (grants.problem != null) return <Problem cause={grants.problem} onRetry={grants.reload} />
  const taken = new Set(grants.items?.map(({ principal }) => principal))
  const others = grants.items === null ? [] : visitors.filter(id => !taken.has(`user:${id}`))
  const named = grants.items?.filter(grant => grant.principal !== PUBLIC)
  return (
    <>
      <p className='bw-small bw-soft'>They sign in with a token of their own, and find the board on their start page.</p>
      <GrantForm busy={busy} visitors={others} onGrant={set} />
      <Problem cause={problem} />
      {named !== undefined && named.length > 0 && (
        <ul className='bw-list' aria-label='Who this board is shared with'>
          {named.map(grant => <GrantRow key={grant.principal} grant={grant} busy={busy} onSet={set} onRemove={remove} />)}
        </ul>
      )}
      {named?.length === 0 && <p className='bw-soft'>The board is shared with nobody by name yet.</p>}
    </>
  )
}

interface GrantFormProps {
  readonly busy: boolean
  /** User ids of who was here before, and has no grant yet. */
  readonly visitors: readonly string[]
  readonly onGrant: (to: Grantee, level: Level) => void
}

function GrantForm ({ busy, visitors, onGrant }: GrantFormProps) {
  const field = useRef<HTMLInputElement>(null)
  const suggestions = useId()
  const [kind, setKind] = useState<'users' | 'teams'>('users')
  const [id, setId] = useState('')
  const [level, setLevel] = useState<Level>('edit')

  const submit = (event: FormEvent) => {
    event.preventDefault()
    onGrant({ kind, id: id.trim() }, level)
    setId('')
  }

  return (
    <form className='bw-row' onSubmit={submit}>
      <label className='bw-field'>
        Share with
        <select className='bw-input' value={kind} onChange={event => setKind(event.target.value === 'teams' ? 'teams' : 'users')}>
          <option value='users'>User</option>
          <option value='teams'>Team</option>
        </select>
      </label>
      <label className='bw-field bw-wide'>
        {kind === 'users' ? 'User id' : 'Team id'}
        <input
          ref={field} list={kind === 'users' && visitors.length > 0 ? suggestions : undefined} className='bw-input' required pattern='.*\S.*' autoComplete='off' autoCapitalize='none' spellCheck={false}
          value={id} onChange={event => setId(event.target.value)}
        />
      </label>
      <label className='bw-field'>Level<LevelSelect value={level} onChange={setLevel} /></label>
      <button type='submit' className='bw-button bw-primary' disabled={busy}>Share</button>
      <datalist id={suggestions}>{visitors.map(visitor => <option key={visitor} value={visitor} />)}</datalist>
      {kind === 'users' && visitors.length > 0 && (
        <div className='bw-visitors' role='group' aria-label='Were on this board before'>
          <span className='bw-small bw-soft'>Were here before:</span>
          {visitors.slice(0, VISITORS_SHOWN).map(visitor => (
            <button
              key={visitor} type='button' className='bw-button bw-quiet bw-visitor' title={visitor} aria-label={`Share with ${visitor}`}
              onClick={() => { setId(visitor); field.current?.focus() }}
            >
              {visitor}
            </button>
          ))}
        </div>
      )}
    </form>
  )
}

interface GrantRowProps {
  readonly grant: Grant
  readonly busy: boolean
  readonly onSet: (to: Grantee, level: Level) => void
  readonly onRemove: (grant: Grant) => void
}

function GrantRow ({ grant, busy, onSet, onRemove }: GrantRowProps) {
  const to = grantee(grant.principal)
  if (to.kind === 'public') return null
  return (
    <li>
      <span className='bw-list-text'>
        <span title={to.id}>{to.id}</span>
        <span className='bw-small bw-soft'>{to.kind === 'users' ? 'User' : 'Team'}</span>
      </span>
      <LevelSelect value={grant.level} label={`Level of ${to.id}`} disabled={busy} onChange={level => onSet(to, level)} />
      <button type='button' className='bw-button bw-quiet bw-danger' aria-label={`Remove ${to.id}`} onClick={() => onRemove(grant)}>
        Remove
      </button>
    </li>
  )
}
