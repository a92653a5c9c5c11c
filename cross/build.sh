#!/bin/sh
# cross/build.sh TARGET [CARGO WORDS...]     runs cargo for another CPU; the words default to "build --release"
#
# With a std for TARGET beside the machine's own rustc (`rustup target add TARGET`), that one is used. Without, a
# toolchain is unpacked out of Debian's packages into .cross/ (cross/debian-toolchain.sh), once.
# After a build, the last line on standard output is the path of the binary.
set -eu
[ $# -ge 1 ] || { sed -n '2,6p' "$0" >&2; exit 64; }
cd "$(dirname "$0")/.."
target=$1
shift
[ $# -gt 0 ] || set -- build --release
case $target in
  aarch64-unknown-linux-gnu) arch=arm64 gnu=aarch64-linux-gnu ;;
  armv7-unknown-linux-gnueabihf) arch=armhf gnu=arm-linux-gnueabihf ;;
  *) echo "cross/build.sh: $target: expected aarch64-unknown-linux-gnu or armv7-unknown-linux-gnueabihf" >&2; exit 64 ;;
esac
command -v $gnu-gcc > /dev/null || {
  echo "cross/build.sh: $gnu-gcc: not found (Debian: apt-get install gcc-$gnu libc6-dev-$arch-cross)" >&2
  exit 69
}
verb=$1
shift
dir=${CARGO_TARGET_DIR:-target}
# Cargo puts the emulator before the test program only; tests put these words before what they start themselves.
[ "$verb" != test ] || export TEST_RUNNER="qemu-${gnu%%-*}-static -L /usr/$gnu"
if ls "$(rustc --print target-libdir --target "$target")"/libstd-*.rlib > /dev/null 2>&1; then
  cargo "$verb" --target "$target" "$@"
else
  prefix=$PWD/.cross/$arch
  [ -s "$prefix/mode-$arch" ] || cross/debian-toolchain.sh "$prefix" $arch
  dir=$dir/debian-$arch # two compilers must not share a target folder
  export RUSTC="$prefix/bin/rustc" CARGO_TARGET_DIR="$dir"
  case $(cat "$prefix/mode-$arch") in
    prebuilt) cargo "$verb" --target "$target" "$@" ;;
    build-std)
      crates=std,panic_abort
      [ "$verb" != test ] || crates=std,panic_unwind,test
      RUSTC_BOOTSTRAP=1 cargo "$verb" --target "$target" -Z build-std=$crates "$@"
      ;;
  esac
fi
[ "$verb" != build ] || {
  profile=debug
  for word in "$@"; do case $word in --release | -r) profile=release ;; esac; done
  echo "$dir/$target/$profile/pushgate"
}
