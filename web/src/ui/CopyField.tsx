// A value to take along, with a button that copies it.
import { useEffect, useId, useRef, useState } from 'react'
import { copyText } from '../browser'

/** How long a button says that it worked. */
const THANKS_MS = 2000

/** Shows the value in a field of its own. */
export function CopyField ({ label, value }: { label: string, value: string }) {
  const field = useRef<HTMLInputElement>(null)
  const id = useId()
  const select = () => {
    field.current?.focus()
    field.current?.select()
  }
  return (
    <div className='bw-field'>
      <label htmlFor={id}>{label}</label>
      <div className='bw-copy'>
        <input ref={field} id={id} className='bw-input' readOnly value={value} onFocus={event => event.target.select()} />
        <CopyButton value={value} what={label} onRefused={select} />
      </div>
    </div>
  )
}

interface CopyButtonProps {
  readonly value: string
  /** For assistive technology: what is copied. */
  readonly what: string
  /** Where the browser does not let the page copy: shows the value, ready for the keyboard. */
  readonly onRefused?: () => void
}

export function CopyButton ({ value, what, onRefused }: CopyButtonProps) {
  const [outcome, setOutcome] = useState<'copied' | 'refused' | null>(null)

  useEffect(() => {
    if (outcome === null) return
    const timer = setTimeout(() => setOutcome(null), THANKS_MS)
    return () => clearTimeout(timer)
  }, [outcome])

  const copy = async () => {
    const isCopied = await copyText(value)
    setOutcome(isCopied ? 'copied' : 'refused')
    if (!isCopied) onRefused?.()
  }

  return (
    <button
      type='button' className='bw-button bw-copy-button' aria-live='polite'
      aria-label={outcome === null ? `Copy: ${what}` : undefined} onClick={() => { void copy() }}
    >
      {outcome === null ? 'Copy' : outcome === 'copied' ? 'Copied' : 'Press Ctrl+C'}
    </button>
  )
}
