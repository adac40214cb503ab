// Asks before a link signs one in as somebody else. Whoever closes the question stays who they are.
import type { Rival } from '../credentials'
import { Dialog } from './Dialog'
import { Frame } from './Frame'

interface SwitchQuestionProps {
  readonly rival: Rival
  readonly onStay: () => void
  readonly onSwitch: () => void
}

export function SwitchQuestion ({ rival, onStay, onSwitch }: SwitchQuestionProps) {
  const there = rival.there === null ? 'somebody whom it does not name' : <Name>{rival.there}</Name>
  return (
    <Frame>
      <Dialog title='Sign in as somebody else?' narrow onClose={onStay}>
        <div className='bw-dialog-body' data-testid='switch'>
          <p>You are signed in as <Name>{rival.here}</Name>. This link signs you in as {there}.</p>
          <p className='bw-small bw-soft'>Whoever made the link can see what you then draw. Stay, unless you asked for it.</p>
          <div className='bw-dialog-acts'>
            <button type='button' className='bw-button' onClick={onSwitch}>Switch</button>
            <button type='button' className='bw-button bw-primary' data-first onClick={onStay}>Stay</button>
          </div>
        </div>
      </Dialog>
    </Frame>
  )
}

// A user id may hold any letters, also those that turn the direction of what stands around them.
function Name ({ children }: { children: string }) {
  return <strong className='bw-name'><bdi>{children}</bdi></strong>
}
