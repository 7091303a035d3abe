# shellcheck shell=bash
# In the VM, with systemd as PID 1: checks that are counted, and p2pd installed as its files say. To be sourced.

failed=0
passed=0

# check WHAT COMMAND...: runs the command and remembers whether it succeeded.
check() {
  local what=$1
  shift
  if "$@" >/tmp/output 2>&1; then
    passed=$((passed + 1))
    echo "ok: $what ($(cut -d. -f1 /proc/uptime) s)"
  else
    failed=$((failed + 1))
    echo "FAILED: $what"
    sed 's/^/    /' /tmp/output
  fi
}

# until_true COMMAND...: as soon as it succeeds; no later than after 60 s.
until_true() {
  local deadline=$((SECONDS + 60))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

# install_p2pd DEPLOY: the tree's folder of that name; p2pd, p2pctl and p2pd-config are in /run/bin, configuration and
# policy are the caller's.
install_p2pd() {
  local deploy=$1
  install -m 0755 /run/bin/p2pd /usr/sbin/p2pd
  install -m 0755 /run/bin/p2pctl /usr/bin/p2pctl
  install -D -m 0755 "$deploy/bind-devices" /usr/libexec/p2pd/bind-devices
  install -m 0755 /run/bin/p2pd-config /usr/libexec/p2pd/p2pd-config
  install -m 0644 "$deploy"/p2pd.service "$deploy"/p2pd.socket "$deploy"/p2pd-fds.socket "$deploy"/p2pd-bind.service \
    "$deploy"/p2pd-config.socket "$deploy"/p2pd-config@.service /etc/systemd/system
  install -D -m 0644 "$deploy/p2pd.sysusers" /usr/lib/sysusers.d/p2pd.conf
  install -D -m 0644 "$deploy/p2pd.tmpfiles" /usr/lib/tmpfiles.d/p2pd.conf
  install -D -m 0644 "$deploy/p2pd.catalog" /usr/lib/systemd/catalog/p2pd.catalog
  install -D -m 0644 "$deploy/org.p2pd.Broker1.conf" /usr/share/dbus-1/system.d/org.p2pd.Broker1.conf
  install -D -m 0644 "$deploy/org.p2pd.Broker1.policy" /usr/share/polkit-1/actions/org.p2pd.Broker1.policy
  systemd-sysusers p2pd.conf
  systemd-tmpfiles --create p2pd.conf
  systemctl daemon-reload
  busctl call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus ReloadConfig
}

show() { systemctl show --value -p "$1" p2pd.service; }
is_active() { [ "$(show ActiveState)" = active ]; }
