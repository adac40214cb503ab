// How to get in: where the server sends people to sign in, and a token as the last way.
import { useEffect, useState } from 'react'
import { isFramed } from '../frame'
import { askStanding, loginAddress } from '../standing'
import { TokenForm } from './TokenForm'

/** `to` is our path to come back to. */
export function WaysIn ({ to }: { to: string }) {
  const login = useLoginUrl()
  const [isTyping, setTyping] = useState(false)
  if (login === undefined) return null
  if (login === null) return <TokenForm to={to} />
  return (
    <>
      <div className='bw-ways'>
        <a
          className='bw-button bw-primary' data-testid='login' href={loginAddress(login, location.origin + to)}
          target={isFramed() ? '_blank' : undefined} rel='noopener'
        >
          Sign in
        </a>
        {!isTyping && <button type='button' className='bw-button bw-quiet' onClick={() => setTyping(true)}>I have a token</button>}
      </div>
      {isTyping && <TokenForm to={to} />}
    </>
  )
}

/** Where people sign in; null where the server names no place, undefined until it has said. */
function useLoginUrl (): string | null | undefined {
  const [login, setLogin] = useState<string | null | undefined>(undefined)
  useEffect(() => {
    const life = new AbortController()
    void askStanding(life.signal).then(standing => { if (!life.signal.aborted) setLogin(standing?.loginUrl ?? null) })
    return () => life.abort()
  }, [])
  return login
}
