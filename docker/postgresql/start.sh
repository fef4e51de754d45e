# Makes the database at the first start, and runs the server. Who may come in: the daemon's user, by the socket.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --auth=peer --locale=C --encoding=UTF8 --data-checksums --username=postgres > /dev/null
    printf '%s\n' 'local all postgres peer' 'local voicegate voicegate peer' > "$PGDATA/pg_hba.conf"
    printf '%s\n' 'CREATE ROLE voicegate LOGIN;' 'CREATE DATABASE voicegate OWNER voicegate;' \
        | postgres --single -D "$PGDATA" postgres > /dev/null
fi
exec postgres -c listen_addresses= -c unix_socket_directories=/run/postgresql
