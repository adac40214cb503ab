// What somebody sees who is not signed in: what this is, and how to get in.
import { START } from '../route'
import { Notice } from '../ui/Notice'
import { WaysIn } from '../ui/WaysIn'

/** `ended` is what one was signed in by, until now. */
export function Welcome ({ ended }: { ended: 'token' | 'session' | null }) {
  return (
    <div className='bw-welcome'>
      <div className='bw-panel'>
        <h1>Boards to draw on together</h1>
        <p className='bw-soft'>
          This is a Boardwire server. People and agents edit its boards at once, and everybody sees every change as it happens.
        </p>
      </div>
      {ended === 'token' && <Notice>Your token has expired. Your boards are where they were: sign in again, or ask for a new token.</Notice>}
      {ended === 'session' && (
        <Notice>
          You are signed out in this browser: its sign-in has ended, or was ended from another one. Your boards are where they were. Sign
          in again, or ask for a new invitation.
        </Notice>
      )}
      <WaysIn to={START} />
      <div className='bw-panel'>
        <h2>Other ways in</h2>
        <ul className='bw-soft'>
          <li><strong>You were invited?</strong> Open the link that you were sent. It works once, and signs in this browser.</li>
          <li><strong>Somebody shared a board with you?</strong> Open their link. It needs no sign-in.</li>
          <li><strong>You come from another application?</strong> Open the board from there: it sends your token along.</li>
          <li><strong>Trying it out with <code>--dev</code>?</strong> Open one of the links that the server printed as it started.</li>
        </ul>
      </div>
    </div>
  )
}
