// Who is here: a coloured mark for each person and agent, oneself first. Who manages the board pauses agents
// here.
import { memo, useCallback, useState, type CSSProperties } from 'react'
import type { Editor } from 'tldraw'
import { everyPage, type Key } from '../api'
import { Problem } from '../ui/Notice'
import { PauseIcon, ResumeIcon } from '../ui/icons'
import { Popup } from '../ui/Popup'
import { useMedia } from '../ui/hooks'
import { initials } from '../words'
import { useAgents, type Agents } from './agents'
import type { BoardConnection } from './connection'
import { follow } from './follow'
import { peopleOf, type Peer, type Person } from './presence'
import type { Credentials } from '../credentials'
import { NameForm } from './GuestName'
import { useKnown } from './verified'

/** More are counted, and listed when asked for. */
const SHOWN_MAX = 4

/** Where the title, the state of saving and a button have to fit in, too. */
const SHOWN_NARROW_MAX = 2
const NARROW = '(max-width: 620px)'

interface PresenceBarProps {
  readonly peers: readonly Peer[]
  readonly connection: BoardConnection
  readonly credentials: Credentials
  /** Whether one may pause agents. */
  readonly manages: boolean
  readonly editor: Editor | null
  /** What one is called. */
  readonly name: string
  /** Takes another name; null for who has one from the server. */
  readonly onName: ((name: string) => void) | null
}

export const PresenceBar = memo(function PresenceBar ({ peers, connection, credentials, manages, editor, name, onName }: PresenceBarProps) {
  const { identity } = connection
  const ask = useCallback(
    async () => await everyPage(async cursor => await connection.api.listPresence(connection.id, cursor)), [connection, credentials]
  )
  const people = peopleOf(peers, useKnown(ask, connection.provider.awareness, peers))
  // Who goes while one looks at what to do about them stays until one has decided.
  const [held, setHeld] = useState<Person | null>(null)
  const isOneself = ({ id, says, verified }: Person): boolean => id === identity.id || (verified === 'asking' && says === identity.id)
  const here = people.filter(person => !isOneself(person))
  const others = held === null || here.some(({ id }) => id === held.id) ? here : [...here, held]
  const agents = useAgents(connection.id, credentials, manages, others)
  const ownTabs = people.filter(isOneself).reduce((sum, { tabs }) => sum + tabs, 1)
  // The mark of those who are paused takes a place, too.
  const max = (useMedia(NARROW) ? SHOWN_NARROW_MAX : SHOWN_MAX) - (agents !== null && agents.paused.length > 0 ? 1 : 0)
  const shown = others.filter((person, n) => n < max || person.id === held?.id)
  const more = others.filter(person => !shown.includes(person))
  // What one of them does has room; the others say it when asked.
  const busy = shown.find(({ kind, doing }) => kind === 'agent' && doing !== '')
  const visit = ({ peer }: Person): void => { if (editor !== null) follow(editor, peer, connection.doc.clientID) }
  return (
    <ul className='bw-people' aria-label='People on this board' data-testid='presence-bar' data-count={here.length + 1}>
      {busy !== undefined && <li className='bw-doing' data-testid='doing' title={`${busy.name}: ${busy.doing}`} aria-hidden='true'>{busy.doing}</li>}
      {shown.map(person => (
        <li key={person.id}>
          {agents !== null && agents.keysOf(person.says).length > 0
            ? <AgentMenu person={person} agents={agents} onVisit={visit} onHold={setHeld} />
            : <button type='button' {...faceOf(person)} onClick={() => visit(person)}><Face person={person} /></button>}
        </li>
      ))}
      {more.length > 0 && <li><More people={more} agents={agents} onVisit={visit} /></li>}
      {agents !== null && agents.paused.length > 0 && <li><Paused agents={agents} /></li>}
      <li>
        <Self name={name} color={identity.color} tabs={ownTabs} onName={onName} />
      </li>
    </ul>
  )
})

interface SelfProps extends Pick<PresenceBarProps, 'name' | 'onName'> {
  readonly color: string
  readonly tabs: number
}

// A guest's own mark opens the question what they are called.
function Self ({ name, color, tabs, onName }: SelfProps) {
  const words = tabs > 1 ? `You, ${name}, in ${tabs} windows` : `You, ${name}`
  const face = <>{initials(name)}{tabs > 1 && <span className='bw-person-tabs' aria-hidden='true'>{tabs}</span>}</>
  const look = { className: 'bw-person bw-person-self', 'data-testid': 'self', style: { backgroundColor: color }, title: `${name} (you)` }
  if (onName === null) return <span {...look} role='img' aria-label={words}>{face}</span>
  return (
    <Popup className='bw-more' button={{ ...look, 'aria-label': `${words}. Change your name` }} face={face} list='self-menu'>
      {close => <li className='bw-menu-form'><NameForm name={name} onName={given => { close(); onName(given) }} /></li>}
    </Popup>
  )
}

interface ListProps {
  readonly onVisit: (person: Person) => void
}

// An agent that acts by a key of this board, with what its owner can do about it.
function AgentMenu ({ person, agents, onVisit, onHold }: ListProps & { person: Person, agents: Agents, onHold: (person: Person | null) => void }) {
  return (
    <Popup
      className='bw-more' button={faceOf(person)} face={<Face person={person} />} list='agent-menu'
      onOpen={() => onHold(person)} onClose={() => onHold(null)}
    >
      {close => (
        <>
          <li className='bw-menu-head'>{personWords(person)}</li>
          <li><button type='button' onClick={() => { close(); onVisit(person) }}>Show where it is</button></li>
          {agents.keysOf(person.says).map(key => <li key={key.id}><PauseButton of={key} agents={agents} /></li>)}
          <Failed agents={agents} />
        </>
      )}
    </Popup>
  )
}

function Paused ({ agents }: { agents: Agents }) {
  const { paused } = agents
  const names = paused.map(({ name }) => name).join(', ')
  return (
    <Popup
      className='bw-more' list='paused-list'
      button={{ className: 'bw-person bw-person-more', title: `Paused: ${names}`, 'aria-label': `${paused.length} paused: ${names}`, 'data-testid': 'paused-agents' }}
      face={<><PauseIcon /><span className='bw-person-tabs' aria-hidden='true'>{paused.length}</span></>}
      onOpen={agents.reload}
    >
      {() => (
        <>
          <li className='bw-menu-head'>Paused agents</li>
          {paused.map(key => <li key={key.id}><PauseButton of={key} agents={agents} /></li>)}
          <Failed agents={agents} />
        </>
      )}
    </Popup>
  )
}

// The name is the one that the key was given here, not what an agent says of itself.
function PauseButton ({ of: key, agents }: { of: Key, agents: Agents }) {
  const words = key.paused ? 'Let it go on' : 'Pause agent'
  return (
    <button type='button' data-testid={key.paused ? 'resume' : 'pause'} aria-label={`${words}: ${key.name}`} onClick={() => agents.pause(key, !key.paused)}>
      {key.paused ? <ResumeIcon /> : <PauseIcon />}
      <span className='bw-menu-act'>{words}</span>
      <span className='bw-more-name bw-soft'>{key.name}</span>
    </button>
  )
}

function Failed ({ agents }: { agents: Agents }) {
  return <li className='bw-menu-problem'><Problem cause={agents.problem} /></li>
}

function More ({ people, agents, onVisit }: ListProps & { people: readonly Person[], agents: Agents | null }) {
  const names = people.map(({ name }) => name).join(', ')
  return (
    <Popup
      className='bw-more' list='more-list' face={`+${people.length}`}
      button={{ className: 'bw-person bw-person-more', title: names, 'aria-label': `${people.length} more: ${names}`, 'data-testid': 'more-people' }}
    >
      {close => people.map(person => (
        <li key={person.id}>
          <button type='button' onClick={() => { close(); onVisit(person) }}>
            <span className='bw-person' data-kind={person.kind} style={{ backgroundColor: person.color }} aria-hidden='true'>{person.initials}</span>
            <span className='bw-more-name'>{personWords(person)}</span>
            {isVerified(person) && <span className='bw-more-check' title='Signed in'>✓<span className='bw-hidden'> (signed in)</span></span>}
          </button>
          {agents?.keysOf(person.says).map(key => <PauseButton key={key.id} of={key} agents={agents} />)}
        </li>
      ))}
    </Popup>
  )
}

function faceOf (person: Person) {
  const style: CSSProperties = { backgroundColor: person.color }
  const words = personWords(person)
  const title = isVerified(person) ? `${words} (signed in)` : words
  return {
    className: 'bw-person', 'data-testid': 'person', 'data-kind': person.kind, 'data-verified': person.verified, style, 'aria-label': words, title
  }
}

function isVerified ({ kind, verified }: Person): boolean {
  return kind === 'person' && verified === 'yes'
}

/** For who the server knows by this name. */
function Check () {
  return <span className='bw-person-check' data-testid='check' aria-hidden='true'>✓</span>
}

function Face ({ person }: { person: Person }) {
  return (
    <>
      {person.initials}
      {person.kind === 'agent' && <span className='bw-person-agent' aria-hidden='true'>✦</span>}
      {isVerified(person) && <Check />}
      {person.tabs > 1 && <span className='bw-person-tabs' aria-hidden='true'>{person.tabs}</span>}
    </>
  )
}

function personWords ({ name, kind, tabs, doing, verified }: Person): string {
  const who = kind === 'agent' ? `${name}, an agent` : verified === 'no' ? `${name} (guest, name not verified)` : name
  const where = tabs > 1 ? `${who}, in ${tabs} windows` : who
  return doing === '' ? where : `${where}, ${doing}`
}
