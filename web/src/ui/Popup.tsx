// A button that opens a list below it; a press elsewhere, the focus elsewhere and Escape close it.
import { useEffect, useId, useRef, useState, type ReactNode } from 'react'

interface PopupProps {
  /** Of the whole. */
  readonly className: string
  /** Of the button. */
  readonly button: React.ButtonHTMLAttributes<HTMLButtonElement> & { readonly 'data-testid'?: string }
  readonly face: ReactNode
  /** `data-testid` of the list. */
  readonly list: string
  readonly onOpen?: () => void
  /** What is in it; `close` gives the focus back to the button. */
  readonly children: (close: () => void) => ReactNode
  readonly onClose?: () => void
}

export function Popup ({ className, button, face, list, onOpen, onClose, children }: PopupProps) {
  const [isOpen, setOpen] = useState(false)
  const [id, whole, opener] = [useId(), useRef<HTMLDivElement>(null), useRef<HTMLButtonElement>(null)]
  const told = useRef(onClose)
  told.current = onClose
  useEffect(() => {
    if (!isOpen) return
    const life = new AbortController()
    const close = ({ target }: Event): void => { if (target instanceof Node && whole.current?.contains(target) !== true) setOpen(false) }
    for (const event of ['pointerdown', 'focusin']) document.addEventListener(event, close, { capture: true, signal: life.signal })
    return () => {
      life.abort()
      told.current?.()
    }
  }, [isOpen])
  const close = (): void => {
    setOpen(false)
    opener.current?.focus()
  }
  const onKeyDown = ({ key }: { key: string }): void => { if (key === 'Escape' && isOpen) close() }
  const toggle = (): void => {
    if (!isOpen) onOpen?.()
    setOpen(!isOpen)
  }
  return (
    <div className={className} ref={whole} onKeyDown={onKeyDown}>
      <button type='button' ref={opener} {...button} aria-expanded={isOpen} aria-controls={id} onClick={toggle}>{face}</button>
      {isOpen && <ul className='bw-more-list' data-testid={list} id={id}>{children(close)}</ul>}
    </div>
  )
}
