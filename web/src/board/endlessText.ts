// How tldraw's rich text draws, measures and edits the words of endless.ts: cut, with the text left as it is.
import { DOMSerializer, type Node, type Schema } from '@tiptap/pm/model'
import type { EditorState } from '@tiptap/pm/state'
import { Decoration, DecorationSet, type EditorView } from '@tiptap/pm/view'
import { tipTapDefaultExtensions, type Editor, type TLTextOptions } from 'tldraw'
import { cutsOf, ENDLESS_CLASS, ENDLESS_STYLES, PIECE, pieces, withCuts, WORD_MAX } from './endless'

/** What holds lines of text. */
const BLOCKS = ['paragraph', 'heading']

// A block is rendered before its texts, and only it knows where these are to be cut.
const noted = new WeakMap<Node, readonly number[]>()

/** The texts of a block that are to be cut. */
function cutTexts (block: Node): Array<{ text: Node, at: number, cuts: readonly number[] }> {
  // What is no text ends a word.
  const cuts = block.isTextblock && block.content.size > WORD_MAX ? cutsOf(block.content.content.map(({ text }) => text ?? ' ')) : null
  if (cuts === null) return []
  let at = 0
  return block.content.content.map((text, n) => {
    const place = { text, at, cuts: cuts[n] ?? [] }
    at += text.nodeSize
    return place
  })
}

function isEndless (block: Node): boolean {
  const texts = cutTexts(block)
  for (const { text, cuts } of texts) noted.set(text, cuts)
  return texts.length > 0
}

type Extensions = typeof tipTapDefaultExtensions
type Extended = Extensions[number] & { extend: (config: object) => Extended }
interface Rendering { parent: (props: { node: Node }) => [string, object, number] }

const drawn = {
  renderHTML (this: Rendering, props: { node: Node }) {
    const [tag, attributes, hole] = this.parent(props)
    if (!isEndless(props.node)) return [tag, attributes, hole]
    cutWhereDrawn(props.node.type.schema)
    return [tag, { ...attributes, class: ENDLESS_CLASS }, hole]
  }
}

/** The inside of ProseMirror's serializer, which asks nobody how to draw a text. */
interface Inside { serializeNodeInner: (node: Node, options: object) => globalThis.Node }

// There is one serializer for each schema, and tldraw makes a schema for each text that it draws.
function cutWhereDrawn (schema: Schema): void {
  const serializer = DOMSerializer.fromSchema(schema) as unknown as Inside
  if (Object.hasOwn(serializer, 'serializeNodeInner')) return
  const usual = serializer.serializeNodeInner
  serializer.serializeNodeInner = (node, options) => {
    const cuts = noted.get(node) ?? []
    if (cuts.length === 0) return usual.call(serializer, node, options)
    const fragment = document.createDocumentFragment()
    for (const [n, piece] of pieces(node.text ?? '', cuts).entries()) fragment.append(...n > 0 ? [lineEnd()] : [], piece)
    return fragment
  }
}

function withDrawn (extensions: Extensions): Extensions {
  return extensions.map(extension => BLOCKS.includes(extension.name) ? (extension as Extended).extend(drawn) : extension)
}

// The first of them brings the usual blocks and texts along.
const extensions = tipTapDefaultExtensions.map(extension => extension.name !== 'starterKit'
  ? extension
  : (extension as Extended).extend({ addExtensions (this: { parent: () => Extensions }) { return withDrawn(this.parent()) } }))

/** While a text is edited, its blocks are drawn by the editor's own rules: there the cuts are decorations. */
function decorations (state: EditorState): DecorationSet {
  const found: Decoration[] = []
  state.doc.descendants((block, position) => {
    const texts = cutTexts(block)
    if (texts.length > 0) found.push(Decoration.node(position, position + block.nodeSize, { class: ENDLESS_CLASS }))
    for (const { at, cuts } of texts) {
      for (const cut of cuts) found.push(Decoration.widget(position + 1 + at + cut, lineEnd, { ignoreSelection: true, key: 'cut' }))
    }
    return !block.isTextblock
  })
  return DecorationSet.create(state.doc, found)
}

/** What the browser inserted itself it would lay out as one word before the cuts are there. */
function beforeinput (view: EditorView, event: InputEvent): boolean {
  const { inputType, data, isComposing } = event
  if (inputType !== 'insertText' || data === null || data.length < PIECE || isComposing) return false
  event.preventDefault()
  view.dispatch(view.state.tr.insertText(data).scrollIntoView())
  return true
}

function lineEnd (): HTMLElement {
  return document.createElement('wbr')
}

/** For `<Tldraw>`. */
export const textOptions: TLTextOptions = { tipTapConfig: { extensions, editorProps: { decorations, handleDOMEvents: { beforeinput } } } }

/** The same for what tldraw measures of plain texts: labels of arrows, titles of frames. */
export function cutMeasured ({ textMeasure }: Editor): void {
  const { measureText, measureTextSpans } = textMeasure
  textMeasure.measureText = (text, options) => {
    const cut = withCuts(text)
    const otherStyles = cut === text ? options.otherStyles : { ...options.otherStyles, ...ENDLESS_STYLES }
    return measureText.call(textMeasure, cut, otherStyles === undefined ? options : { ...options, otherStyles })
  }
  textMeasure.measureTextSpans = (text, options) => {
    // Of one line that is cut off at its end no more is seen.
    const shown = options.overflow === 'wrap' ? withCuts(text) : text.slice(0, WORD_MAX)
    return measureTextSpans.call(textMeasure, shown, options)
  }
}
