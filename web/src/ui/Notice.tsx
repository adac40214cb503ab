// What went wrong or is worth knowing, read out as it appears.
import type { ReactNode } from 'react'
import { explain } from '../problems'

/** A problem in words, with a way to try again, or something else to do (`children`), where there is one. Nothing without a problem. */
export function Problem ({ cause, onRetry, children }: { cause: unknown, onRetry?: (() => void) | undefined, children?: ReactNode }) {
  return (
    <div className='bw-live' role='alert'>
      {cause != null && (
        <div className='bw-notice bw-bad'>
          <span>{explain(cause)}</span>
          {onRetry && <button type='button' className='bw-button' onClick={onRetry}>Try again</button>}
          {children}
        </div>
      )}
    </div>
  )
}

/** Something worth knowing. */
export function Notice ({ children }: { children: ReactNode }) {
  return <div className='bw-notice'><span>{children}</span></div>
}
