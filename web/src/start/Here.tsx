// Who is on a board now: a few coloured letters on its card, as long as the card can be seen.
import { type RefObject, useEffect, useState } from 'react'
import { type Api, everyPage, type Present } from '../api'
import { colorOf } from '../board/identity'
import { readPeer } from '../board/presence'
import { initials } from '../words'
import { createQueue } from './queue'

/** How often a board that is seen is asked for. */
const EVERY_MS = 15_000

/** Boards that are asked for at a time. */
const AT_ONCE = 2

/** More are counted. */
const SHOWN_MAX = 3

const queue = createQueue(AT_ONCE)

/** Somebody who is there. */
interface Someone {
  readonly id: string
  readonly name: string
  readonly color: string
}

interface HereProps {
  readonly board: string
  readonly api: Api
  /** The card. */
  readonly card: RefObject<HTMLElement | null>
}

export function Here ({ board, api, card }: HereProps) {
  const people = useHere(board, api, card)
  if (people.length === 0) return null
  const names = people.map(({ name }) => name).join(', ')
  const more = people.length - SHOWN_MAX
  return (
    <span className='bw-here' data-testid='here' role='img' aria-label={`Here now: ${names}`} title={`Here now: ${names}`}>
      {people.slice(0, SHOWN_MAX).map(({ id, name, color }) => (
        <span key={id} className='bw-here-one' style={{ backgroundColor: color }}>{initials(name)}</span>
      ))}
      {more > 0 && <span className='bw-here-one bw-here-more'>+{more}</span>}
    </span>
  )
}

function useHere (board: string, api: Api, card: RefObject<HTMLElement | null>): readonly Someone[] {
  const [people, setPeople] = useState<readonly Someone[]>([])
  useEffect(() => {
    const element = card.current
    if (element === null) return
    const life = new AbortController()
    const { signal } = life
    let isSeen = false
    let isAsking = false
    let askedAt = -EVERY_MS
    let timer: ReturnType<typeof setTimeout> | undefined
    // One question at a time, some seconds after the one before, and only where somebody looks.
    const ask = async (): Promise<void> => {
      isAsking = true
      const look = async () => await everyPage(async cursor => await api.listPresence(board, cursor, signal))
      // A card that does not know says nothing.
      const rows = await queue(look, signal).catch(() => [])
      isAsking = false
      askedAt = performance.now()
      if (signal.aborted) return
      setPeople(peopleIn(rows))
      plan()
    }
    const plan = (): void => {
      clearTimeout(timer)
      if (isAsking || !isSeen || document.visibilityState !== 'visible') return
      timer = setTimeout(() => { void ask() }, Math.max(0, askedAt + EVERY_MS - performance.now()))
    }
    const seen = new IntersectionObserver(entries => {
      isSeen = entries.at(-1)?.isIntersecting === true
      plan()
    })
    seen.observe(element)
    document.addEventListener('visibilitychange', plan, { signal })
    return () => {
      seen.disconnect()
      life.abort()
      clearTimeout(timer)
    }
  }, [api, board, card])
  return people
}

/**
 * Everybody once, whoever signed in first. Their name is the server's; only who came without an account is called what
 * they call themselves.
 */
export function peopleIn (rows: readonly Present[]): Someone[] {
  const people = new Map<string, Someone & { readonly isKnown: boolean }>()
  rows.forEach(({ subject, state, name }, row) => {
    const user = /^user:(.+)$/s.exec(subject)?.[1]
    const said = readPeer(row, state)?.user
    const id = user === undefined ? said?.id ?? subject : subject
    // A guest who takes a user's id is not that user.
    const key = user === undefined ? 'guest ' + id : id
    if (people.has(key)) return
    people.set(key, {
      id: key,
      name: user === undefined ? said?.name ?? 'Guest' : name ?? user,
      color: user === undefined ? said?.color ?? colorOf(id) : colorOf(id),
      isKnown: user !== undefined
    })
  })
  return [...people.values()].sort((one, other) => Number(other.isKnown) - Number(one.isKnown) || one.name.localeCompare(other.name))
}
