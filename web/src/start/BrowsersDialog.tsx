// In which browsers one is signed in; for admins, in which everybody is.
import { useCallback, useMemo, useState } from 'react'
import { createApi, everyPage, type SignedInBrowser } from '../api'
import type { Credentials } from '../credentials'
import type { Session } from '../session'
import { Dialog } from '../ui/Dialog'
import { useAct, useLoaded } from '../ui/hooks'
import { Problem } from '../ui/Notice'
import { browserWords, fullTime, relativeTime } from '../words'

interface BrowsersDialogProps {
  readonly credentials: Credentials
  readonly session: Session
  readonly onSignOut: () => void
  readonly onClose: () => void
}

export function BrowsersDialog ({ credentials, session, onSignOut, onClose }: BrowsersDialogProps) {
  const api = useMemo(() => createApi(credentials), [credentials])
  const load = useCallback(
    async (signal: AbortSignal) => byUse(await everyPage(async cursor => await api.listSessions(cursor, signal))), [api]
  )
  const browsers = useLoaded<SignedInBrowser>(load)
  const { busy, problem, run } = useAct()
  const [sure, setSure] = useState<string | null>(null)

  const revoke = ({ id, current }: SignedInBrowser) => {
    if (current) return onSignOut()
    if (sure !== id) return setSure(id)
    run(async () => {
      await api.revokeSession(id)
      browsers.change(known => known.filter(other => other.id !== id))
    })
  }

  return (
    <Dialog title='Signed-in browsers' onClose={onClose}>
      <div className='bw-dialog-body' data-testid='browsers'>
        <p className='bw-small bw-soft'>
          {session.admin ? 'Everybody who is signed in by an invitation. ' : 'Where you are signed in. '}
          A browser that is signed out closes its boards within a second. What was drawn stays.
        </p>
        <Problem cause={browsers.problem} onRetry={browsers.reload} />
        <Problem cause={problem} />
        {browsers.items === null && browsers.problem == null && <p className='bw-soft' role='status'>Loading.</p>}
        {browsers.items?.length === 0 && <p className='bw-soft'>Nobody is signed in by an invitation.</p>}
        {browsers.items !== null && browsers.items.length > 0 && (
          <ul className='bw-list' aria-label='Signed-in browsers'>
            {browsers.items.map(browser => (
              <li key={browser.id} data-testid='browser' data-current={browser.current}>
                <span className='bw-list-text'>
                  <span className='bw-wraps'>
                    <span className='bw-name'>{session.admin && <><bdi>{browser.name ?? browser.user}</bdi>: </>}{browserWords(browser.user_agent)}</span>
                    {browser.current && <span className='bw-badge bw-own'>This browser</span>}
                  </span>
                  <span className='bw-small bw-soft'>
                    used <When at={browser.used_at} />, since <When at={browser.created_at} />
                  </span>
                </span>
                <button
                  type='button' className='bw-button bw-quiet bw-danger' disabled={busy} onBlur={() => setSure(null)}
                  aria-label={browser.current ? 'Sign out this browser' : `Sign out ${browser.name ?? browser.user}, ${browserWords(browser.user_agent)}${sure === browser.id ? ': press again to do it' : ''}`}
                  onClick={() => revoke(browser)}
                >
                  {sure === browser.id ? 'Really sign out?' : 'Sign out'}
                </button>
              </li>
            ))}
          </ul>
        )}
      </div>
    </Dialog>
  )
}

function When ({ at }: { at: string }) {
  return <time dateTime={at} title={fullTime(at)}>{relativeTime(at)}</time>
}

/** This one first, then what was used last. */
function byUse (browsers: readonly SignedInBrowser[]): SignedInBrowser[] {
  return browsers.toSorted((one, other) => Number(other.current) - Number(one.current) || other.used_at.localeCompare(one.used_at))
}
