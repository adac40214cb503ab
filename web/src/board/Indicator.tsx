// Whether one is connected, and whether one's changes are saved: in a few words, and for screen readers where
// it matters.
import { useEffect, useState } from 'react'
import type { ConnectionState } from './connection'

export function Indicator ({ state }: { state: ConnectionState }) {
  const { short, long, tone } = indicatorWords(state)
  // Saving comes and goes with every stroke. Neither it nor "saved" after it is read out each time: the words
  // stay.
  const [said, setSaid] = useState('')
  const isPassing = state.saving === 'saving' || state.link === 'opening'
  useEffect(() => { if (!isPassing) setSaid(long) }, [isPassing, long])
  return (
    <div
      className='bw-indicator' data-testid='indicator' data-link={state.link} data-saving={state.saving}
      data-waiting={state.waiting} data-tone={tone} title={long}
    >
      <span className='bw-indicator-dot' aria-hidden='true' />
      <span className='bw-indicator-text'>{short}</span>
      <span className='bw-hidden' role='status'>{said}</span>
    </div>
  )
}

/** How it reads: `tone` is good, busy or bad. */
export function indicatorWords ({ link, saving, waiting, level, verdict, lapsed }: ConnectionState): { short: string, long: string, tone: string } {
  if (saving === 'refused') {
    return { short: 'Not saved', long: `Not saved: ${verdict === null ? 'you may only view this board' : verdict.title}.`, tone: 'bad' }
  }
  if (verdict !== null) return { short: 'Disconnected', long: `Disconnected. ${verdict.title}.`, tone: 'bad' }
  const changes = `${waiting} ${waiting === 1 ? 'change' : 'changes'}`
  if (lapsed === true) {
    return waiting > 0
      ? { short: `Signed out, ${changes} waiting`, long: `Signed out. ${changes} will be saved once you sign in again.`, tone: 'bad' }
      : { short: 'Signed out', long: 'Signed out. Everything is saved.', tone: 'bad' }
  }
  if (link === 'opening' && waiting === 0) return { short: 'Connecting', long: 'Connecting to the server.', tone: 'busy' }
  if (link !== 'connected') {
    const word = { opening: 'Connecting', reconnecting: 'Reconnecting', offline: 'Offline' }[link]
    return waiting > 0
      ? { short: `${word}, ${changes} waiting`, long: `${word}. ${changes} will be saved when the connection is back.`, tone: 'bad' }
      : { short: word, long: `${word}. ${saving === 'saved' ? 'Everything is saved.' : ''}`.trim(), tone: 'bad' }
  }
  if (saving === 'saving') return { short: 'Saving', long: 'Connected. Your changes are being saved.', tone: 'busy' }
  if (level !== 'edit') return { short: 'Connected', long: 'Connected.', tone: 'good' }
  return { short: 'Saved', long: 'Connected. Everything is saved.', tone: 'good' }
}
