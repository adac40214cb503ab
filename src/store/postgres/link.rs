//! One connection: statements out, rows in.
//!
//! Owns [`Link`] and [`Statement`]. Must not know what is asked. Key invariants: statements that are given
//! together go out at once and are answered in their order, so that they cost one round trip; every wait has
//! an end; nobody uses a link again that has failed.
//!
//! The client library leaves the socket to a future of its own, which is polled here while somebody waits for
//! an answer, and else not at all: no thread and no executor belongs to it.

use std::future::{Future, poll_fn};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_io::{Async, Timer};
use smol::future::FutureExt as _;
use smol::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Row};
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

use super::super::Trouble;
use super::address::{Address, Tls};
use crate::limits;
use crate::tls::{TlsError, Verifier};

/// What asks a server whether it speaks TLS: a length, and a number that no version of the protocol has.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The port where none is given.
const PORT: u16 = 5432;

/// One statement with its values.
pub(super) struct Statement<'a> {
    sql: &'a str,
    values: Vec<(Box<dyn ToSql + Send + Sync + 'a>, Type)>,
}

/// A statement without values yet.
pub(super) fn sql(sql: &str) -> Statement<'_> {
    Statement {
        sql,
        values: Vec::new(),
    }
}

impl<'a> Statement<'a> {
    fn with(mut self, value: impl ToSql + Send + Sync + 'a, is: Type) -> Self {
        self.values.push((Box::new(value), is));
        self
    }

    /// The next value is a text.
    pub(super) fn text(self, value: &'a str) -> Self {
        self.with(value, Type::TEXT)
    }

    /// The next value is a text that may be missing.
    pub(super) fn maybe_text(self, value: Option<&'a str>) -> Self {
        self.with(value, Type::TEXT)
    }

    /// The next value is an array of texts.
    pub(super) fn texts(self, values: Vec<&'a str>) -> Self {
        self.with(values, Type::TEXT_ARRAY)
    }

    /// The next value is an array of texts, some of which may be missing.
    pub(super) fn some_texts(self, values: Vec<Option<&'a str>>) -> Self {
        self.with(values, Type::TEXT_ARRAY)
    }

    /// The next value is a whole number.
    pub(super) fn number(self, value: impl Into<Option<i64>>) -> Self {
        self.with(value.into(), Type::INT8)
    }

    /// The next value is an array of whole numbers.
    pub(super) fn numbers(self, values: Vec<i64>) -> Self {
        self.with(values, Type::INT8_ARRAY)
    }

    /// The next value is an array of whole numbers, some of which may be missing.
    pub(super) fn some_numbers(self, values: Vec<Option<i64>>) -> Self {
        self.with(values, Type::INT8_ARRAY)
    }

    /// The next value is an array of bytes.
    pub(super) fn blobs(self, values: Vec<&'a [u8]>) -> Self {
        self.with(values, Type::BYTEA_ARRAY)
    }

    async fn ask(&self, client: &Client) -> Result<Vec<Row>, tokio_postgres::Error> {
        let values: Vec<(&(dyn ToSql + Sync), Type)> = self
            .values
            .iter()
            .map(|(value, is)| (&**value as &(dyn ToSql + Sync), is.clone()))
            .collect();
        client.query_typed(self.sql, &values).await
    }
}

impl From<TlsError> for Trouble {
    fn from(error: TlsError) -> Self {
        Self::Tls(error.to_string())
    }
}

/// The future that moves bytes between the client and its socket.
type Driver = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

/// One connection.
pub(super) struct Link {
    client: Client,
    driver: Driver,
    has_ended: bool,
}

impl Link {
    /// Connects to the first of the hosts that takes writes.
    pub(super) fn open(address: &Address, verifier: Option<&Verifier>) -> Result<Self, Trouble> {
        let config = &address.config;
        let ports = config.get_ports();
        let port = |at: usize| ports.get(at).or_else(|| ports.first()).copied().unwrap_or(PORT);
        let mut failed = Trouble::Unreachable(io::ErrorKind::NotFound);
        let count = config.get_hosts().len().max(config.get_hostaddrs().len());
        for at in 0..count {
            let by_address = config.get_hostaddrs().get(at).map(|ip| Host::Tcp(ip.to_string()));
            let place = by_address.as_ref().or_else(|| config.get_hosts().get(at));
            let name = config.get_hosts().get(at).or(by_address.as_ref());
            let (Some(place), Some(name)) = (place, name) else {
                continue;
            };
            match Self::open_one(address, verifier, (place, name), port(at)) {
                Ok(link) => return Ok(link),
                Err(trouble) => failed = trouble,
            }
        }
        Err(failed)
    }

    fn open_one(
        address: &Address,
        verifier: Option<&Verifier>,
        (place, name): (&Host, &Host),
        port: u16,
    ) -> Result<Self, Trouble> {
        let deadline = Instant::now() + limits::DATABASE_CONNECT_TIME_MAX;
        let mut config = address.config.clone();
        // What is encrypted is encrypted here, before the library sees it.
        config.ssl_mode(SslMode::Disable);
        let mut link = match (place, name) {
            (Host::Unix(directory), _) => {
                let path = directory.join(format!(".s.PGSQL.{port}"));
                let stream = UnixStream::connect(path).map_err(io_trouble)?;
                let stream = Async::new(stream).map_err(io_trouble)?;
                within(deadline, start(stream, &config))?
            }
            (Host::Tcp(place), name) => {
                let stream = connect((place, port), deadline)?;
                match (&address.tls, verifier, name) {
                    (Tls::Off, ..) => {
                        let stream = Async::new(stream).map_err(io_trouble)?;
                        within(deadline, start(stream, &config))?
                    }
                    (Tls::Verified(_), Some(verifier), Host::Tcp(name)) => {
                        let stream = ask_for_tls(stream)?;
                        within(deadline, async {
                            start(verifier.encrypt(name, stream).await?, &config).await
                        })?
                    }
                    (Tls::Verified(_), ..) => {
                        return Err(Trouble::Tls("there is no name to verify".to_owned()));
                    }
                }
            }
        };
        link.prepare(&address.schema)?;
        Ok(link)
    }

    /// Bounds what the session may take, and finds out whether it can write at all.
    fn prepare(&mut self, schema: &str) -> Result<(), Trouble> {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        let settings = [
            ("search_path", schema.to_owned()),
            (
                "statement_timeout",
                millis(limits::DATABASE_STATEMENT_TIME_MAX).to_string(),
            ),
            ("lock_timeout", millis(limits::DATABASE_LOCK_TIME_MAX).to_string()),
            (
                "idle_in_transaction_session_timeout",
                millis(limits::DATABASE_PAUSE_MAX).to_string(),
            ),
        ];
        let mut statements: Vec<_> = settings
            .iter()
            .map(|(name, value)| sql("SELECT set_config($1, $2, false)").text(name).text(value))
            .collect();
        statements.push(sql(
            "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS read_only",
        ));
        let answers = self.run(&statements, limits::DATABASE_CONNECT_TIME_MAX)?;
        match answers
            .last()
            .and_then(|rows| rows.first())
            .map(|row| row.try_get(0))
        {
            Some(Ok(false)) => Ok(()),
            _ => Err(Trouble::ReadOnly),
        }
    }

    /// Sends statements together and gives the rows of each. Where one fails so do, in a transaction, all
    /// that follow; told is why the first did. A link that has failed must be dropped.
    pub(super) fn run(
        &mut self,
        statements: &[Statement<'_>],
        limit: Duration,
    ) -> Result<Vec<Vec<Row>>, Trouble> {
        let (client, driver, has_ended) = (&self.client, &mut self.driver, &mut self.has_ended);
        let asked = together(statements.iter().map(|statement| statement.ask(client)));
        let answered = async {
            let mut asked = pin!(asked);
            poll_fn(|cx| {
                if let Poll::Ready(answers) = asked.as_mut().poll(cx) {
                    return Poll::Ready(
                        answers
                            .into_iter()
                            .collect::<Result<Vec<_>, _>>()
                            .map_err(trouble),
                    );
                }
                let Poll::Ready(ended) = driver.as_mut().poll(cx) else {
                    return Poll::Pending;
                };
                // What had come before the end is an answer all the same.
                *has_ended = true;
                Poll::Ready(match asked.as_mut().poll(cx) {
                    Poll::Ready(answers) => answers
                        .into_iter()
                        .collect::<Result<Vec<_>, _>>()
                        .map_err(trouble),
                    Poll::Pending => Err(ended.err().map_or_else(cut, trouble)),
                })
            })
            .await
        };
        within(Instant::now() + limit, answered)
    }

    /// Whether the other side has not closed it, as far as it has come to this one.
    pub(super) fn is_alive(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.has_ended = self.has_ended || self.driver.as_mut().poll(&mut cx).is_ready();
        !self.has_ended
    }
}

/// Does all at once; gives what each came to, in order.
async fn together<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        let mut waits = false;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(ready) => *output = Some(ready),
                    Poll::Pending => waits = true,
                }
            }
        }
        if waits { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

/// Waits for something, on this thread, and not longer than that.
fn within<T>(deadline: Instant, what: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let late = async {
        Timer::at(deadline).await;
        Err(Trouble::TimedOut)
    };
    async_io::block_on(what.or(late))
}

/// Connects to the first address of a host that takes it.
fn connect(place: (&String, u16), deadline: Instant) -> Result<TcpStream, Trouble> {
    let (host, port) = place;
    let mut failed = Trouble::Unreachable(io::ErrorKind::NotFound);
    for address in resolve(host.clone(), port, deadline)? {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::TimedOut);
        }
        match TcpStream::connect_timeout(&address, left).and_then(watched) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = io_trouble(error),
        }
    }
    Err(failed)
}

/// Finds the addresses of a host. The system has no bound for that, so another thread waits for it.
fn resolve(host: String, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>, Trouble> {
    let found = smol::unblock(move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect));
    within(deadline, async { found.await.map_err(io_trouble) })
}

/// Lets the system find out that the other side is gone, also while nothing is sent.
fn watched(stream: TcpStream) -> io::Result<TcpStream> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    #[cfg(target_os = "linux")]
    {
        let millis = limits::DATABASE_SILENCE_MAX.as_millis();
        sockopt::set_tcp_keepidle(&stream, limits::DATABASE_SILENCE_MAX / 2)?;
        sockopt::set_tcp_keepintvl(&stream, limits::DATABASE_SILENCE_MAX / 8)?;
        sockopt::set_tcp_user_timeout(&stream, u32::try_from(millis).unwrap_or(u32::MAX))?;
    }
    Ok(stream)
}

/// Asks whether the server speaks TLS, in clear; nothing else has been said on the connection.
fn ask_for_tls(mut stream: TcpStream) -> Result<Async<TcpStream>, Trouble> {
    let mut answer = [0];
    stream
        .set_read_timeout(Some(limits::DATABASE_CONNECT_TIME_MAX))
        .and_then(|()| stream.write_all(&TLS_REQUEST))
        .and_then(|()| stream.read_exact(&mut answer))
        .map_err(io_trouble)?;
    if answer != *b"S" {
        let words = "the server does not speak TLS; set ssl = on there, or give sslmode=disable if nobody else can \
                     be on the way";
        return Err(Trouble::Tls(words.to_owned()));
    }
    Async::new(stream).map_err(io_trouble)
}

/// Signs in.
async fn start<S>(stream: S, config: &Config) -> Result<Link, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, driver) = config
        .connect_raw(stream.compat(), NoTls)
        .await
        .map_err(trouble)?;
    Ok(Link {
        client,
        driver: Box::pin(driver),
        has_ended: false,
    })
}

fn cut() -> Trouble {
    Trouble::Unreachable(io::ErrorKind::ConnectionReset)
}

fn io_trouble(error: io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Trouble::TimedOut,
        kind => Trouble::Unreachable(kind),
    }
}

/// What an error of the client library means.
fn trouble(error: tokio_postgres::Error) -> Trouble {
    if let Some(said) = error.as_db_error() {
        tracing::debug!(
            code = said.code().code(),
            words = said.message(),
            "the database refused"
        );
        return refusal(said.code());
    }
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return io_trouble(error.kind().into());
        }
        source = cause.source();
    }
    if error.is_closed() {
        cut()
    } else {
        Trouble::Refused(error.to_string())
    }
}

/// What a code of the database means.
fn refusal(code: &SqlState) -> Trouble {
    match code.code() {
        "28000" | "28P01" => Trouble::SignIn,
        "3D000" => Trouble::NoDatabase,
        "57P01" | "57P02" | "57P03" => Trouble::Starting,
        // What idle_in_transaction_session_timeout ends.
        "25P03" => cut(),
        "57014" | "55P03" => Trouble::TimedOut,
        "53300" => Trouble::Crowded,
        "53100" => Trouble::DiskFull,
        "53200" => Trouble::OutOfMemory,
        "25006" => Trouble::ReadOnly,
        "42501" => Trouble::NotAllowed,
        "3F000" | "42P01" => Trouble::NoSchema,
        other => Trouble::Refused(other.to_owned()),
    }
}
