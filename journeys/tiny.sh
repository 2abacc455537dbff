#!/bin/sh -e
# From nothing to a measured video on two CPU cores, in minutes. Read this first: it is the architecture.
#
#   sh journeys/tiny.sh [FOLDER]     everything is written below FOLDER (out/tiny); run again, it goes on where it stopped
#
# The model is far too small to be good; phenaki-sprites and phenaki-digits, which ship, are made by the same commands.
out=${1:-out/tiny}

# A dataset folder: captioned Moving MNIST, with combinations of digit and motion that are held out.
storyreel data make digits -o "$out/data" --clips 400 --size 32 --digits 1 --held-out-share 0.2 --seed 0
storyreel data check "$out/data"

# A run folder: the tokenizer, then the masked transformer over its codes. The model folder is in it, under model/.
storyreel train phenaki_tiny --data "$out/data" -o "$out/run"

# Clips: one prompt, then a file of prompts, each written once.
storyreel generate "digit 3 moves up" -m "$out/run/model" -o "$out/three.gif"
printf '%s\n' "Digit 3 moves up." "Digit 7 moves left." "Digit 4 is moving up then down." > "$out/prompts.txt"
storyreel generate --prompts "$out/prompts.txt" -m "$out/run/model" -o "$out/clips"
storyreel inspect "$out/three.gif"

# A judge, trained on real clips alone, and what it says about real ones that it is asked about.
test -f "$out/judge/judge.json" || storyreel evaluate train-judge --data "$out/data" -o "$out/judge" --train-steps 150 --batch 8
storyreel evaluate "$out/data" --judge "$out/judge" --split held_out
echo "made: $out/three.gif"
