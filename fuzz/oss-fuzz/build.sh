#!/bin/bash -eu
# SPDX-License-Identifier: BSD-2-Clause
# Builds all targets for a fuzzing service: OSS-Fuzz, ClusterFuzzLite, or by hand with their variables
# (CC CXX CFLAGS CXXFLAGS LIB_FUZZING_ENGINE SRC OUT WORK). Beside each program in OUT: its seed corpus,
# its dictionary and its options. Where targets run there is the C library and no other: what else they
# load goes into OUT/lib, where they look first. (Not linked from archives: libpcap's cannot be.)

# The script is run from its checkout, or as a copy in SRC.
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
[ -f "$project/fuzz/targets.txt" ] || project=$SRC/rpmsg-testbench
build=$WORK/rpmsg-testbench

# All instrumentation is in CFLAGS; the engine may be a library or a flag, and needs C++.
cmake -G Ninja -S "$project" -B "$build" \
	-DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" \
	-DFUZZ=ON -DFUZZ_INSTRUMENTATION= -DFUZZ_LINK_CXX=ON -DFUZZ_PORTABLE=ON \
	-DLIB_FUZZING_ENGINE="$LIB_FUZZING_ENGINE" -DBUILD_TESTING=OFF
cmake --build "$build" --target fuzz_engines

# libraries PROGRAM: copies all that it loads, directly or not, but for the C library's own.
libraries() {
	ldd "$1" | awk '$2 == "=>" && $3 ~ "^/" { print $3 }' |
		grep -vE '/(libc|libm|libdl|libpthread|librt|libresolv)\.so' |
		while read -r file; do
			[ "$file" -ef "$OUT/lib/${file##*/}" ] || cp -L "$file" "$OUT/lib/"
		done
}

mkdir -p "$OUT/lib"
while read -r name longest floors; do
	case $name in '' | '#'*) continue ;; esac
	# empty, to measure by, attacks nothing.
	[ -n "$floors" ] || continue
	cp "$build/bin/fuzz_$name" "$OUT/"
	libraries "$OUT/fuzz_$name"

	seeds=()
	for folder in "$project/fuzz/corpus/$name" "$project/fuzz/regress/$name"; do
		[ ! -d "$folder" ] || seeds+=("$folder"/*)
	done
	rm -f "$OUT/fuzz_${name}_seed_corpus.zip"
	[ ${#seeds[@]} -eq 0 ] || zip -jqX "$OUT/fuzz_${name}_seed_corpus.zip" "${seeds[@]}"

	{
		echo "[libfuzzer]"
		echo "max_len = $longest"
		if [ -f "$project/fuzz/dict/$name.dict" ]; then
			cp "$project/fuzz/dict/$name.dict" "$OUT/fuzz_$name.dict"
			echo "dict = fuzz_$name.dict"
		fi
		echo "close_fd_mask = 1"
		echo "detect_leaks = 1"
	} >"$OUT/fuzz_$name.options"
done <"$project/fuzz/targets.txt"
