// What somebody without a token sees: what this is, and how to get in.
import { type FormEvent, useState } from 'react'
import { tabKeep } from '../browser'
import { findToken, keepToken, onward } from '../credentials'
import { START } from '../route'
import { Notice } from '../ui/Notice'
import { Sketch } from './Sketch'

export function Welcome ({ expired }: { expired: boolean }) {
  return (
    <div className='bw-welcome'>
      <div className='bw-panel'>
        <Sketch seed='welcome' />
        <h1>Boards to draw on together</h1>
        <p className='bw-soft'>
          This is a Boardwire server. People and agents edit its boards at once, and everybody sees every change as it happens.
        </p>
      </div>
      {expired && <Notice>Your token has expired. Ask for a new one.</Notice>}
      <TokenForm />
      <div className='bw-panel'>
        <h2>Other ways in</h2>
        <ul className='bw-soft'>
          <li><strong>Somebody shared a board with you?</strong> Open their link. It needs no token.</li>
          <li><strong>You come from another application?</strong> Open the board from there: it sends your token along.</li>
          <li><strong>Trying it out with <code>--dev</code>?</strong> Open one of the links that the server printed as it started.</li>
        </ul>
      </div>
    </div>
  )
}

function TokenForm () {
  const [text, setText] = useState('')
  const [wrong, setWrong] = useState(false)

  const submit = (event: FormEvent) => {
    event.preventDefault()
    const token = findToken(text)
    setWrong(token === null)
    if (token === null) return
    keepToken(token, tabKeep)
    location.assign(onward(START, { token }))
  }

  return (
    <form className='bw-panel' onSubmit={submit}>
      <h2>Sign in with a token</h2>
      <label className='bw-field'>
        Token, or a link that holds one
        <textarea
          className='bw-input' rows={3} required spellCheck={false} autoComplete='off' value={text}
          aria-invalid={wrong} aria-describedby='token-help' onChange={event => setText(event.target.value)}
        />
      </label>
      <p id='token-help' className='bw-small bw-soft' role='status'>
        {wrong ? 'This is no token: one has three parts with dots between them.' : 'It is kept for this tab only.'}
      </p>
      <div><button type='submit' className='bw-button bw-primary'>Sign in</button></div>
    </form>
  )
}
