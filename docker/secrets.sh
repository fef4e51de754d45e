# Makes the secret of Asterisk's manager interface, unless there is one: for the daemon (uid 2000), and the same as a
# line of manager.conf for Asterisk (uid 2003).
set -eu
cd /run/secrets/voicegate
[ -s ami-secret ] && exit 0
umask 0377
secret=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$secret" > ami-secret
printf 'secret = %s\n' "$secret" > manager-secret.conf
chown 2000 ami-secret
chown 2003 manager-secret.conf
