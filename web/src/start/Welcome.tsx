// What somebody without a token sees: what this is, and how to get in.
import { START } from '../route'
import { Notice } from '../ui/Notice'
import { TokenForm } from '../ui/TokenForm'

export function Welcome ({ expired }: { expired: boolean }) {
  return (
    <div className='bw-welcome'>
      <div className='bw-panel'>
        <h1>Boards to draw on together</h1>
        <p className='bw-soft'>
          This is a Boardwire server. People and agents edit its boards at once, and everybody sees every change as it happens.
        </p>
      </div>
      {expired && <Notice>Your token has expired. Ask for a new one.</Notice>}
      <TokenForm to={START} />
      <div className='bw-panel'>
        <h2>Other ways in</h2>
        <ul className='bw-soft'>
          <li><strong>Somebody shared a board with you?</strong> Open their link. It needs no token.</li>
          <li><strong>You come from another application?</strong> Open the board from there: it sends your token along.</li>
          <li><strong>Trying it out with <code>--dev</code>?</strong> Open one of the links that the server printed as it started.</li>
        </ul>
      </div>
    </div>
  )
}
