// The page at `/`: one's boards, or how to get in.
import { useEffect } from 'react'
import { tabKeep } from '../browser'
import { type Credentials, signOut } from '../credentials'
import { readSession, type Session } from '../session'
import { Frame } from '../ui/Frame'
import { Notice } from '../ui/Notice'
import { initials } from '../words'
import { Boards } from './Boards'
import { Welcome } from './Welcome'

export function StartPage ({ credentials }: { credentials: Credentials }) {
  const session = readSession(credentials.token)
  const expired = session.expires !== null && session.expires < Date.now()
  useEffect(() => { document.title = 'Boards - Boardwire' }, [])

  if (credentials.token === undefined || expired) return <Frame><Welcome expired={expired} /></Frame>
  return (
    <Frame aside={<Who session={session} />}>
      {tabKeep.fleeting === true && (
        <Notice>
          This browser keeps nothing of this site. Your sign-in stands in the address, so do not pass that on; and changes that
          you make without a connection are lost with the page.
        </Notice>
      )}
      <Boards credentials={credentials} session={session} />
    </Frame>
  )
}

function Who ({ session }: { session: Session }) {
  return (
    <>
      <span className='bw-who'>
        <span className='bw-initials' aria-hidden='true'>{initials(session.name)}</span>
        <span>{session.name}</span>
      </span>
      <button type='button' className='bw-button bw-quiet' onClick={signOut}>Sign out</button>
    </>
  )
}
