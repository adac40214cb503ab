// tldraw with our store, our assets, and nothing that asks other servers.
import { memo, useEffect, useMemo } from 'react'
import {
  createTLStore, defaultBindingUtils, defaultShapeUtils, react, Tldraw, useValue, type Editor,
  type TLAnyShapeUtilConstructor, type TLComponents, type TLUiOverrides
} from 'tldraw'
import 'tldraw/tldraw.css'
import { assetUrls } from '../assets'
import { browserKeep } from '../browser'
import { showTheme } from '../theme'
import { openCanvas } from './canvas'
import { copyFromMenu } from './clipboard'
import type { BoardConnection } from './connection'
import { cutMeasured, textOptions } from './endlessText'
import { exportActions } from './exports'
import { BoardAssets, FILE_BYTES_MAX } from './assets'
import { saveImages } from './external'
import { chooseFiles } from '../import/files'
import { BoardMenu, HISTORY, IMPORT } from './Menu'
import { Following } from './Following'
import { Marks, MarksContext } from './Marks'
import { drawSeen } from './seen'
import { localShapeUtils } from './shapes'
import type { Signals } from './signals'
import { userOf } from './user'

const replaced = new Set<string>(localShapeUtils.map(util => util.type))
const shapeUtils: readonly TLAnyShapeUtilConstructor[] = [
  ...(defaultShapeUtils as readonly TLAnyShapeUtilConstructor[]).filter(util => !replaced.has(util.type)), ...localShapeUtils
]

function Front () {
  return <><Marks /><Following /></>
}

// People are in our own bar, with agents and tabs told apart.
const components: TLComponents = {
  InFrontOfTheCanvas: Front, MainMenu: BoardMenu, SharePanel: null, DebugPanel: null, DebugMenu: null, CursorChatBubble: null, TopPanel: null
}

// What would load pages of other servers into the board.
const FETCHING = ['insert-embed', 'convert-to-embed', 'convert-to-bookmark', 'open-embed-link', 'toggle-debug-mode']

const overridesOf = (connection: BoardConnection, signals: Signals): TLUiOverrides => ({
  actions: (editor, actions, { addToast, msg }) => {
    const onFail = (): void => {
      addToast({ id: 'export-fail', title: msg('toast.error.export-fail.title'), description: msg('toast.error.export-fail.desc'), severity: 'error' })
    }
    const select = (onSelect: () => void) => ({ onSelect })
    const copy = (act: 'copy' | 'cut') => select(() => {
      if (!copyFromMenu(editor, act)) addToast({ title: NOT_COPIED, severity: 'error' })
    })
    const saving = exportActions(editor, () => connection.state.title ?? connection.id, onFail)
    const ours: Record<string, { onSelect: () => void }> = {
      copy: copy('copy'),
      cut: copy('cut'),
      'download-original': select(() => saveImages(editor)),
      ...Object.fromEntries(Object.entries(saving).map(([id, { onSelect }]) => [id, { onSelect: () => { signals.whole(); void onSelect('menu') } }]))
    }
    const known = Object.fromEntries(Object.entries(actions).filter(([id]) => !FETCHING.includes(id))
      .map(([id, action]) => [id, Object.hasOwn(ours, id) ? { ...action, ...ours[id] } : action]))
    const own = Object.entries(saving).filter(([id]) => !Object.hasOwn(actions, id))
    return {
      ...known,
      ...Object.fromEntries(own),
      ...(signals.history.get() !== null && {
        [HISTORY]: { id: HISTORY, label: 'History', readonlyOk: true, onSelect: () => { signals.history.set(true) } }
      }),
      [IMPORT]: { id: IMPORT, label: 'Import a drawing (.tldr, .excalidraw)', kbd: 'cmd+shift+o,ctrl+shift+o', onSelect: () => chooseFiles(editor, signals) }
    }
  },
  translations: { en: { 'assets.files.size-too-big': FILE_TOO_LARGE } }
})

const FILE_TOO_LARGE = 'Pictures and films may have at most 64 MiB. Make it smaller and try again.'
const NOT_COPIED = 'This browser does not let the page copy. Nothing was cut. Press Ctrl+C or Ctrl+X instead.'

interface CanvasProps {
  readonly connection: BoardConnection
  readonly signals: Signals
  readonly onEditor: (editor: Editor | null) => void
}

/** Renders once for each language: everything later goes through the store and the signals. */
export const Canvas = memo(function Canvas ({ connection, signals, onEditor }: CanvasProps) {
  const assets = useMemo(() => new BoardAssets(connection, signals), [connection, signals])
  const store = useMemo(() => createTLStore({ shapeUtils, bindingUtils: defaultBindingUtils, assets }), [assets])
  const user = useMemo(() => userOf(connection.identity, browserKeep), [connection])
  useEffect(() => react('theme', () => showTheme(user.userPreferences.get().colorScheme)), [user])
  // The words of tldraw's controls are looked up when it is rendered.
  useValue('locale', () => user.userPreferences.get().locale, [user])
  const overrides = useMemo(() => overridesOf(connection, signals), [connection, signals])
  const onMount = (editor: Editor): (() => void) => {
    let close: (() => void) | null = null
    cutMeasured(editor)
    const stopSeen = drawSeen(editor)
    // A large board takes a while to be measured: that is for after the first paint, when layout is at rest.
    const timer = setTimeout(() => {
      close = openCanvas(editor, connection, signals, assets)
      onEditor(editor)
    })
    return () => {
      clearTimeout(timer)
      onEditor(null)
      close?.()
      stopSeen()
    }
  }
  return (
    <MarksContext value={signals}>
      <Tldraw
        store={store}
        shapeUtils={localShapeUtils}
        assetUrls={assetUrls}
        components={components}
        overrides={overrides}
        user={user}
        onMount={onMount}
        maxAssetSize={FILE_BYTES_MAX}
        acceptedImageMimeTypes={PICTURES}
        acceptedVideoMimeTypes={FILMS}
        options={OPTIONS}
        textOptions={textOptions}
        autoFocus
      />
    </MarksContext>
  )
})

// What the server takes.
const PICTURES: readonly string[] = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/svg+xml']
const FILMS: readonly string[] = ['video/mp4', 'video/webm']

// tldraw stops at 4,000, which bounds what one draws but not what others send.
const OPTIONS = { maxShapesPerPage: 20_000 }
