// Somebody was invited: one press signs this browser in. Nothing is used before it, since previews open links
// too, and a link may be somebody else's.
import { useMemo, useState } from 'react'
import { ApiProblem, createApi } from '../api'
import { browserKeep, tabKeep } from '../browser'
import { type Credentials, forgetToken } from '../credentials'
import type { Invite } from '../invite'
import { boardPath, START } from '../route'
import { isOver, readSession, type Session } from '../session'
import { recallSession, rememberSession, standingOf } from '../standing'
import { Frame } from '../ui/Frame'
import { useAct } from '../ui/hooks'
import { Problem } from '../ui/Notice'
import { SwitchQuestion } from '../ui/SwitchQuestion'

export function InvitePage ({ invite, credentials }: { invite: Invite, credentials: Credentials }) {
  const here = useMemo(() => whoIsHere(credentials), [credentials])
  const { busy, problem, run } = useAct()
  const [isAsked, setAsked] = useState(false)
  const to = invite.board === null ? START : boardPath(invite.board)
  const name = invite.name ?? 'a guest of this server'

  const join = () => run(async () => {
    const joined = await createApi({}).join(invite.token)
    rememberSession(standingOf(joined).session, browserKeep)
    // Whoever was signed in in this tab is so no more.
    forgetToken(tabKeep)
    // Also where only the fragment was different.
    if (to === location.pathname) location.reload()
    else location.assign(to)
  })

  const refused = problem instanceof ApiProblem ? REFUSALS[problem.code] : undefined
  const isSame = here?.sub !== undefined && here.sub === invite.name
  return (
    <Frame>
      {isAsked && here?.sub != null && (
        <SwitchQuestion
          rival={{ credentials: { token: '' }, here: here.sub, there: invite.name }} by='invitation' onStay={() => setAsked(false)}
          onSwitch={() => { setAsked(false); join() }}
        />
      )}
      <div className='bw-panel bw-invite' data-testid='invite'>
        {refused === undefined
          ? (
            <>
              <h1>You are invited</h1>
              <p className='bw-soft'>
                {isSame
                  ? <>You are signed in as <strong className='bw-name'><bdi>{name}</bdi></strong> here already. Keep the link for another browser: it works once.</>
                  : 'This link signs in this browser, once. Nobody else can use it after you.'}
              </p>
              <Problem cause={problem} />
              <div>
                {isSame
                  ? <a className='bw-button bw-primary' href={to}>Go to {invite.board === null ? 'your boards' : 'the board'}</a>
                  : (
                    <button type='button' className='bw-button bw-primary' disabled={busy} onClick={() => { if (here === null) join(); else setAsked(true) }}>
                      <span>Join as <bdi>{name}</bdi></span>
                    </button>
                    )}
              </div>
            </>
            )
          : (
            <div role='alert' data-testid='invite-refused' data-code={problem instanceof ApiProblem ? problem.code : ''}>
              <h1>{refused.title}</h1>
              <p className='bw-soft'>{refused.text}</p>
              <p><a href={START}>Your boards, and signing in</a></p>
            </div>
            )}
      </div>
    </Frame>
  )
}

const REFUSALS: Record<string, { readonly title: string, readonly text: string }> = {
  invite_used: {
    title: 'This invitation was used already',
    text: 'An invitation signs in one browser. If you used it here, you are signed in: go to your boards. For another browser, or if it was not you, ask whoever invited you for a new one.'
  },
  invite_expired: {
    title: 'This invitation has expired',
    text: 'An invitation is good for 7 days. Ask whoever invited you for a new one; nothing of yours is lost.'
  },
  invalid_credential: {
    title: 'This invitation is not valid here',
    text: 'The link may be cut short, or is of another server. Open it again from where it was sent to you, whole; or ask for a new one.'
  }
}

/** Who is signed in already; null for nobody. */
function whoIsHere (credentials: Credentials): Session | null {
  const own = readSession(credentials.token)
  if (own.sub !== null && !isOver(own)) return own
  const kept = recallSession(browserKeep)
  return kept.sub === null ? null : kept
}
