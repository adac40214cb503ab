// Sharing a board: links, people and teams, everybody, agents. For its owner and admins; others are told so.
import { type KeyboardEvent, useId, useMemo, useRef, useState } from 'react'
import { createApi } from '../api'
import type { Credentials } from '../credentials'
import { Dialog } from '../ui/Dialog'
import { Keys } from './Keys'
import { Links } from './Links'
import { People } from './People'
import { Public } from './Public'

export interface ShareDialogProps {
  /** The board's id. */
  readonly board: string
  readonly credentials: Credentials
  readonly onClose: () => void
  /** What to call the board, where it is known. */
  readonly title?: string
}

const TABS = [
  { name: 'Links', content: Links },
  { name: 'People', content: People },
  { name: 'Public', content: Public },
  { name: 'Agents', content: Keys }
] as const

/** Opens as it is rendered; `onClose` is to take it away. */
export function ShareDialog ({ board, credentials, onClose, title = board }: ShareDialogProps) {
  const api = useMemo(() => createApi(credentials), [credentials])
  const [chosen, setChosen] = useState(0)
  const tabs = useRef<HTMLDivElement>(null)
  const id = useId()
  const Content = TABS[chosen]?.content ?? Links

  // One stop for the tab key, arrows between the tabs, as people who use a keyboard expect.
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    const next = event.key === 'Home'
      ? 0
      : event.key === 'End' ? TABS.length - 1 : step && (chosen + step + TABS.length) % TABS.length
    if (next === undefined) return
    event.preventDefault()
    setChosen(next)
    tabs.current?.querySelectorAll<HTMLElement>('[role=tab]')[next]?.focus()
  }

  return (
    <Dialog title={`Share ${title}`} onClose={onClose}>
      <div ref={tabs} className='bw-tabs' role='tablist' aria-label='Ways to share' onKeyDown={move}>
        {TABS.map(({ name }, index) => (
          <button
            key={name} type='button' role='tab' className='bw-tab' id={`${id}-${name}`}
            aria-selected={index === chosen} aria-controls={`${id}-panel`} tabIndex={index === chosen ? 0 : -1}
            onClick={() => setChosen(index)}
          >
            {name}
          </button>
        ))}
      </div>
      <div className='bw-dialog-body' role='tabpanel' id={`${id}-panel`} aria-labelledby={`${id}-${TABS[chosen]?.name ?? ''}`}>
        <Content api={api} board={board} />
      </div>
    </Dialog>
  )
}
