// Pictures that lie in the document, as all once did, are moved beside it while an editor has the board open:
// one at a time, when nothing else is to be done. So are those that came from another board by a paste, which
// not everybody here may see there. A picture's record changes only once the server has the bytes.
import { react, type Editor, type TLAsset } from 'tldraw'
import { ApiProblem } from '../api'
import { assetAddress } from './assetAddress'
import type { BoardAssets } from './assets'
import type { BoardConnection } from './connection'

/** Shorter ones cost less where they are. */
const DATA_LENGTH_MIN = 4096

/** How long the page rests between two. */
const REST_MS = 500

/** Begins when the board is there. Returns how to stop. */
export function movePicturesOut (editor: Editor, connection: BoardConnection, assets: BoardAssets): () => void {
  const failed = new Set<string>()
  let isOver = false
  let timer: ReturnType<typeof setTimeout> | null = null
  let isMoving = false
  const isReady = (): boolean => connection.state.loaded && connection.state.link === 'connected' && connection.writable
  const next = (): TLAsset | undefined => editor.getAssets().find(asset => !failed.has(asset.id) && isToMove(asset, connection.id))
  const move = async (): Promise<void> => {
    if (isMoving || isOver || !isReady()) return
    const asset = next()
    if (asset === undefined) return
    isMoving = true
    try {
      await moveOne(editor, asset, assets)
    } catch (cause) {
      failed.add(asset.id)
      // There is no room for any other, or the page is going.
      if (!(cause instanceof ApiProblem) || cause.code === 'assets_full') isOver = cause instanceof ApiProblem || isOver
    } finally {
      isMoving = false
    }
    soon()
  }
  const soon = (): void => {
    if (timer !== null || isOver) return
    timer = setTimeout(() => whenIdle(() => {
      timer = null
      void move()
    }), REST_MS)
  }
  const stops = [
    connection.subscribe(() => { if (isReady()) soon() }),
    react('pictures to move', () => { if (next() !== undefined) soon() })
  ]
  return () => {
    isOver = true
    if (timer !== null) clearTimeout(timer)
    for (const stop of stops) stop()
  }
}

/** Whether the bytes of an asset are to be brought beside this board. */
export function isToMove ({ type, props }: TLAsset, board: string): boolean {
  const src = props.src ?? ''
  if (type === 'bookmark') return false
  if (/^data:(image|video)\//i.test(src)) return src.length >= DATA_LENGTH_MIN
  const address = assetAddress(src)
  return address !== null && address.board !== board
}

async function moveOne (editor: Editor, asset: TLAsset, assets: BoardAssets): Promise<void> {
  const { src } = asset.props
  if (src === null || src === undefined) return
  const address = assetAddress(src)
  const blob = address === null ? await (await fetch(src)).blob() : await assets.read(address)
  const moved = await assets.bring(blob)
  const now = editor.getAsset(asset.id)
  // Somebody else may have moved it meanwhile, or shown another picture.
  if (now === undefined || now.type === 'bookmark' || now.props.src !== src) return
  editor.run(() => {
    editor.store.put([{ ...now, props: { ...now.props, src: moved } } as TLAsset])
  }, { history: 'ignore', ignoreShapeLock: true })
}

function whenIdle (act: () => void): void {
  if (typeof requestIdleCallback === 'function') requestIdleCallback(act, { timeout: 5_000 })
  else act()
}
