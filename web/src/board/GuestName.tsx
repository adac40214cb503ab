// What a guest is called: asked once, after they have seen the board, and changed at their own mark.
import { type FormEvent, useEffect, useId, useState } from 'react'
import { CloseIcon } from '../ui/icons'

/** How long somebody looks at the board before they are asked. */
const ASK_AFTER_MS = 1_500

/** A field for a name. Taken as it is sent. */
export function NameForm ({ name, onName }: { name: string, onName: (name: string) => void }) {
  const [text, setText] = useState(name === 'Guest' ? '' : name)
  const id = useId()
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onName(text)
  }
  return (
    <form className='bw-name-form' onSubmit={submit}>
      <label htmlFor={id}>What should others call you?</label>
      <input id={id} className='bw-input' value={text} maxLength={64} autoComplete='name' placeholder='Guest' onChange={event => setText(event.target.value)} />
      <button type='submit' className='bw-button bw-primary'>OK</button>
    </form>
  )
}

/** Asks, unless it was answered before. */
export function GuestQuestion ({ onName }: { onName: (name: string) => void }) {
  const [isAsked, setAsked] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setAsked(true), ASK_AFTER_MS)
    return () => clearTimeout(timer)
  }, [])
  // What is typed is no shortcut of the canvas.
  return (
    <div role='status' className='bw-live' data-testid='guest-question' onKeyDown={event => event.stopPropagation()}>
      {isAsked && (
        <div className='bw-hint bw-hint-quiet bw-hint-name' data-testid='guest-name'>
          <NameForm name='' onName={onName} />
          <button type='button' className='bw-button bw-quiet bw-icon-button' aria-label='Stay a guest without a name' onClick={() => onName('')}>
            <CloseIcon />
          </button>
        </div>
      )}
    </div>
  )
}
