// Asks before a link signs one in as somebody else. Whoever closes the question stays who they are.
import type { Rival } from '../credentials'
import { Dialog } from './Dialog'
import { Frame } from './Frame'

interface SwitchQuestionProps {
  readonly rival: Rival
  readonly onStay: () => void
  readonly onSwitch: () => void
  /** What signs one in. All but a link lie over a page that is there. */
  readonly by?: keyof typeof WORDS
}

const WORDS = {
  link: 'Whoever made the link can see what you then draw. Stay, unless you asked for it.',
  token: 'The page is loaded anew then. What you drew stays in this browser, and is sent once you are yourself again.',
  invitation: 'Then this browser is signed in as them, in all its tabs, and you are signed out.'
} as const

export function SwitchQuestion ({ rival, onStay, onSwitch, by = 'link' }: SwitchQuestionProps) {
  const there = rival.there === null ? 'somebody whom it does not name' : <Name>{rival.there}</Name>
  const question = (
    <Dialog title='Sign in as somebody else?' narrow onClose={onStay}>
      <div className='bw-dialog-body' data-testid='switch'>
        <p>You are signed in as <Name>{rival.here}</Name>. This {by} signs you in as {there}.</p>
        <p className='bw-small bw-soft'>{WORDS[by]}</p>
        <div className='bw-dialog-acts'>
          <button type='button' className='bw-button' onClick={onSwitch}>Switch</button>
          <button type='button' className='bw-button bw-primary' data-first onClick={onStay}>Stay</button>
        </div>
      </div>
    </Dialog>
  )
  return by === 'link' ? <Frame>{question}</Frame> : question
}

// A user id may hold any letters, also those that turn the direction of what stands around them.
function Name ({ children }: { children: string }) {
  return <strong className='bw-name'><bdi>{children}</bdi></strong>
}
