// Inviting somebody: a link that signs in one browser, once.
import { type FormEvent, useMemo, useState } from 'react'
import { createApi, type Invitation } from '../api'
import type { Credentials } from '../credentials'
import { CopyField } from '../ui/CopyField'
import { Dialog } from '../ui/Dialog'
import { useAct } from '../ui/hooks'
import { Problem } from '../ui/Notice'
import { fullTime } from '../words'

export function InviteDialog ({ credentials, onClose }: { credentials: Credentials, onClose: () => void }) {
  const api = useMemo(() => createApi(credentials), [credentials])
  const [name, setName] = useState('')
  const [admin, setAdmin] = useState(false)
  const [made, setMade] = useState<Invitation | null>(null)
  const { busy, problem, run } = useAct()

  const submit = (event: FormEvent) => {
    event.preventDefault()
    run(async () => {
      setMade(await api.invite(name.trim(), { admin }))
      setName('')
      setAdmin(false)
    })
  }

  return (
    <Dialog title='Invite somebody' narrow onClose={onClose}>
      <div className='bw-dialog-body' data-testid='invite-somebody'>
        <form className='bw-invite-form' onSubmit={submit}>
          <label className='bw-field'>
            Name
            <input
              className='bw-input' data-first required maxLength={256} autoComplete='off' aria-describedby='invite-name-help'
              value={name} onChange={event => setName(event.target.value)}
            />
          </label>
          <p id='invite-name-help' className='bw-small bw-soft'>
            Others see it, and boards are shared with it. The same name again is another browser of the same person.
          </p>
          <label className='bw-check'>
            <input type='checkbox' checked={admin} onChange={event => setAdmin(event.target.checked)} />
            <span>May do everything: manage every board, and invite others</span>
          </label>
          <Problem cause={problem} />
          <div><button type='submit' className='bw-button bw-primary' disabled={busy || name.trim() === ''}>Make a link</button></div>
        </form>
        <div className='bw-live' role='status'>
          {made !== null && (
            <div className='bw-once'>
              <CopyField label={`Invitation for ${made.name}`} value={made.url} />
              <p className='bw-small bw-soft'>It works once, until {fullTime(made.expires_at)}. Copy it now: it is not shown again.</p>
            </div>
          )}
        </div>
      </div>
    </Dialog>
  )
}
