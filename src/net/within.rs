//! Work that may take only so long.
//!
//! Owns [`within`], the one place where the shell gives work up for the time that it takes. Must not know the
//! work. Key invariant: work that is done at once costs no timer. Tests at the end of the file.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use async_io::Timer;

/// The work took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late;

impl From<Late> for io::Error {
    fn from(_: Late) -> Self {
        io::ErrorKind::TimedOut.into()
    }
}

/// Does `work`, unless it takes longer than `time`, which begins when it is first polled.
///
/// The future holds the work twice: what is large is pinned by the caller (`pin!`).
///
/// # Errors
/// [`Late`]; the work goes no further.
pub(crate) async fn within<T>(time: Duration, work: impl Future<Output = T>) -> Result<T, Late> {
    let mut work = pin!(work);
    let mut timer = None;
    poll_fn(|cx| {
        // The work first: what is done counts, however late we look.
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        let timer = timer.get_or_insert_with(|| Timer::after(time));
        Pin::new(timer).poll(cx).map(|_| Err(Late))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Instant;

    use smol::future::yield_now;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    #[test]
    fn work_that_takes_too_long_is_given_up_and_not_before() {
        let began = Instant::now();
        let mut polls = 0;
        let work = poll_fn(|_| {
            polls += 1;
            Poll::<()>::Pending
        });
        assert_eq!(smol::block_on(within(SOON, work)), Err(Late));
        assert!(began.elapsed() >= SOON);
        assert!(polls > 0);
        assert_eq!(io::Error::from(Late).kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn work_in_time_gives_what_it_gives_and_what_is_done_is_never_late() {
        let slow = async {
            Timer::after(SOON).await;
            "done"
        };
        assert_eq!(smol::block_on(within(Duration::MAX, slow)), Ok("done"));
        assert_eq!(smol::block_on(within(Duration::ZERO, async { 7 })), Ok(7));
        let late = async {
            yield_now().await;
            pending::<()>().await;
        };
        assert_eq!(smol::block_on(within(Duration::ZERO, late)), Err(Late));
    }
}
