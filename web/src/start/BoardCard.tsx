// One board on the start page, and what its owner may do with it here.
import { type FormEvent, type MouseEvent, useEffect, useRef, useState } from 'react'
import type { Api, Board, UnreadableBoard } from '../api'
import { type Credentials, onward } from '../credentials'
import { boardPath } from '../route'
import { manages, type Session } from '../session'
import { ShareDialog } from '../share/ShareDialog'
import { Dialog } from '../ui/Dialog'
import { useAct } from '../ui/hooks'
import { CopyIcon, DeleteIcon, RenameIcon, ShareIcon, StarIcon } from '../ui/icons'
import { Notice, Problem } from '../ui/Notice'
import { fullTime, levelWords, relativeTime } from '../words'
import { BoardPicture } from './BoardPicture'
import { duplicate, HalfCopied } from './duplicate'
import { Here } from './Here'

interface BoardCardProps {
  readonly board: Board
  readonly api: Api
  readonly credentials: Credentials
  readonly session: Session
  readonly onChanged: (board: Board) => void
  readonly onDeleted: (board: Board) => void
  readonly onCopied: (board: Board) => void
  /** Whether it comes first; null where there is nothing to come before. */
  readonly starred: boolean | null
  readonly onStar: (id: string) => void
  /** What was found on it. */
  readonly excerpt?: string | undefined
}

export function BoardCard (props: BoardCardProps) {
  const { board, api, credentials, session, onChanged, onDeleted, onCopied, starred, onStar, excerpt } = props
  const card = useRef<HTMLLIElement>(null)
  const copying = useAct()
  const [open, setOpen] = useState<'share' | 'rename' | 'delete' | null>(null)
  const close = () => setOpen(null)
  const name = board.title ?? board.id
  return (
    <li className='bw-card' ref={card}>
      <BoardPicture board={board} api={api} />
      <div className='bw-card-text'>
        <h2 className='bw-card-title' title={name}>
          <a href={onward(boardPath(board.id), credentials)} onClick={openElsewhere} onAuxClick={openElsewhere}>{name}</a>
        </h2>
        <div className='bw-card-facts'>
          <Role board={board} session={session} />
          <time dateTime={board.updated_at} title={fullTime(board.updated_at)}>{relativeTime(board.updated_at)}</time>
          <Here board={board.id} api={api} card={card} />
        </div>
        {excerpt !== undefined && excerpt !== '' && <p className='bw-card-excerpt' data-testid='excerpt'>{excerpt}</p>}
      </div>
      {starred !== null && (
        <button
          type='button' className='bw-button bw-icon-button bw-star' aria-pressed={starred} aria-label={`Star ${name}`}
          title={starred ? 'Not first any more' : 'Show first'} onClick={() => onStar(board.id)}
        >
          <StarIcon filled={starred} />
        </button>
      )}
      <div className='bw-card-acts'>
        {manages(board, session) && (
          <>
            <button type='button' className='bw-button bw-quiet' aria-label={`Share ${name}`} onClick={() => setOpen('share')}>
              <ShareIcon />Share
            </button>
            <button
              type='button' className='bw-button bw-quiet bw-icon-button' aria-label={`Rename ${name}`} title='Rename'
              onClick={() => setOpen('rename')}
            >
              <RenameIcon />
            </button>
          </>
        )}
        {board.level !== null && (
          <button
            type='button' className='bw-button bw-quiet bw-icon-button' aria-label={`Duplicate ${name}`} title='Duplicate'
            disabled={copying.busy} onClick={() => copying.run(async () => onCopied(await duplicate(api, board)))}
          >
            <CopyIcon />
          </button>
        )}
        {manages(board, session) && (
          <button
            type='button' className='bw-button bw-quiet bw-icon-button' aria-label={`Delete ${name}`} title='Delete'
            onClick={() => setOpen('delete')}
          >
            <DeleteIcon />
          </button>
        )}
      </div>
      {copying.problem != null && <div className='bw-card-problem'><CopyProblem cause={copying.problem} /></div>}
      {open === 'share' && <ShareDialog board={board.id} title={name} credentials={credentials} onClose={close} />}
      {open === 'rename' && <RenameDialog board={board} api={api} onClose={close} onChanged={onChanged} />}
      {open === 'delete' && <DeleteDialog board={board} api={api} onClose={close} onDeleted={onDeleted} />}
    </li>
  )
}

function CopyProblem ({ cause }: { cause: unknown }) {
  if (!(cause instanceof HalfCopied)) return <Problem cause={cause} />
  return <Notice>The copy failed, and an empty board is left: delete {cause.message}.</Notice>
}

/** A board whose stored rows are damaged. */
export function UnreadableCard ({ board }: { board: UnreadableBoard }) {
  return (
    <li className='bw-card'>
      <div className='bw-picture' />
      <div className='bw-card-text'>
        <h2 className='bw-card-title' title={board.id}>{board.id}</h2>
        <p className='bw-small bw-soft'>The server cannot read this board. Whoever runs it finds the reason in its log.</p>
      </div>
      <div className='bw-card-acts' />
    </li>
  )
}

function Role ({ board, session }: { board: Board, session: Session }) {
  if (board.owner !== null && board.owner === session.sub) return <span className='bw-badge bw-own'>Yours</span>
  return (
    <>
      {board.level !== null && <span className='bw-badge'>{levelWords(board.level)}</span>}
      {board.owner !== null && <span>by {board.owner}</span>}
    </>
  )
}

/** A new tab gets the token of this one only when this page opens it; the browser's own way gives it none. */
function openElsewhere (event: MouseEvent<HTMLAnchorElement>) {
  const elsewhere = event.button === 1 || (event.button === 0 && (event.ctrlKey || event.metaKey || event.shiftKey))
  if (!elsewhere) return
  event.preventDefault()
  window.open(event.currentTarget.href, '_blank')
}

interface RenameDialogProps extends Pick<BoardCardProps, 'board' | 'api' | 'onChanged'> { readonly onClose: () => void }

function RenameDialog ({ board, api, onClose, onChanged }: RenameDialogProps) {
  const [title, setTitle] = useState(board.title ?? '')
  const { busy, problem, run } = useAct()

  const submit = (event: FormEvent) => {
    event.preventDefault()
    run(async () => {
      onChanged(await api.renameBoard(board.id, title.trim() || null))
      onClose()
    })
  }

  return (
    <Dialog title='Rename the board' narrow onClose={onClose}>
      <form className='bw-dialog-body' onSubmit={submit}>
        <label className='bw-field'>
          Title
          <input
            className='bw-input' data-first maxLength={256} placeholder={board.id}
            value={title} onChange={event => setTitle(event.target.value)}
          />
        </label>
        <Problem cause={problem} />
        <div className='bw-dialog-acts'>
          <button type='button' className='bw-button' onClick={onClose}>Cancel</button>
          <button type='submit' className='bw-button bw-primary' disabled={busy}>Rename</button>
        </div>
      </form>
    </Dialog>
  )
}

interface DeleteDialogProps extends Pick<BoardCardProps, 'board' | 'api' | 'onDeleted'> { readonly onClose: () => void }

function DeleteDialog ({ board, api, onClose, onDeleted }: DeleteDialogProps) {
  const { busy, problem, run } = useAct()
  const days = useTrashDays(api)
  const remove = () => run(async () => {
    await api.deleteBoard(board.id)
    onClose()
    onDeleted(board)
  })
  return (
    <Dialog title='Delete the board?' narrow onClose={onClose}>
      <div className='bw-dialog-body'>
        <p>
          <strong>{board.title ?? board.id}</strong> goes away for everybody, with everything on it, its links and its
          keys. {days === 0 && 'This cannot be undone.'}
          {days !== null && days > 0 && `For ${days === 1 ? 'a day' : `${days} days`} it can be brought back from the trash.`}
        </p>
        <Problem cause={problem} />
        <div className='bw-dialog-acts'>
          <button type='button' className='bw-button' data-first onClick={onClose}>Keep it</button>
          <button type='button' className='bw-button bw-danger' disabled={busy} onClick={remove}>Delete</button>
        </div>
      </div>
    </Dialog>
  )
}

/** How long the trash keeps a board; null until that is known. */
function useTrashDays (api: Api): number | null {
  const [days, setDays] = useState<number | null>(null)
  useEffect(() => {
    const life = new AbortController()
    // Where the server does not say, nothing is promised.
    api.readSession(life.signal).then(({ trash_days: known }) => setDays(known ?? 0), () => {})
    return () => life.abort()
  }, [api])
  return days
}
