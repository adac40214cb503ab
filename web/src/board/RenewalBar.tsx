// What one is told of a sign-in that ends: in time, with the ways to renew it; and that nothing is lost once
// it has ended.
import { type FormEvent, useId, useState } from 'react'
import type { Access } from '../access'
import { findToken, signInAt } from '../credentials'
import { boardPath } from '../route'
import { SwitchQuestion } from '../ui/SwitchQuestion'
import type { Renewal } from './renewal'

interface RenewalBarProps {
  readonly renewal: Renewal
  readonly access: Access
  /** Whether the browser keeps what is drawn. */
  readonly isKept: boolean
  readonly board: string
}

export function RenewalBar ({ renewal, access, isKept, board }: RenewalBarProps) {
  const { status, rival } = renewal
  const isShown = status === 'ending' || status === 'ended'
  return (
    <div role='alert' className='bw-live' onKeyDown={event => event.stopPropagation()}>
      {isShown && (
        <div className={status === 'ended' ? 'bw-hint bw-hint-bad' : 'bw-hint'} data-testid='renewal' data-status={status}>
          <span>{status === 'ended' ? <Ended isKept={isKept} /> : <Ending expires={access.session.expires} />}</span>
          <Ways renewal={renewal} />
        </div>
      )}
      {rival !== null && (
        <SwitchQuestion
          rival={{ credentials: { token: rival.token }, here: access.session.sub ?? '', there: rival.there }} by='token'
          onStay={renewal.refuse} onSwitch={() => signInAt(boardPath(board), rival.token)}
        />
      )}
    </div>
  )
}

// As it was when it came: words that change every minute would be read out each time.
function Ending ({ expires }: { expires: number | null }) {
  const [left] = useState(() => (expires ?? 0) - Date.now())
  return <>Your sign-in ends in {left > 90_000 ? 'two minutes' : left > 30_000 ? 'a minute' : 'a moment'}.</>
}

function Ended ({ isKept }: { isKept: boolean }) {
  return isKept
    ? <>Your sign-in has ended. What you drew is kept in this browser and will be sent once you sign in again.</>
    : <>Your sign-in has ended. What you drew is kept while this page is open and will be sent once you sign in again.</>
}

function Ways ({ renewal }: { renewal: Renewal }) {
  const [isPasting, setPasting] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const [text, setText] = useState('')
  const id = useId()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const token = findToken(text)
    setProblem(token === null ? 'This is no token: one has three parts with dots between them.' : renewal.offer(token))
  }
  return (
    <>
      {renewal.loginAddress !== null && (
        <a className='bw-button bw-primary' href={renewal.loginAddress} target='_blank' rel='noopener' data-testid='renew'>
          {renewal.status === 'ended' ? 'Sign in' : 'Renew'}
        </a>
      )}
      {isPasting
        ? (
          <form className='bw-name-form' onSubmit={submit}>
            <label htmlFor={id}>Token, or a link that holds one</label>
            <input
              id={id} className='bw-input' required autoFocus autoComplete='off' spellCheck={false} value={text}
              aria-invalid={problem !== null} onChange={event => setText(event.target.value)}
            />
            <button type='submit' className='bw-button'>Use it</button>
            {problem !== null && <span className='bw-form-problem'>{problem}</span>}
          </form>
          )
        : <button type='button' className='bw-button' onClick={() => setPasting(true)}>I have a token</button>}
    </>
  )
}
