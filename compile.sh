#!/usr/bin/env bash
# Makes the executable: kernel programs, the bundled code, and both beside each other in build/dist.
#
#   ./compile.sh [--target x64|arm64] [--output FOLDER]
#
# `deno compile` puts the code behind a base executable (denort), which Deno fetches from its download host. Where that
# is out of reach, set DENORT_BIN to a base: the Deno of the same version, fetched with npx if need be, then does the
# work, because base and compiler must match.
set -euo pipefail
cd "$(dirname "$0")"

release=2.9.6
name=azure-proxy-agent
output=build/dist
target=

fail() {
	printf 'cannot go on: %s\n      remedy: %s\n' "$1" "$2" >&2
	exit 1
}

while [ $# -gt 0 ]; do
	case $1 in
	--target) target=${2:-}; shift ;;
	--target=*) target=${1#*=} ;;
	--output) output=${2:-}; shift ;;
	--output=*) output=${1#*=} ;;
	-h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
	--) ;;
	*) fail "there is no option \`$1\`" "./compile.sh --help tells which there are" ;;
	esac
	shift
done

case $(uname -m) in
x86_64) machine=x64 ;;
aarch64) machine=arm64 ;;
*) machine=other ;;
esac
case ${target:=$machine} in
x64) triple=x86_64-unknown-linux-gnu elf_machine=3e00 ;;
arm64) triple=aarch64-unknown-linux-gnu elf_machine=b700 ;;
*) fail "there is no target \`$target\`" "choose --target x64 or --target arm64" ;;
esac

version=$release
if [ -n "${DENORT_BIN:-}" ]; then
	[ -r "$DENORT_BIN" ] || fail "the base \`$DENORT_BIN\` cannot be read" "set DENORT_BIN to a denort executable"
	[ "$(head -c 20 "$DENORT_BIN" | tail -c 2 | od -An -tx1 | tr -d ' \n')" = $elf_machine ] ||
		fail "the base \`$DENORT_BIN\` is not for $target" "set DENORT_BIN to a denort for $triple"
	version=$(grep -aom1 'Deno/[0-9]*\.[0-9]*\.[0-9]*Deno/' "$DENORT_BIN" | head -n 1 | tr -dc '0-9.')
	[ -n "$version" ] || fail "the base \`$DENORT_BIN\` does not tell its version" "set DENORT_BIN to a denort executable"
fi

# The Deno on the path, when it is the right one; else the one that npm has.
if [ "$(deno --version 2>/dev/null | sed -n 's/^deno \([0-9.]*\).*/\1/p')" = "$version" ]; then
	deno=(deno)
elif command -v npx >/dev/null; then
	deno=(npx -y "deno@$version")
else
	fail "Deno $version is needed, and neither it nor npx is on the path" "install Deno $version, or Node.js with npx"
fi
export DENO_TLS_CA_STORE=${DENO_TLS_CA_STORE:-system,mozilla} DENO_NO_UPDATE_CHECK=1 NPM_CONFIG_UPDATE_NOTIFIER=false
locked=(--lock=deno.lock --frozen)

"${deno[@]}" run --allow-all tools/build_bpf.ts

mkdir -p build "$output"
work=$(mktemp -d -p build)
trap 'rm -rf "$work"' EXIT

# Split, so that a command reads no more than it needs.
echo "bundling main.ts with Deno $version"
"${deno[@]}" bundle --quiet "${locked[@]}" --code-splitting --outdir "$work/code" main.ts

# No code cache: the executable would read it from a file of a known name in /tmp, which anybody could have put there.
# The flags keep the heap near what the agent holds: docs/adr/0018-bounded-heap.md.
echo "compiling for $triple"
"${deno[@]}" compile --quiet --no-check --no-config --no-lock --no-code-cache --allow-all \
	--v8-flags=--max-semi-space-size=4,--heap-growing-percent=20,--no-memory-pool \
	--target "$triple" --output "$work/$name" "$work/code/main.js" ||
	fail "deno compile made no executable" \
		"if its base could not be fetched, set DENORT_BIN to a denort for $triple (see README, Install)"

if [ "$target" = "$machine" ]; then
	"$work/$name" --version >/dev/null ||
		fail "the executable does not run on this machine" "use a base that is made for this system"
fi
install -m 0755 "$work/$name" "$output/$name"
install -m 0644 build/bpf/redirector.o build/bpf/redirector_no_task.o "$output"
echo "made $output/$name with its kernel programs beside it"
