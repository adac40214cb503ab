// Share links: whoever has one gets in, without an account.
import { type FormEvent, useCallback, useState } from 'react'
import { type CreatedLink, everyPage, type Level, type Link } from '../api'
import { shareUrl } from '../route'
import { CopyField } from '../ui/CopyField'
import { useAct, useLoaded } from '../ui/hooks'
import { LevelSelect } from '../ui/LevelSelect'
import { Problem } from '../ui/Notice'
import { fullTime, levelWords, relativeTime } from '../words'
import type { ShareProps } from './props'

const DAY = 86_400

/** Characters of a label: the server takes 256 bytes. */
const LABEL_MAX = 64

/** Seconds, by what they are called; null never ends. The last is what one gets unless one chooses. */
const LIFETIMES: ReadonlyArray<readonly [string, number | null]> = [
  ['Never', null], ['In an hour', 3600], ['In a day', DAY], ['In a week', 7 * DAY], ['In 30 days', 30 * DAY]
]

export function Links ({ api, board }: ShareProps) {
  const load = useCallback(
    async (signal: AbortSignal) => await everyPage(async cursor => await api.listLinks(board, cursor, signal)), [api, board]
  )
  const links = useLoaded<Link>(load)
  const [made, setMade] = useState<CreatedLink | null>(null)
  const [level, setLevel] = useState<Level>('view')
  const [label, setLabel] = useState('')
  const [lifetime, setLifetime] = useState(LIFETIMES.length - 1)
  const { busy, problem, run } = useAct()

  const make = (event: FormEvent) => {
    event.preventDefault()
    run(async () => {
      const link = await api.createLink(board, { level, expiresIn: LIFETIMES[lifetime]?.[1] ?? null, label: label.trim() || null })
      setMade(link)
      setLabel('')
      links.change(known => [...known, link])
    })
  }

  const revoke = (link: Link) => run(async () => {
    await api.revokeLink(board, link.id)
    links.change(known => known.filter(other => other.id !== link.id))
    setMade(last => last?.id === link.id ? null : last)
  })

  if (links.problem != null) return <Problem cause={links.problem} onRetry={links.reload} />
  return (
    <>
      <p className='bw-small bw-soft'>Whoever has a link gets in, without an account, until it expires or you revoke it.</p>
      <form className='bw-row' onSubmit={make}>
        <label className='bw-field bw-whole'>
          What it is for (optional)
          <input
            className='bw-input' maxLength={LABEL_MAX} autoComplete='off' placeholder='For the design review'
            value={label} onChange={event => setLabel(event.target.value)}
          />
        </label>
        <label className='bw-field'>Whoever has it<LevelSelect value={level} onChange={setLevel} /></label>
        <label className='bw-field'>
          Expires
          <select className='bw-input' value={lifetime} onChange={event => setLifetime(Number(event.target.value))}>
            {LIFETIMES.map(([name], index) => <option key={name} value={index}>{name}</option>)}
          </select>
        </label>
        <button type='submit' className='bw-button bw-primary' disabled={busy}>Make a link</button>
      </form>
      <Problem cause={problem} />
      <div className='bw-live' role='status'>
        {made !== null && (
          <div className='bw-once'>
            <CopyField label={`New link: ${made.label == null ? '' : made.label + ', '}${levelWords(made.level).toLowerCase()}`} value={shareUrl(location.origin, board, made.token)} />
            <p className='bw-small bw-soft'>Copy it now: it is not shown again.</p>
          </div>
        )}
      </div>
      {links.items !== null && links.items.length > 0 && (
        <ul className='bw-list' aria-label='Links of this board'>
          {links.items.map(link => (
            <li key={link.id}>
              <span className='bw-list-text'>
                <span title={link.label ?? undefined}>{link.label ?? levelWords(link.level)}</span>
                <span className='bw-small bw-soft'>
                  {link.label == null ? '' : levelWords(link.level) + ', '}{link.id.slice(0, 6)}, {expiry(link)}
                </span>
              </span>
              <button
                type='button' className='bw-button bw-quiet bw-danger' aria-label={`Revoke link ${link.label == null ? '' : link.label + ' '}${link.id.slice(0, 6)}`}
                onClick={() => revoke(link)}
              >
                Revoke
              </button>
            </li>
          ))}
        </ul>
      )}
      {links.items?.length === 0 && <p className='bw-soft'>There are no links yet.</p>}
    </>
  )
}

function expiry ({ expires_at: at }: Link) {
  if (at === null) return 'never expires'
  const verb = Date.parse(at) < Date.now() ? 'expired' : 'expires'
  return <time dateTime={at} title={fullTime(at)}>{verb} {relativeTime(at)}</time>
}
