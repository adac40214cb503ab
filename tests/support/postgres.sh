# Test support: keeps a PostgreSQL for the tests of Rust and of Node. Does what it is told line by line
# (start, stop, crash, pause, resume, or a command of the shell), and ends all when nobody is left to tell it.
# The directory is its own, since the user that it runs as may write nowhere else; its name is the first line
# out. In: BIN, PORT, PREPARE (commands after initdb), SETTINGS.
directory=$(mktemp -d /tmp/boardwire-pg.XXXXXX) || exit 1
cd "$directory" || exit 1
trap '' INT TERM HUP
printf geheim > password
"$BIN/initdb" -D data -U owner --auth-local=trust --auth-host=scram-sha-256 --pwfile=password \
    --no-sync --encoding=UTF8 --locale=C >initdb.log 2>&1 || { cat initdb.log >&2; exit 1; }
eval "$PREPARE" >prepare.log 2>&1 || { cat prepare.log >&2; exit 1; }
begin() {
    "$BIN/postgres" -D data -p "$PORT" -h 127.0.0.1 -k "$directory" -c fsync=off -c full_page_writes=off \
        -c max_connections=200 -c shared_buffers=32MB -c log_checkpoints=off $SETTINGS >>server.log 2>&1 </dev/null &
    server=$!
    # The socket comes before the server takes connections.
    waited=0
    until "$BIN/pg_isready" -q -h "$directory" -p "$PORT"; do
        waited=$((waited + 1))
        { kill -0 $server && [ $waited -lt 400 ]; } 2>/dev/null || { cat server.log >&2; exit 1; }
        sleep 0.05
    done
}
# Who is paused begins nobody new.
pause() { kill -STOP $server && kill -STOP $(pgrep -P $server); }
resume() { kill -CONT $(pgrep -P $server) $server 2>/dev/null; }
end() {
    resume
    kill "-$1" $server 2>/dev/null
    wait $server
}
begin
echo "$directory"
while read -r line; do
    case $line in
        start) begin ;;
        stop) end INT ;;
        crash) end QUIT ;;
        *) eval "$line" ;;
    esac
    echo done
done
end QUIT
cd / && rm -rf "$directory"
