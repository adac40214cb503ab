// A value to take along, with a button that copies it.
import { useEffect, useId, useRef, useState } from 'react'

/** How long the button says that it worked. */
const THANKS_MS = 2000

/** Where the clipboard is closed to pages (plain http, say) the text is selected instead, ready for the keyboard. */
export function CopyField ({ label, value }: { label: string, value: string }) {
  const field = useRef<HTMLInputElement>(null)
  const [outcome, setOutcome] = useState<'none' | 'copied' | 'selected'>('none')
  const id = useId()

  useEffect(() => {
    if (outcome === 'none') return
    const timer = setTimeout(() => setOutcome('none'), THANKS_MS)
    return () => clearTimeout(timer)
  }, [outcome])

  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value)
      setOutcome('copied')
    } catch {
      field.current?.focus()
      field.current?.select()
      setOutcome('selected')
    }
  }

  return (
    <div className='bw-field'>
      <label htmlFor={id}>{label}</label>
      <div className='bw-copy'>
        <input ref={field} id={id} className='bw-input' readOnly value={value} onFocus={event => event.target.select()} />
        <button type='button' className='bw-button bw-primary' onClick={() => { void copy() }}>
          {outcome === 'copied' ? 'Copied' : 'Copy'}
        </button>
      </div>
      <span className='bw-hidden' role='status'>
        {outcome === 'copied' && 'Copied.'}
        {outcome === 'selected' && 'Selected. Press Ctrl+C or Cmd+C.'}
      </span>
    </div>
  )
}
