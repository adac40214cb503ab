// What a board was: its versions with time, who, name and picture; one is looked at, kept under a name,
// restored.
import { useCallback, useEffect, useMemo, useRef, useState, type FormEvent } from 'react'
import { createApi, everyPage, type Api, type Version } from '../api'
import type { Credentials } from '../credentials'
import { createQueue } from '../start/queue'
import { Dialog } from '../ui/Dialog'
import { useAct, useLoaded } from '../ui/hooks'
import { Problem } from '../ui/Notice'
import { fullTime, relativeTime } from '../words'
import { actorName } from './authorship'

interface HistoryDialogProps {
  readonly board: string
  readonly credentials: Credentials
  /** Whether one may keep and restore versions. */
  readonly isEditor: boolean
  readonly onClose: () => void
}

/** A restore that can be taken back. */
interface Restored {
  /** What the board was made to be. */
  readonly words: string
  /** The version to go back to. */
  readonly before: string
}

export function HistoryDialog ({ board, credentials, isEditor, onClose }: HistoryDialogProps) {
  const api = useMemo(() => createApi(credentials), [credentials])
  const versions = useLoaded<Version>(useCallback(
    async (signal: AbortSignal) => await everyPage(async cursor => await api.listVersions(board, cursor, signal)), [api, board]
  ))
  const { busy, problem, run } = useAct()
  const [looked, setLooked] = useState<Version | null>(null)
  const [restored, setRestored] = useState<Restored | null>(null)
  const restore = (version: string, words: string): void => run(async () => {
    const { before } = await api.restoreVersion(board, version)
    setRestored({ words, before: before.id })
    setLooked(null)
    versions.reload()
  })
  return (
    <Dialog title='History' onClose={onClose}>
      <div className='bw-dialog-body' data-testid='history'>
        <div className='bw-live' role='status'>
          {restored !== null && (
            <div className='bw-notice' data-testid='restored'>
              <span>{restored.words}</span>
              <button
                type='button' className='bw-button' disabled={busy}
                onClick={() => restore(restored.before, 'The board is as it was before.')}
              >
                Undo
              </button>
            </div>
          )}
        </div>
        <Problem cause={problem} />
        {looked === null
          ? (
            <>
              {isEditor && <Keep api={api} board={board} onKept={versions.reload} />}
              <Versions api={api} board={board} versions={versions} onLook={setLooked} />
            </>
            )
          : (
            <>
              <h3 className='bw-history-title'>{titleOf(looked)}</h3>
              <Picture api={api} board={board} version={looked} size={LARGE} alt={`The board ${relativeTime(looked.at)}`} />
              <p className='bw-small bw-soft'>
                {isEditor
                  ? 'Restoring changes the board for everybody, in one step. What is on it now is kept as a version, and what others draw meanwhile is not lost.'
                  : 'Whoever may edit the board can restore it.'}
              </p>
              <div className='bw-dialog-acts'>
                <button type='button' className='bw-button' autoFocus onClick={() => setLooked(null)}>Back</button>
                {isEditor && (
                  <button
                    type='button' className='bw-button bw-primary' disabled={busy}
                    onClick={() => restore(looked.id, `Restored: ${titleOf(looked)}, ${relativeTime(looked.at)}.`)}
                  >
                    Restore this version
                  </button>
                )}
              </div>
            </>
            )}
      </div>
    </Dialog>
  )
}

interface VersionsProps {
  readonly api: Api
  readonly board: string
  readonly versions: ReturnType<typeof useLoaded<Version>>
  readonly onLook: (version: Version) => void
}

function Versions ({ api, board, versions, onLook }: VersionsProps) {
  const { items } = versions
  return (
    <>
      <Problem cause={versions.problem} onRetry={versions.reload} />
      {items === null && versions.problem == null && <p className='bw-soft' role='status'>Loading.</p>}
      {items?.length === 0 && (
        <p className='bw-soft'>There are no versions yet. They come by themselves while people draw, and whenever somebody keeps one.</p>
      )}
      {items !== null && items.length > 0 && (
        <ul className='bw-list bw-history' aria-label='Versions'>
          {items.map(version => (
            <li key={version.id} data-testid='version' data-kind={version.kind}>
              <Picture api={api} board={board} version={version} size={SMALL} alt='' />
              <span className='bw-list-text'>
                <span>{titleOf(version)}</span>
                <span className='bw-small bw-soft'>
                  <time dateTime={version.at} title={fullTime(version.at)}>{relativeTime(version.at)}</time>
                  {version.by !== null && <>, by <bdi>{actorName(version.by)}</bdi></>}
                </span>
              </span>
              <button
                type='button' className='bw-button' aria-label={`Look at ${titleOf(version)}, ${relativeTime(version.at)}`}
                onClick={() => onLook(version)}
              >
                Look
              </button>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

function Keep ({ api, board, onKept }: { api: Api, board: string, onKept: () => void }) {
  const [name, setName] = useState('')
  const { busy, problem, run } = useAct()
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    run(async () => {
      await api.createVersion(board, name.trim() || null)
      setName('')
      onKept()
    })
  }
  return (
    <form className='bw-create bw-history-keep' onSubmit={submit}>
      <input
        className='bw-input' data-first aria-label='Name of this version (optional)' placeholder='Name (optional)' maxLength={100}
        value={name} onChange={event => setName(event.target.value)}
      />
      <button type='submit' className='bw-button' disabled={busy}>Keep as it is now</button>
      <Problem cause={problem} />
    </form>
  )
}

const KINDS: Record<Version['kind'], string> = {
  named: 'Kept by somebody', automatic: 'Kept by itself', before_deletion: 'Before much was deleted', before_restore: 'Before a version was restored'
}

function titleOf ({ name, kind }: Version): string {
  return name ?? KINDS[kind] ?? kind
}

/** Twice the size that is shown, for sharp screens. */
const SMALL = { width: '192', height: '128' }
const LARGE = { width: '1200', height: '800' }

/** The server draws a few at a time, too. */
const queue = createQueue(2)

interface PictureProps {
  readonly api: Api
  readonly board: string
  readonly version: Version
  readonly size: { readonly width: string, readonly height: string }
  readonly alt: string
}

// As on a card of the start page: where there is none there is a calm area.
function Picture ({ api, board, version, size, alt }: PictureProps) {
  const area = useRef<HTMLSpanElement>(null)
  const [address, setAddress] = useState<string | null>(null)
  useEffect(() => {
    const life = new AbortController()
    let shown: string | null = null
    const load = async (): Promise<void> => {
      const theme = document.documentElement.dataset['theme'] === 'dark' || matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
      const picture = await queue(async () => await api.readVersionPicture(board, version.id, { ...size, theme }, life.signal), life.signal)
      if (life.signal.aborted) return
      shown = URL.createObjectURL(picture)
      setAddress(shown)
    }
    const seen = new IntersectionObserver(entries => {
      if (!entries.some(entry => entry.isIntersecting)) return
      seen.disconnect()
      load().catch(() => {})
    })
    if (area.current !== null) seen.observe(area.current)
    return () => {
      seen.disconnect()
      life.abort()
      if (shown !== null) URL.revokeObjectURL(shown)
    }
  }, [api, board, version.id, size])
  return (
    <span ref={area} className={size === LARGE ? 'bw-history-large' : 'bw-history-small'} data-testid='version-picture'>
      {address !== null && <img src={address} alt={alt} draggable={false} />}
    </span>
  )
}
