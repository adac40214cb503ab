// Where one lands after signing in again in another window: what came is handed to the page that waits for
// it.
import { useEffect, useRef, useState } from 'react'
import { handOver, type Return } from '../handover'
import { START } from '../route'
import { Frame } from '../ui/Frame'

export function ReturnPage ({ back }: { back: Return }) {
  const [isTaken, setTaken] = useState<boolean | null>(null)
  const begun = useRef(false)
  useEffect(() => {
    if (begun.current) return
    begun.current = true
    void handOver(back).then(taken => {
      setTaken(taken)
      // Browsers let a page close only some of the windows that it was opened in.
      if (taken) window.close()
    })
  }, [back])
  return (
    <Frame>
      <div role='status' data-testid='returned' data-taken={isTaken ?? ''}>
        {isTaken === true && <><h1>You are signed in again</h1><p>Your board goes on where it was. You can close this window.</p></>}
        {isTaken === false && (
          <>
            <h1>No board waits for this sign-in</h1>
            <p>Its window may be closed. <a href={withToken(back)} onClick={reload}>Go to your boards</a></p>
          </>
        )}
      </div>
    </Frame>
  )
}

function withToken ({ token }: Return): string {
  return token === null ? START : START + '#' + new URLSearchParams({ token }).toString()
}

// The address differs in its fragment only, which loads no page.
function reload (): void {
  addEventListener('hashchange', () => location.reload(), { once: true })
}
