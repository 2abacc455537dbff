# Read by .ci/run and .ci/full: runs jobs one after the other, all of them, and says at the end which failed.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export HF_HUB_OFFLINE=1 CI=${CI:-true}
failed=()

job() { # NAME COMMAND...
	local name=$1 begin=$SECONDS status
	shift
	echo "== $name: $*"
	"$@" < /dev/null
	status=$?
	((status == 0)) || failed+=("$name")
	echo "== $name: $([ $status = 0 ] && echo ok || echo "FAILED ($status)") after $((SECONDS - begin)) s"
}

finish() {
	echo "== all jobs: $SECONDS s"
	if ((${#failed[@]})); then
		echo "== failed: ${failed[*]}"
		exit 1
	fi
}
