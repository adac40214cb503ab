// Who is here: a coloured mark for each person and agent, oneself first.
import { memo } from 'react'
import type { Editor } from 'tldraw'
import { initials } from '../words'
import { goTo } from './canvas'
import type { Identity } from './identity'
import { peopleOf, type Peer, type Person } from './presence'

/** More are counted. */
const SHOWN_MAX = 4

interface PresenceBarProps {
  readonly peers: readonly Peer[]
  readonly identity: Identity
  readonly editor: Editor | null
}

export const PresenceBar = memo(function PresenceBar ({ peers, identity, editor }: PresenceBarProps) {
  const people = peopleOf(peers)
  const others = people.filter(({ id }) => id !== identity.id)
  const ownTabs = 1 + (people.find(({ id }) => id === identity.id)?.tabs ?? 0)
  const shown = others.slice(0, SHOWN_MAX)
  const more = others.slice(SHOWN_MAX)
  return (
    <ul className='bw-people' aria-label='People on this board' data-testid='presence-bar' data-count={others.length + 1}>
      {shown.map(person => (
        <li key={person.id}>
          <button
            type='button' className='bw-person' data-testid='person' data-kind={person.kind} style={{ backgroundColor: person.color }}
            aria-label={personWords(person)} title={personWords(person)}
            onClick={() => { if (editor !== null) goTo(editor, person.peer.page, person.peer.cursor) }}
          >
            {person.initials}
            {person.kind === 'agent' && <span className='bw-person-agent' aria-hidden='true'>✦</span>}
            {person.tabs > 1 && <span className='bw-person-tabs' aria-hidden='true'>{person.tabs}</span>}
          </button>
        </li>
      ))}
      {more.length > 0 && (
        <li>
          <span
            className='bw-person bw-person-more' data-testid='more-people' role='img'
            aria-label={`${more.length} more: ${more.map(({ name }) => name).join(', ')}`}
            title={more.map(({ name }) => name).join(', ')}
          >
            +{more.length}
          </span>
        </li>
      )}
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

function personWords ({ name, kind, tabs }: Person): string {
  const who = kind === 'agent' ? `${name}, an agent` : name
  return tabs > 1 ? `${who}, in ${tabs} windows` : who
}
