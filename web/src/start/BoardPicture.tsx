// How a board looks, small: the server's own picture of it.
import { useEffect, useRef, useState } from 'react'
import type { Api, Board } from '../api'
import { createQueue } from './queue'

/** Pictures that are loaded at a time: the server draws a few at a time, too. */
const AT_ONCE = 3

/** Twice the size that a card shows, for sharp screens. */
const SIZE = { width: '520', height: '240' }

const queue = createQueue(AT_ONCE)

/** Where there is none (it comes, or cannot be had) there is a calm area of the same size. */
export function BoardPicture ({ board, api }: { board: Board, api: Api }) {
  const area = useRef<HTMLDivElement>(null)
  const [address, setAddress] = useState<string | null>(null)
  const theme = useTheme()

  useEffect(() => {
    const element = area.current
    if (element === null) return
    const abort = new AbortController()
    let shown: string | null = null
    const load = async () => {
      const picture = await queue(async () => await api.readPicture(board.id, { ...SIZE, theme }, abort.signal), abort.signal)
      if (abort.signal.aborted) return
      shown = URL.createObjectURL(picture)
      setAddress(shown)
    }
    const seen = new IntersectionObserver(entries => {
      if (!entries.some(entry => entry.isIntersecting)) return
      seen.disconnect()
      // A card without a picture says all that there is to say.
      load().catch(() => {})
    }, { rootMargin: '200px' })
    seen.observe(element)
    return () => {
      seen.disconnect()
      abort.abort()
      setAddress(null)
      if (shown !== null) URL.revokeObjectURL(shown)
    }
  }, [api, board.id, board.updated_at, theme])

  return (
    <div ref={area} className='bw-picture' data-testid='picture'>
      {address !== null && <img src={address} alt='' draggable={false} />}
    </div>
  )
}

/** Light or dark, as the page is shown. */
function useTheme (): 'light' | 'dark' {
  const [query] = useState(() => matchMedia('(prefers-color-scheme: dark)'))
  const [isDark, setDark] = useState(query.matches)
  useEffect(() => {
    const change = () => setDark(query.matches)
    query.addEventListener('change', change)
    return () => query.removeEventListener('change', change)
  }, [query])
  const chosen = document.documentElement.dataset['theme']
  return chosen === 'light' || chosen === 'dark' ? chosen : isDark ? 'dark' : 'light'
}
