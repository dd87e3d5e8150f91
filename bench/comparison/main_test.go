package main

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPage_hasWhatTheResultsSay(t *testing.T) {
	for _, page := range []string{"../../docs/comparison.md", "../../docs/logout.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		want, err := generate("../results.json", string(text))
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != want {
			t.Errorf("%s was changed by hand between its markers, or not written after the last run; in bench/: go run ./comparison results.json ../docs/comparison.md ../docs/logout.md", page)
		}
	}
}

func TestInsert(t *testing.T) {
	for _, c := range []struct{ name, page, want string }{
		{"between the markers", "a\n" + begin + "old\n" + end + "b\n", "a\n" + begin + "new\n\n" + end + "b\n"},
		{"nothing there yet", begin + end, begin + "new\n\n" + end},
		{"no end", begin + "old\n", ""},
		{"no beginning", "old\n" + end, ""},
		{"the wrong order", end + begin, ""},
		{"twice", begin + end + begin + end, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := insert(c.page, begin, "new\n")
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("insert = %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestReadResults_refusesWhatIsNotOneWholeRun(t *testing.T) {
	const (
		ran    = `{"name":"run","row":{"go":"1.26"}}` + "\n"
		row    = `{"name":"sessions","row":{"library":"scs","store":"memory","step":"read","median":2100}}` + "\n"
		others = `{"name":"saves","row":{"savers":1}}` + "\n" + `{"name":"memory","row":{"sessions":1}}` + "\n" + `{"name":"sweep","row":{"sessions":1}}` + "\n" +
			`{"name":"logout","row":{"sockets":1}}` + "\n" + `{"name":"revalidate","row":{"sessions":1}}` + "\n"
		all = ran + row + others
	)
	if r, err := readResults(strings.NewReader(all)); err != nil || r.run.Go != "1.26" || r.sessions[0].Median != 2100 {
		t.Errorf("a whole run: %+v, %v", r, err)
	}
	for name, text := range map[string]string{
		"nothing":           "",
		"no run":            row + others,
		"two runs":          all + ran,
		"no sessions":       ran + others,
		"no other tables":   ran + row,
		"a name unknown":    all + `{"name":"other","row":{}}`,
		"no JSON":           all + "ok\n",
		"a row of no table": all + `{"name":"saves","row":{"savers":"many"}}`,
	} {
		if _, err := readResults(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTables_ofStores(t *testing.T) {
	const recorded = `{"name":"run","row":{"date":"2026-01-02","go":"1.26","cpus":2}}
{"name":"sessions","row":{"library":"scs","store":"memory","step":"read","median":2100}}
{"name":"saves","row":{"savers":64,"connections":20,"single":40123.4,"single_busy":0.71,"grouped":60500,"grouped_busy":0.98,"ratio":1.51,"spread":0.04}}
{"name":"memory","row":{"sessions":1000000,"bytes":812.6,"bare":250,"load":310,"load_p99":900,"save":720,"save_p99":2400}}
{"name":"sweep","row":{"sessions":1000000,"save":800,"save_p99":3100,"longest":45000}}
{"name":"logout","row":{"sockets":10000,"what":"bare","samples":7,"p50":300000,"p99":400000,"max":400000}}
{"name":"logout","row":{"sockets":10000,"what":"stopped","samples":7,"p50":20000000,"p99":30000000,"max":31000000}}
{"name":"logout","row":{"sockets":10000,"what":"closed","samples":70000,"p50":90000000,"p99":150000000,"max":200000000}}
{"name":"logout","row":{"sockets":10000,"what":"centrifuge","samples":70000,"p50":200000000,"p99":300000000,"max":310000000}}
{"name":"revalidate","row":{"sessions":100000,"p50":480000000,"max":600000000,"quiet_p50":200000,"quiet_p99":1000000,"busy_p50":300000,"busy_p99":1400000,"calm_p50":200000,"calm_p99":1100000,"gentle_p50":200000,"gentle_p99":1200000,"beats":1.04,"commands":100209}}
`
	r, err := readResults(strings.NewReader(recorded))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| 64 | 20 | 40,123 | 71% | 60,500 | 98% | 1.5× | 4% |\n",
		"| 1,000,000 | 813 | 0.25 µs | 0.31 µs | 0.90 µs | 0.72 µs | 2.40 µs |\n",
		"While 1,000,000 expired sessions are freed, a save takes 0.80 µs (median; p99 3.10 µs); the longest step was 45.0 µs.\n",
	} {
		if got := r.String(); !strings.Contains(got, want) {
			t.Errorf("the tables lack %q:\n%s", want, got)
		}
	}
	for _, want := range []string{
		"| 10,000 | 20.0 / 31.0 ms | 90.0 / 150 / 200 ms | 200 / 300 / 310 ms | 0.5× | 300× |\n",
		"480 ms (median; 600 ms at most)",
		"1.40 ms instead of 1.00 ms at p99 (1.4×)",
		"every minute takes its time: 1.20 ms instead of 1.10 ms at p99 (1.1×)",
		"1.0 command/s for heartbeats, and 1,670 commands/s",
	} {
		if got := r.ends(); !strings.Contains(got, want) {
			t.Errorf("the tables of ends lack %q:\n%s", want, got)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{micros(-12), "0 µs"},
		{micros(281), "0.28 µs"},
		{micros(12_340), "12.3 µs"},
		{micros(456_700), "457 µs"},
		{micros(1_234_567), "1,235 µs"},
		{micros(12_345_678), "12.3 ms"},
		{count(999), "999"},
		{count(1_000_000), "1,000,000"},
		{ratio(2.04), "2.0×"},
		{ratio(-0.01), "0.0×"},
		{ratio(82.9), "83×"},
		{percent(0.125), "12%"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
