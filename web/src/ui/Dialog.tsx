// A modal dialog: the browser's own, which keeps the focus inside and gives it back.
import { type ReactNode, type SyntheticEvent, useId, useLayoutEffect, useRef } from 'react'
import { CloseIcon } from './icons'

interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly children: ReactNode
  /** For questions and single fields. */
  readonly narrow?: boolean
}

/**
 * Opens as it is rendered, with the focus on what has `data-first`. Escape, the cross and a press beside it call
 * `onClose`; whoever renders it takes it away.
 */
export function Dialog ({ title, onClose, children, narrow = false }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()

  // A layout effect, since it must be closed while it is still in the document: only then does the focus go
  // back.
  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    // The browser would choose the cross. React gives `autoFocus` no attribute that the browser could go by.
    element?.querySelector<HTMLElement>('[data-first]')?.focus()
    return () => element?.close()
  }, [])

  return (
    <dialog
      ref={dialog}
      className={narrow ? 'bw-dialog bw-narrow' : 'bw-dialog'}
      aria-labelledby={heading}
      onClose={event => { if (event.target === dialog.current && !dialog.current.open) onClose() }}
      onMouseDown={event => { if (event.target === dialog.current) onClose() }}
      {...KEPT_INSIDE}
    >
      <div className='bw-dialog-head'>
        <h2 id={heading}>{title}</h2>
        <button type='button' className='bw-button bw-quiet bw-icon-button' aria-label='Close' onClick={onClose}>
          <CloseIcon />
        </button>
      </div>
      {children}
    </dialog>
  )
}

const keep = (event: SyntheticEvent) => event.stopPropagation()

/** A canvas behind the dialog listens to the whole document; what is typed here is not for it. */
const KEPT_INSIDE = {
  onKeyDown: keep,
  onKeyUp: keep,
  onCopy: keep,
  onCut: keep,
  onPaste: keep,
  onPointerDown: keep,
  onPointerUp: keep,
  onPointerMove: keep,
  onWheel: keep,
  onTouchStart: keep,
  onTouchEnd: keep,
  onContextMenu: keep
}
