// Public access: everybody who knows the address gets in.
import { useCallback } from 'react'
import { everyPage, type Grant, type Level } from '../api'
import { publicPath } from '../route'
import { CopyField } from '../ui/CopyField'
import { useAct, useLoaded } from '../ui/hooks'
import { LevelSelect } from '../ui/LevelSelect'
import { Notice, Problem } from '../ui/Notice'
import { PUBLIC } from './principal'
import type { ShareProps } from './props'

const EVERYBODY = { kind: PUBLIC } as const

export function Public ({ api, board }: ShareProps) {
  const load = useCallback(
    async (signal: AbortSignal) => await everyPage(async cursor => await api.listGrants(board, cursor, signal)), [api, board]
  )
  const grants = useLoaded<Grant>(load)
  const { busy, problem, run } = useAct()
  const others = (known: readonly Grant[]) => known.filter(grant => grant.principal !== PUBLIC)

  const set = (level: Level) => run(async () => {
    const grant = await api.setGrant(board, EVERYBODY, level)
    grants.change(known => [...others(known), grant])
  })
  const close = () => run(async () => {
    await api.removeGrant(board, EVERYBODY)
    grants.change(others)
  })

  if (grants.problem != null) return <Problem cause={grants.problem} onRetry={grants.reload} />
  if (grants.items === null) return <p className='bw-soft' role='status'>Loading.</p>
  const open = grants.items.find(grant => grant.principal === PUBLIC)
  return (
    <>
      <p className='bw-small bw-soft'>Everybody who knows the address gets in, without a link or an account.</p>
      <Problem cause={problem} />
      {open === undefined
        ? (
          <div className='bw-notice'>
            <span>Public access is off.</span>
            <button type='button' className='bw-button bw-primary' disabled={busy} onClick={() => set('view')}>Let everybody view</button>
          </div>
          )
        : (
          <>
            <div className='bw-row'>
              <label className='bw-field'>Everybody<LevelSelect value={open.level} disabled={busy} onChange={set} /></label>
              <button type='button' className='bw-button' disabled={busy} onClick={close}>Switch off</button>
            </div>
            <CopyField label='Public address' value={location.origin + publicPath(board)} />
            {open.level === 'edit' && <Notice>Everybody, strangers too, can change and erase what is on this board.</Notice>}
          </>
          )}
    </>
  )
}
