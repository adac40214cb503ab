// "3 changes while you were away": shows them, and goes away when told to, or by itself.
import { useEffect } from 'react'
import { useValue, type Editor } from 'tldraw'
import { CloseIcon } from '../ui/icons'
import { zoomTo } from './canvas'
import type { Signals } from './signals'

/** How long the marks stay once they have been seen. */
const STAY_MS = 12_000

export function AwayChip ({ editor, signals }: { editor: Editor, signals: Signals }) {
  const away = useValue('away', () => signals.away.get(), [signals])
  useEffect(() => {
    if (away === null) return
    let timer: ReturnType<typeof setTimeout>
    // Nobody sees a page in the background, so the time does not run there.
    const wait = (): void => {
      clearTimeout(timer)
      if (document.visibilityState === 'visible') timer = setTimeout(() => signals.away.set(null), STAY_MS)
    }
    wait()
    document.addEventListener('visibilitychange', wait)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', wait)
    }
  }, [away, signals])
  return (
    <div role='status'>
      {away !== null && (
        <div className='bw-chip' data-testid='away-chip'>
          <button
            type='button' className='bw-chip-text' disabled={away.marks.length === 0}
            onClick={() => zoomTo(editor, away.marks.map(({ id }) => id))}
          >
            {awayWords(away.marks.length, away.deleted)}
          </button>
          <button type='button' className='bw-chip-close' aria-label='Dismiss' onClick={() => signals.away.set(null)}>
            <CloseIcon />
          </button>
        </div>
      )}
    </div>
  )
}

/** How it reads. */
export function awayWords (changed: number, deleted: number): string {
  const all = changed + deleted
  const count = `${all} ${all === 1 ? 'change' : 'changes'} while you were away`
  return deleted === 0 ? count : `${count}, ${deleted === all ? 'all' : deleted} deleted`
}
