// Who is here: a coloured mark for each person and agent, oneself first.
import { memo, useEffect, useId, useRef, useState } from 'react'
import type { Editor } from 'tldraw'
import { useMedia } from '../ui/hooks'
import { initials } from '../words'
import { goTo } from './canvas'
import type { Identity } from './identity'
import { peopleOf, type Peer, type Person } from './presence'

/** More are counted, and listed when asked for. */
const SHOWN_MAX = 4

/** Where the title, the state of saving and a button have to fit in, too. */
const SHOWN_NARROW_MAX = 2
const NARROW = '(max-width: 620px)'

interface PresenceBarProps {
  readonly peers: readonly Peer[]
  readonly identity: Identity
  readonly editor: Editor | null
}

export const PresenceBar = memo(function PresenceBar ({ peers, identity, editor }: PresenceBarProps) {
  const people = peopleOf(peers)
  const others = people.filter(({ id }) => id !== identity.id)
  const ownTabs = 1 + (people.find(({ id }) => id === identity.id)?.tabs ?? 0)
  const max = useMedia(NARROW) ? SHOWN_NARROW_MAX : SHOWN_MAX
  const shown = others.slice(0, max)
  const more = others.slice(max)
  const visit = ({ peer }: Person): void => { if (editor !== null) goTo(editor, peer.page, peer.cursor) }
  return (
    <ul className='bw-people' aria-label='People on this board' data-testid='presence-bar' data-count={others.length + 1}>
      {shown.map(person => (
        <li key={person.id}>
          <button
            type='button' className='bw-person' data-testid='person' data-kind={person.kind} style={{ backgroundColor: person.color }}
            aria-label={personWords(person)} title={personWords(person)}
            onClick={() => visit(person)}
          >
            {person.initials}
            {person.kind === 'agent' && <span className='bw-person-agent' aria-hidden='true'>✦</span>}
            {person.tabs > 1 && <span className='bw-person-tabs' aria-hidden='true'>{person.tabs}</span>}
          </button>
        </li>
      ))}
      {more.length > 0 && <More people={more} onVisit={visit} />}
      <li>
        <span
          className='bw-person bw-person-self' data-testid='self' role='img' style={{ backgroundColor: identity.color }}
          aria-label={ownTabs > 1 ? `You, ${identity.name}, in ${ownTabs} windows` : `You, ${identity.name}`}
          title={`${identity.name} (you)`}
        >
          {initials(identity.name)}
          {ownTabs > 1 && <span className='bw-person-tabs' aria-hidden='true'>{ownTabs}</span>}
        </span>
      </li>
    </ul>
  )
})

function More ({ people, onVisit }: { people: readonly Person[], onVisit: (person: Person) => void }) {
  const [isOpen, setOpen] = useState(false)
  const [list, whole] = [useId(), useRef<HTMLLIElement>(null)]
  const button = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (!isOpen) return
    const life = new AbortController()
    const close = ({ target }: Event): void => { if (target instanceof Node && whole.current?.contains(target) !== true) setOpen(false) }
    for (const event of ['pointerdown', 'focusin']) document.addEventListener(event, close, { capture: true, signal: life.signal })
    return () => life.abort()
  }, [isOpen])
  const onKeyDown = ({ key }: { key: string }): void => {
    if (key !== 'Escape' || !isOpen) return
    setOpen(false)
    button.current?.focus()
  }
  const names = people.map(({ name }) => name).join(', ')
  return (
    <li className='bw-more' ref={whole} onKeyDown={onKeyDown}>
      <button
        type='button' className='bw-person bw-person-more' data-testid='more-people' ref={button} title={names}
        aria-label={`${people.length} more: ${names}`} aria-expanded={isOpen} aria-controls={list} onClick={() => setOpen(!isOpen)}
      >
        +{people.length}
      </button>
      {isOpen && (
        <ul className='bw-more-list' data-testid='more-list' id={list}>
          {people.map(person => (
            <li key={person.id}>
              <button type='button' onClick={() => { setOpen(false); onVisit(person) }}>
                <span className='bw-person' data-kind={person.kind} style={{ backgroundColor: person.color }} aria-hidden='true'>{person.initials}</span>
                <span className='bw-more-name'>{personWords(person)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </li>
  )
}

function personWords ({ name, kind, tabs }: Person): string {
  const who = kind === 'agent' ? `${name}, an agent` : name
  return tabs > 1 ? `${who}, in ${tabs} windows` : who
}
