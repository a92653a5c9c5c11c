#!/bin/sh
# cross/debian-toolchain.sh PREFIX arm64|armhf
#
# Unpacks a Rust cross toolchain out of Debian's own packages (rustc-web and its std) into PREFIX, for machines that
# reach an apt mirror but not rustup's servers. Nothing is installed: each dpkg architecture gets an apt state of its
# own below PREFIX, so the machine's package lists and its own rustc stay as they are. Signatures and hashes are checked.
#
# PREFIX/bin/rustc is the compiler; PREFIX/mode-ARCH says "prebuilt" (the std came along) or "build-std" (the mirror has
# no std of the compiler's version for ARCH: the std's source is there instead, and cargo must build it).
# One PREFIX per architecture. Takes about 80 s and 1 GB.
set -eu
[ $# -eq 2 ] || { sed -n '2,10p' "$0" >&2; exit 64; }
prefix=$(mkdir -p "$1" && cd "$1" && pwd)
arch=$2
case $arch in
  arm64 | armhf) ;;
  *) echo "debian-toolchain.sh: $arch: expected arm64 or armhf" >&2; exit 64 ;;
esac
[ "$(dpkg --print-architecture)" = amd64 ] || { echo "debian-toolchain.sh: made for an amd64 host" >&2; exit 69; }
sources=/etc/apt/sources.list.d/debian.sources
[ -r $sources ] || { echo "debian-toolchain.sh: $sources: no such file" >&2; exit 69; }

# A private apt state for one dpkg architecture.
apt_for() {
  dir=$prefix/apt/$1
  mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial" "$dir/debs" "$dir/empty"
  : > "$dir/status"
  cat > "$dir/apt.conf" <<CONF
APT::Architecture "$1";
APT::Architectures "$1";
Dir::State "$dir/state";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
Dir::Etc::sourcelist "$sources";
Dir::Etc::sourceparts "$dir/empty";
Dir::Etc::preferencesparts "$dir/empty";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
  # One bad index must not stop the rest; the version comparison below decides whether what is there will do.
  APT_CONFIG=$dir/apt.conf apt-get -qq update >&2 || true
}
candidate() { APT_CONFIG=$prefix/apt/$1/apt.conf apt-cache policy "$2" | sed -n 's/^ *Candidate: //p'; }
fetch() {
  of=$1
  shift
  (cd "$prefix/apt/$of/debs" && APT_CONFIG=$prefix/apt/$of/apt.conf apt-get -qq download "$@")
}

apt_for amd64
apt_for "$arch"
version=$(candidate amd64 rustc-web)
case $version in '' | '(none)') echo "debian-toolchain.sh: the mirror has no rustc-web" >&2; exit 69 ;; esac
upstream=${version%%+*}
minor=${upstream%.*}
llvm=$(APT_CONFIG=$prefix/apt/amd64/apt.conf apt-cache show "libstd-rust-web-$minor=$version" |
  sed -n 's/^Depends:.*\(libllvm[0-9]*\).*/\1/p')
fetch amd64 "rustc-web=$version" "libstd-rust-web-$minor=$version" "libstd-rust-web-dev=$version" "$llvm"
# A std of another version than the compiler's ends in E0514, so only the same one will do.
std=$(candidate "$arch" libstd-rust-web-dev)
if [ "$version" = "$std" ]; then
  fetch "$arch" "libstd-rust-web-dev=$version"
  mode=prebuilt
else
  fetch amd64 "rust-web-src=$version"
  mode=build-std
  echo "debian-toolchain.sh: no $arch std of $version (the index has ${std:-none}): it will be built" >&2
fi

rm -rf "$prefix/root"
mkdir -p "$prefix/root" "$prefix/bin"
for deb in "$prefix"/apt/*/debs/*.deb; do dpkg -x "$deb" "$prefix/root"; done
cat > "$prefix/bin/rustc" <<'WRAP'
#!/bin/sh
usr=$(dirname "$(readlink -f "$0")")/../root/usr
LD_LIBRARY_PATH=$usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec "$usr/bin/rustc" "$@"
WRAP
chmod +x "$prefix/bin/rustc"
rm -rf "$prefix/apt"
echo $mode > "$prefix/mode-$arch"
"$prefix/bin/rustc" -V >&2
