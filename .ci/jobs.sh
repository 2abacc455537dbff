# Read by .ci/run and .ci/full: runs jobs, all of them, and says at the end which failed.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export HF_HUB_OFFLINE=1 CI=${CI:-true}
failed=()

job() { # NAME COMMAND...
	local name=$1 begin=$SECONDS
	shift
	echo "== $name: $*"
	"$@" < /dev/null
	ended "$name" $? $((SECONDS - begin))
}

ended() { # NAME STATUS SECONDS
	(($2 == 0)) || failed+=("$1")
	echo "== $1: $([ "$2" = 0 ] && echo ok || echo "FAILED ($2)") after $3 s"
}

beside() { # NAME COMMAND...: one job beside those that follow, until `joined`
	beside_name=$1 beside_begin=$SECONDS beside_log=$(mktemp)
	shift
	echo "== $beside_name: $* (beside what follows)"
	"$@" < /dev/null > "$beside_log" 2>&1 &
	beside_pid=$!
}

joined() {
	local status
	wait "$beside_pid"
	status=$?
	echo "== $beside_name:"
	cat "$beside_log"
	rm -f "$beside_log"
	ended "$beside_name" $status $((SECONDS - beside_begin))
}

finish() {
	echo "== all jobs: $SECONDS s"
	if ((${#failed[@]})); then
		echo "== failed: ${failed[*]}"
		exit 1
	fi
}
