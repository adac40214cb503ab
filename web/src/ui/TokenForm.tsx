// Signing in: a token, or a link that holds one, is pasted.
import { type FormEvent, useState } from 'react'
import { tabKeep } from '../browser'
import { findToken, signInAt } from '../credentials'

/** `to` is our path to go to then: where one came from. */
export function TokenForm ({ to }: { to: string }) {
  const [text, setText] = useState('')
  const [wrong, setWrong] = useState(false)

  const submit = (event: FormEvent) => {
    event.preventDefault()
    const token = findToken(text)
    setWrong(token === null)
    if (token !== null) signInAt(to, token)
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
        {wrong
          ? 'This is no token: one has three parts with dots between them.'
          : tabKeep.fleeting === true ? 'This browser keeps nothing, so it will stand in the address.' : 'It is kept for this tab only.'}
      </p>
      <div><button type='submit' className='bw-button bw-primary'>Sign in</button></div>
    </form>
  )
}
