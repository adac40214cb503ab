// What the stock provider's messages tell beyond the document: a sync step 1 (we may write), a refusal, an
// echo. The stock handlers do the work, but for updates: an echo holds nothing new and is not read again, and
// what others change goes through the inbox.
import * as decoding from 'lib0/decoding'
import { messageAuth, messageSync, type WebsocketProvider } from 'y-websocket'
import { messageYjsSyncStep1, messageYjsUpdate } from 'y-protocols/sync'
import { Inbox } from './inbox'

/** What the server said. */
export interface Heard {
  /** The server asks what we have. It asks editors only. */
  step1: (stateVector: Uint8Array) => void
  /** The answer to our step 1, before it is applied. */
  step2: (update: Uint8Array) => void
  /** A change of others or an echo of ours, before it is applied. Returns whether all of it is in the document, so that it need not be. */
  update: (update: Uint8Array) => boolean
  /** A write was refused, or the connection is about to be. */
  denied: (reason: string) => void
}

/** Listens to a provider. */
export function listen (provider: WebsocketProvider, heard: Heard): void {
  const stock = provider.messageHandlers[messageSync]
  if (stock === undefined) return
  const inbox = new Inbox(provider.doc, provider)
  provider.messageHandlers[messageSync] = (encoder, decoder, ...rest) => {
    const ahead = decoding.createDecoder(decoder.arr)
    ahead.pos = decoder.pos
    const type = decoding.readVarUint(ahead)
    const payload = decoding.readVarUint8Array(ahead)
    if (type === messageYjsUpdate) {
      if (!heard.update(payload)) inbox.take(payload)
      return
    }
    // What came before is applied before.
    inbox.flush()
    if (type === messageYjsSyncStep1) heard.step1(payload)
    else heard.step2(payload)
    stock(encoder, decoder, ...rest)
  }
  // The stock handler prints a warning.
  provider.messageHandlers[messageAuth] = (_encoder, decoder) => {
    if (decoding.readVarUint(decoder) === 0) heard.denied(decoding.readVarString(decoder))
  }
}
