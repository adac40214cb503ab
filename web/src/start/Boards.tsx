// The caller's boards, and making another.
import { type FormEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { type Api, type Board, createApi, type UnreadableBoard } from '../api'
import { type Credentials, onward, signOut } from '../credentials'
import { isRefusedCredential } from '../problems'
import { boardPath } from '../route'
import { editableByToken, type Session } from '../session'
import { useAct } from '../ui/hooks'
import { PlusIcon } from '../ui/icons'
import { Problem } from '../ui/Notice'
import { BoardCard, UnreadableCard } from './BoardCard'

export function Boards ({ credentials, session }: { credentials: Credentials, session: Session }) {
  const api = useMemo(() => createApi(credentials), [credentials])
  const list = useBoards(api)
  const heading = useRef<HTMLHeadingElement>(null)
  const [removed, setRemoved] = useState(0)
  const remove = (id: string) => {
    list.remove(id)
    setRemoved(count => count + 1)
  }
  // Once all are known: others of the token's own boards are not made yet.
  const unmade = list.boards === null || list.hasMore
    ? []
    : editableByToken(credentials.token).filter(id => list.boards?.every(board => board.id !== id))
  // The focus was on the card that went. It can go elsewhere once the dialog is closed.
  useEffect(() => { if (removed > 0) heading.current?.focus() }, [removed])
  return (
    <>
      <div className='bw-main-head'>
        <h1 ref={heading} tabIndex={-1}>Boards</h1>
        <CreateForm api={api} credentials={credentials} />
      </div>
      {isRefusedCredential(list.problem)
        ? (
          <Problem cause={list.problem}>
            <button type='button' className='bw-button' onClick={signOut}>Use another token</button>
          </Problem>
          )
        : <Problem cause={list.problem} onRetry={list.more} />}
      {list.boards === null
        ? list.problem == null && <Skeleton />
        : list.boards.length === 0
          ? <Empty />
          : (
            <ul className='bw-boards'>
              {byChange(list.boards).map(board => 'unreadable' in board
                ? <UnreadableCard key={board.id} board={board} />
                : (
                  <BoardCard
                    key={board.id} board={board} api={api} credentials={credentials} session={session}
                    onChanged={list.replace} onDeleted={remove}
                  />
                  ))}
            </ul>
            )}
      {unmade.length > 0 && <Unmade ids={unmade} />}
      {list.hasMore && (
        <div>
          <button type='button' className='bw-button' disabled={list.loading} onClick={list.more}>Show more boards</button>
        </div>
      )}
    </>
  )
}

function CreateForm ({ api, credentials }: { api: Api, credentials: Credentials }) {
  const [title, setTitle] = useState('')
  const { busy, problem, run } = useAct()

  const submit = (event: FormEvent) => {
    event.preventDefault()
    run(async () => {
      const board = await api.createBoard(title.trim() || null)
      location.assign(onward(boardPath(board.id), credentials))
    })
  }

  return (
    <>
      <form className='bw-create' onSubmit={submit}>
        <input
          className='bw-input' aria-label='Title of the new board (optional)' placeholder='Title (optional)' maxLength={256}
          value={title} onChange={event => setTitle(event.target.value)}
        />
        <button type='submit' className='bw-button bw-primary' disabled={busy}><PlusIcon />New board</button>
      </form>
      <Problem cause={problem} />
    </>
  )
}

function Skeleton () {
  return (
    <div className='bw-boards' role='status'>
      <span className='bw-hidden'>Loading your boards.</span>
      <div className='bw-skeleton' /><div className='bw-skeleton' /><div className='bw-skeleton' />
    </div>
  )
}

function Empty () {
  return (
    <div className='bw-empty'>
      <h2>No boards yet</h2>
      <p className='bw-soft'>Make the first one above, or ask somebody to share theirs with you.</p>
    </div>
  )
}

function Unmade ({ ids }: { ids: readonly string[] }) {
  return (
    <div className='bw-unmade'>
      <span className='bw-soft'>Your token can make {ids.length === 1 ? 'this board' : 'these boards'}, by opening it:</span>
      {ids.map(id => <a key={id} className='bw-button' href={boardPath(id)}>{id}</a>)}
    </div>
  )
}

type AnyBoard = Board | UnreadableBoard

interface BoardList {
  /** Null until the first page came. */
  readonly boards: readonly AnyBoard[] | null
  readonly problem: unknown
  readonly loading: boolean
  readonly hasMore: boolean
  /** Loads the next page, or the one that failed. */
  readonly more: () => void
  readonly replace: (board: Board) => void
  readonly remove: (id: string) => void
}

function useBoards (api: Api): BoardList {
  const [boards, setBoards] = useState<readonly AnyBoard[] | null>(null)
  const [cursor, setCursor] = useState<string | null>(null)
  const { busy, problem, run } = useAct()

  const more = useCallback(() => run(async () => {
    const page = await api.listBoards(cursor)
    // A board made in between may come twice.
    setBoards(known => [...(known ?? []).filter(board => page.items.every(item => item.id !== board.id)), ...page.items])
    setCursor(page.next_cursor)
  }), [api, cursor, run])

  // The first page, once. Others come when they are asked for.
  useEffect(more, [api])

  const replace = (board: Board) => setBoards(known => known?.map(item => item.id === board.id ? board : item) ?? null)
  const remove = (id: string) => setBoards(known => known?.filter(item => item.id !== id) ?? null)
  return { boards, problem, loading: busy, hasMore: cursor !== null, more, replace, remove }
}

/** What changed last comes first, what cannot be read last. */
function byChange (boards: readonly AnyBoard[]): AnyBoard[] {
  const changed = (board: AnyBoard) => 'unreadable' in board ? '' : board.updated_at
  return boards.toSorted((one, other) => changed(other).localeCompare(changed(one)))
}
