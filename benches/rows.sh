#!/usr/bin/env bash
# User instructions per row, by callgrind: (I(K2) - I(K1)) / (K2 - K1), so that starting up does not count.
#   benches/rows.sh [SCENARIO...]      without a word all of them (benches/rows.rs says which there are)
# K1 and K2 are numbers of rows; OUT=file keeps the profile of the last run for callgrind_annotate. Wants valgrind.
set -euo pipefail
cd "$(dirname "$0")/.."
k1=${K1:-1000} k2=${K2:-5000}
scenarios=("$@")
[ ${#scenarios[@]} -gt 0 ] || scenarios=(scan decode gate projection star tumbling count count_each rules_1 rules_100)
bin=$(cargo bench --no-run --bench rows --message-format=json 2>/dev/null | sed -n 's/.*"name":"rows".*"executable":"\([^"]*\)".*/\1/p' | tail -1)
[ -x "$bin" ] || { echo "rows.sh: the bench does not build: cargo bench --no-run --bench rows" >&2; exit 1; }
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
count() {
  valgrind --tool=callgrind --callgrind-out-file="$dir/cg.$2" "$bin" "$1" "$2" > "$dir/said" 2>&1
  grep -h -E '^(summary|totals):' "$dir/cg.$2" | awk '{print $2}' | sort -n | tail -1
}
for scenario in "${scenarios[@]}"; do
  a=$(count "$scenario" "$k1")
  b=$(count "$scenario" "$k2")
  [ -z "${OUT:-}" ] || cp "$dir/cg.$k2" "$OUT"
  awk -v s="$scenario" -v a="$a" -v b="$b" -v n=$((k2 - k1)) 'BEGIN{printf "%-12s %8.0f instructions/row\n",s,(b-a)/n}'
done
