// The page at `/`: one's boards, or how to get in.
import { useEffect, useState } from 'react'
import type { Access } from '../access'
import { createApi } from '../api'
import { tabKeep } from '../browser'
import { signOut } from '../credentials'
import { isAmbient, isOver, type Session } from '../session'
import { Frame } from '../ui/Frame'
import { Notice } from '../ui/Notice'
import { initials } from '../words'
import { Boards } from './Boards'
import { BrowsersDialog } from './BrowsersDialog'
import { InviteDialog } from './InviteDialog'
import { Welcome } from './Welcome'

export function StartPage ({ access }: { access: Access }) {
  const { credentials, session } = access
  useEffect(() => { document.title = 'Boards - Boardwire' }, [])
  useEffect(() => renewOnReturn(session), [session])

  const isNobody = credentials.token === undefined && session.sub === null
  if (isNobody || isOver(session)) return <Frame><Welcome ended={isOver(session) ? 'token' : session.by === 'lapsed' ? 'session' : null} /></Frame>
  return (
    <Frame aside={<Who access={access} />}>
      {tabKeep.fleeting === true && credentials.token !== undefined && (
        <Notice>
          This browser keeps nothing of this site. Your sign-in stands in the address, so do not pass that on; and changes that
          you make without a connection are lost with the page.
        </Notice>
      )}
      <Boards credentials={credentials} session={session} />
    </Frame>
  )
}

function Who ({ access: { credentials, session } }: { access: Access }) {
  const [open, setOpen] = useState<'browsers' | 'invite' | null>(null)
  const close = () => setOpen(null)
  const end = () => {
    if (session.by !== 'session') return signOut()
    // The server may be away: then the browser stays signed in, and the page says so by showing it again.
    void createApi({}).endSession().catch(() => {}).then(signOut)
  }
  return (
    <div className='bw-account'>
      <span className='bw-who'>
        <span className='bw-initials' aria-hidden='true'>{initials(session.name)}</span>
        <span>{session.name}</span>
      </span>
      {session.admin && <button type='button' className='bw-button bw-quiet' onClick={() => setOpen('invite')}>Invite somebody</button>}
      {(session.by === 'session' || session.admin) && (
        <button type='button' className='bw-button bw-quiet' onClick={() => setOpen('browsers')}>Signed-in browsers</button>
      )}
      {session.by !== 'proxy' && <button type='button' className='bw-button bw-quiet' onClick={end}>Sign out</button>}
      {open === 'browsers' && <BrowsersDialog credentials={credentials} session={session} onSignOut={end} onClose={close} />}
      {open === 'invite' && <InviteDialog credentials={credentials} onClose={close} />}
    </div>
  )
}

// Which browsers are signed in may have changed in another tab.
function renewOnReturn (session: Session): () => void {
  if (!isAmbient(session)) return () => {}
  const show = (event: PageTransitionEvent): void => { if (event.persisted) location.reload() }
  addEventListener('pageshow', show)
  return () => removeEventListener('pageshow', show)
}
