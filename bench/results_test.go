package bench

import (
	"bufio"
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/internal/redistest"
)

// recording makes whole lines of what benchmarks record at once.
var recording sync.Mutex

// record appends a row of results, as one line of JSON, to the file that the
// environment variable BENCH_RESULTS names; without it, record does nothing.
// A file that cannot be written panics: a run that is recorded in part would
// be published as a whole.
//
// comparison/ makes tables of them. Durations are in nanoseconds, and may be a
// [time.Duration]; names and keys are:
//
//	run       what ran, where and when; see recordRun
//	sessions  library, store, step, best, q1, median, q3, allocs, bytes, trips, cookie
//	saves     savers, connections, single, single_busy, grouped, grouped_busy, ratio, spread:
//	          saves/s with a trip each and grouped, how busy Redis' core was from
//	          0 to 1, grouped/single, and its quartiles' distance as a part of it
//	memory    sessions, bytes, bare, load, load_p99, save, save_p99: bytes of one session;
//	          bare is a look-up in a map of as many
//	sweep     sessions, save, save_p99, longest: of a save meanwhile, and the longest step
//	logout    sockets, what, samples, p50, p99, max: from the call on, what is "bare" (a PUBLISH and a
//	          write), "stopped" (the other node), "closed" or "centrifuge" (close frames)
//	revalidate  sessions, p50, max, quiet_p50, quiet_p99, busy_p50, busy_p99, calm_p50, calm_p99, gentle_p50,
//	          gentle_p99, beats, commands: of a look-up after a gap; of publications without and meanwhile,
//	          and without and in that of the minute; commands a second, and of one look-up
func record(name string, row map[string]any) {
	path := os.Getenv("BENCH_RESULTS")
	if path == "" {
		return
	}
	line, err := json.Marshal(map[string]any{"name": name, "row": row})
	if err != nil {
		panic(err)
	}
	recording.Lock()
	defer recording.Unlock()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	if _, err := file.Write(append(line, '\n')); err != nil {
		panic(err)
	}
	if err := file.Close(); err != nil {
		panic(err)
	}
}

// recordRun records what ran, where and when.
func recordRun(b testing.TB, server *redistest.Server) {
	info, err := server.Client(b).Info(b.Context(), "server").Result()
	if err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile("go.mod")
	if err != nil {
		b.Fatal(err)
	}
	record("run", map[string]any{
		"date":    time.Now().UTC().Format(time.DateOnly),
		"go":      strings.TrimPrefix(runtime.Version(), "go"),
		"system":  runtime.GOOS + "/" + runtime.GOARCH,
		"cpu":     processor(),
		"cpus":    runtime.GOMAXPROCS(0),
		"redis":   field(info, "redis_version:"),
		"modules": required(string(text)),
	})
}

// required returns the versions of all modules that a go.mod requires. Go lists
// there what it builds with (see "go help modules", minimal version selection).
func required(text string) map[string]string {
	modules := make(map[string]string)
	for line := range strings.Lines(text) {
		f := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(f) >= 2 && strings.Contains(f[0], ".") && strings.HasPrefix(f[1], "v") {
			modules[f[0]] = f[1]
		}
	}
	return modules
}

// processor returns the name of the processor, where Linux tells it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	_, name, _ := strings.Cut(field(string(text), "model name"), ":")
	return strings.TrimSpace(name)
}

// field returns what follows a prefix in its line.
func field(text, prefix string) string {
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
