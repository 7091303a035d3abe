#!/bin/bash
# Builds the VM's kernel from Debian's own package of Linux 7.3, once per package version and config.
# Prints the folder that holds bzImage. Debian's stock 7.3 kernel does not set CONFIG_IOMMUFD.
set -euo pipefail
. "$(dirname "$0")/../../tools/common.sh"

readonly PACKAGE=linux-source-7.3
readonly SUITE=trixie-backports
config=$P2PD_TOP/tests/vm/kernel.config
apt_root=$P2PD_CACHE/apt

# apt with a source list and state of its own: the machine's own apt configuration stays as it is.
private_apt() {
  "$@" -o Dir::Etc::sourcelist="$apt_root/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$apt_root/lists" -o Dir::Cache="$apt_root/cache" \
    -o APT::Sandbox::User=root -o APT::Get::List-Cleanup=0
}

update_private_apt() {
  local mirror
  # shellcheck disable=SC2016 # apt expands it
  # The mirror is the one that this machine takes Debian itself from.
  mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' |
    awk '$2 !~ /-security$|-updates$|-backports$/ {print $1; exit}')
  [ -n "$mirror" ] || die "this machine's apt has no Debian mirror configured (apt-get indextargets is empty)"
  mkdir -p "$apt_root/lists/partial" "$apt_root/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $SUITE main" >"$apt_root/sources.list"
  private_apt apt-get update -q >"$P2PD_CACHE/log/kernel-apt.log" 2>&1 ||
    die "no package lists of $SUITE: see $P2PD_CACHE/log/kernel-apt.log"
}

package_version() { private_apt apt-cache show "$PACKAGE" 2>/dev/null | sed -n 's/^Version: //p' | head -n 1; }

# A kernel that is already here for this config serves, whichever package version it came from.
newest_cached() {
  find "$P2PD_CACHE/kernel" -path "*-$config_hash/bzImage" -printf '%T@ %h\n' | sort -rn | head -n 1 | cut -d' ' -f2-
}

check_config() {
  local wanted
  for wanted in VFIO_PCI_DMABUF IOMMUFD VFIO_DEVICE_CDEV INTEL_IOMMU PCI_P2PDMA IRQ_REMAP; do
    grep -q "^CONFIG_$wanted=y" "$1" || die "CONFIG_$wanted did not survive 'make olddefconfig' in $1"
  done
}

build() {
  local out=$1 version=$2 tree
  local work=$P2PD_CACHE/kernel/build
  rm -rf "$work"
  mkdir -p "$work"
  cd "$work"
  private_apt apt-get download "$PACKAGE=$version"
  dpkg-deb --fsys-tarfile ./"$PACKAGE"_*.deb | tar -x --to-stdout --wildcards './usr/src/linux-source-*.tar.xz' |
    tar -xJ --strip-components=1 --one-top-level=linux
  tree=$work/linux
  cd "$tree"
  make -s allnoconfig
  scripts/kconfig/merge_config.sh -m .config "$config"
  make -s olddefconfig
  check_config .config
  make -j"$(nproc)" bzImage
  mkdir -p "$out.new"
  cp arch/x86/boot/bzImage .config "$out.new/"
  echo "$version" >"$out.new/version"
  rm -rf "$out"
  mv "$out.new" "$out"
  cd /
  rm -rf "$work"
}

# The lock makes two builds at once into one.
mkdir -p "$P2PD_CACHE/kernel" "$P2PD_CACHE/log"
exec 9>"$P2PD_CACHE/kernel/lock"
flock 9

config_hash=$(sha256sum "$config" | cut -c1-12)
cached=$(newest_cached)
if [ -z "$cached" ]; then
  "$P2PD_TOP/tools/packages.sh" kernel
  update_private_apt
  version=$(package_version)
  [ -n "$version" ] || die "no $PACKAGE in $SUITE of this machine's mirror"
  cached=$P2PD_CACHE/kernel/${version//[^A-Za-z0-9.+-]/_}-$config_hash
  step "building the VM's kernel, $PACKAGE $version: about 10 minutes, once (kept in $P2PD_CACHE)"
  with_progress "$P2PD_CACHE/log/kernel-build.log" "kernel" build "$cached" "$version"
fi
echo "$cached"
