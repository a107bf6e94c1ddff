# SPDX-License-Identifier: GPL-3.0-or-later
#
# Debian suites unpacked below $cache, each with its interpreters, its gdb and
# muppy as its own compiler builds it.  Sourced by matrix.sh; needs root.

mirror=${MUPPY_MATRIX_MIRROR:-http://deb.debian.org/debian}

# What a suite gets: interpreters, the debugger, what compiles muppy, and what
# compiles an interpreter with the modules that the fixtures use.
packages_of() {
  case $1 in
  bullseye) echo python3.9 python3.9-dbg libpython3.9-dev ;;
  trixie) echo python3.13 python3.13-dbg libpython3.13-dev ;;
  sid)
    for version in 3.13 3.14 3.15; do
      echo python$version python$version-dbg libpython$version-dev
    done
    ;;
  esac
  echo gdb procps gcc make libc6-dev binutils-dev libncurses-dev pkg-config dpkg-dev \
    xz-utils libffi-dev libssl-dev zlib1g-dev libbz2-dev liblzma-dev libexpat1-dev \
    libsqlite3-dev libreadline-dev libgdbm-dev libzstd-dev
}

# in_suite SUITE COMMAND...: runs it there, with mounts that end with it.
in_suite() {
  suite=$1
  shift
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --mount sh -c '
    root=$1
    shift
    mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
      exec chroot "$root" "$@"' sh "$cache/$suite" \
    env -i PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin \
    HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

# Unpacks SUITE, unless it is there.
unpack_suite() {
  if [ -e "$cache/$1/muppy/unpacked" ]; then
    return
  fi
  say "unpacking $1 in $cache"
  if ! command -v debootstrap >/dev/null; then
    say "debootstrap is not installed"
    return 1
  fi
  rm -rf --one-file-system "$cache/$1"
  debootstrap --variant=minbase "$1" "$cache/$1" "$mirror" &&
    rm -f "$cache/$1/etc/resolv.conf" &&
    cp /etc/resolv.conf "$cache/$1/etc/" || return
  # A mirror that no longer follows the suite is still good for tests.
  echo 'Acquire::Check-Valid-Until "false";' \
    >"$cache/$1/etc/apt/apt.conf.d/90muppy"
  printf 'path-exclude=/usr/share/%s/*\n' doc man locale \
    >"$cache/$1/etc/dpkg/dpkg.cfg.d/90muppy"
  for suite in "$1" bookworm; do
    echo "deb-src $mirror $suite main"
  done >"$cache/$1/etc/apt/sources.list.d/source.list"
  mkdir -p "$cache/$1/muppy" && touch "$cache/$1/muppy/unpacked"
}

# Installs the packages of suite $1, unless these very ones are there.
install_packages() {
  list=$cache/$1/muppy/packages
  if [ "$(packages_of "$1")" = "$(cat "$list" 2>/dev/null)" ]; then
    return
  fi
  say "installing packages in $cache/$1"
  # shellcheck disable=SC2046 # a list of packages
  in_suite "$1" apt-get -q update &&
    in_suite "$1" apt-get -qy --no-install-recommends install \
      $(packages_of "$1") && packages_of "$1" >"$list"
}

# The source tree of source package $2 below /muppy/source in suite $1; fails when
# there is none.
unpack_source() {
  tree=$cache/$1/muppy/source/$2
  if [ -e "$tree/configure" ]; then
    return
  fi
  rm -rf "$tree"
  mkdir -p "$tree"
  eval "given=\${MUPPY_SOURCE_$(echo "${2#python}" | tr . _)-}"
  if [ -n "$given" ]; then
    cp -a "$given/." "$tree/"
    return
  fi
  # Upstream's files without Debian's patches.
  # shellcheck disable=SC2016
  in_suite "$1" sh -c '
    tree=/muppy/source/$1 files=/muppy/source/$1.files
    mkdir -p "$files" && cd "$files" || exit
    for name in $2; do
      apt-get -q --download-only --tar-only source "$name" &&
        exec tar -x -C "$tree" --strip-components=1 -f ./*.orig.tar.?z
    done
    exit 1' sh "$2" "$2/$1 $2" || { rm -rf "$tree" && return 1; }
}

# compile_python SUITE PREFIX SOURCE OPTIONS...: unless it is there.  With
# symbols and little optimization: quick to compile, and no less true.
compile_python() {
  if [ -e "$cache/$1$2/compiled" ]; then
    return
  fi
  unpack_source "$1" "$3" || return
  say "compiling $2 in $1 (takes minutes)"
  # shellcheck disable=SC2016
  in_suite "$1" sh -c '
    prefix=$2 source=/muppy/source/$3
    shift 3
    build=/muppy/build/${prefix##*/}
    mkdir -p "$build" && cd "$build" &&
      nice "$source/configure" -q --prefix="$prefix" --disable-test-modules \
        --without-ensurepip CFLAGS="-g -O1" "$@" &&
      nice make -s -j2 && nice make -s install && touch "$prefix/compiled" &&
      cd / && rm -rf "$build"' sh "$@"
}

# Copies the working tree to /muppy/tree in suite $1.  Keeps the files' times,
# so that only what changed is compiled again.
copy_tree() {
  tree=$cache/$1/muppy/tree
  mkdir -p "$tree" &&
    make -s -C "$build" distdir distdir="$cache/dist" &&
    cp -a "$cache/dist/." "$tree/" && rm -rf "$cache/dist"
}

# Compiles muppy there: what is tested is what users of the suite get, its
# compiler, libbfd and libc included.
compile_muppy() {
  in_suite "$1" sh -c '
    cd /muppy/tree &&
      { [ config.status -nt configure ] || nice ./configure -q; } &&
      nice make -s -j2 AUTOCONF=: AUTOHEADER=: AUTOMAKE=: ACLOCAL=:'
}
