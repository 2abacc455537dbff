#!/bin/sh -e
# What journeys/gpu.sh needs on a machine without a network, in one folder of less than 64 MiB.
#
#   make gpu-kit                       or: SHEETS=FOLDER WORDS=sprites,digits START="phenaki_sprites=phenaki-sprites" sh ...
#
# SHEETS: the LPC sheets (`storyreel data fetch sprites -o FOLDER`), empty for none. WORDS: of the text encoder, empty for
# none. START: recipe=model pairs, models whose weights a training is to begin from.
kit=${KIT:-.gpu}
sheets=${SHEETS-../shared/lpc}
words=${WORDS-sprites,digits}

mkdir -p "$kit/start"
cp journeys/gpu.sh "$kit/gpu.sh"
if [ -n "$sheets" ]; then storyreel data sheets --source "$sheets" -o "$kit/sheets.tar.xz"; fi
if [ -n "$words" ]; then storyreel models text --words "$words" -o "$kit/text"; fi
for pair in $START; do
    name=${pair%%=*} model=${pair#*=}
    rm -rf "$kit/start/$name"
    storyreel models pack "$model" -o "$kit/start/$name"
done
size=$(find "$kit" -type f -exec cat {} + | wc -c)
echo "$kit: $((size / 1048576)) MiB"
if [ "$size" -gt 67108864 ]; then
    echo "gpu-kit: $kit has more than 64 MiB; begin from fewer models (START)" >&2
    exit 1
fi
