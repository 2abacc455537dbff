#!/bin/sh -e
# One machine with a GPU, and nothing but PyTorch: check it, train in so many minutes, take the models home.
#
#   MODELS="phenaki_sprites imagen_video_sprites" MINUTES=8 sh journeys/gpu.sh
#
# `make gpu-kit` writes what must travel into .gpu/. Variables:
#   MODELS   recipes, one after the other                    MINUTES  for each of them
#   OUT      where everything goes (out/gpu)                 KIT      what `make gpu-kit` wrote (.gpu)
#   CLIPS    of the world (60000)                            DATA     in place of the world of the recipe's name
#   DEVICE   auto, cuda, cpu                                 CHECK    no: train without trying the device before
#   TRAIN    more options of `storyreel train`               PYTHON   python3
# Left in OUT: runs/ to resume (the same command goes on), models/, and MODEL.tar.gz.00, .01, ... of at most 15 MB each;
# `cat MODEL.tar.gz.* | tar xz` puts a model together.
kit=${KIT:-.gpu}
out=${OUT:-out/gpu}
minutes=${MINUTES:-8}
device=${DEVICE:-auto}
clips=${CLIPS:-60000}
python=${PYTHON:-python3}
models=${MODELS:-phenaki_sprites}
storyreel() { "$python" -m storyreel "$@"; }

mkdir -p "$out/runs" "$out/models"
export STORYREEL_CACHE="${STORYREEL_CACHE:-$out/cache}"
if [ -d "$kit/text" ]; then
    STORYREEL_TEXT=$(cd "$kit/text" && pwd)
    export STORYREEL_TEXT
fi
if [ "${CHECK:-yes}" != no ]; then
    recipes=$(echo $models | tr ' ' ,)
    storyreel check --device "$device" --models none --quick --recipes "$recipes"
fi

failed=
for model in $models; do
    case $model in
        *sprites*) data="sprites:$kit/sheets.tar.xz?clips=$clips&captions=4&carried=0.2" ;;
        *) data="digits:?clips=$clips&captions=4&carried=0.2" ;;
    esac
    set -- "$model" --data "${DATA:-$data}" -o "$out/runs/$model" --minutes "$minutes" --device "$device"
    case $model in imagen_video*) set -- "$@" --stages-at-once ;; esac
    if [ -d "$kit/start/$model" ]; then set -- "$@" --init "$kit/start/$model"; fi
    trained=yes
    storyreel train "$@" $TRAIN || trained=no
    # Also of a training that failed: what its stages have learnt so far.
    if storyreel models export "$out/runs/$model" -o "$out/models/$model" --max-mb "${MAX_MB:-60}"; then
        rm -f "$out/$model.tar.gz".*
        tar -czf - -C "$out/models" "$model" | split -b 15000000 -d - "$out/$model.tar.gz."
        ls -l "$out/$model.tar.gz".*
    else
        trained=no
    fi
    if [ $trained = no ]; then failed="$failed $model"; fi
done
if [ -n "$failed" ]; then
    echo "gpu.sh: failed:$failed" >&2
    exit 1
fi
