package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionhub/sessionhub/hub"
	"github.com/sessionhub/sessionhub/internal/notice"
)

func TestPoll_questionsOfOthersAreReadStrictly(t *testing.T) {
	big := strings.Repeat("x", 1<<17)
	ids := make([]string, 1001)
	for i := range ids {
		ids[i] = fmt.Sprintf("%04d", i)
	}
	for _, c := range []struct {
		name, text string
		answered   bool
		malformed  uint64
	}{
		{"good", "1|connections|N|x|main|a", true, 0},
		{"good without a connection", "1|connections|N|x|main|b,c", true, 0},
		{"most ids", "1|connections|N|x|main|" + strings.Join(ids[:1000], ","), true, 0},
		{"other version", "2|connections|N|x|main|a", false, 0},
		{"other version alone", "2|", false, 0},
		{"other subject", "1|weather|N|x|", false, 0},
		{"no version", "1", false, 1},
		{"version spelled otherwise", "01|connections|N|x|main|a", false, 1},
		{"long version", "11111111|connections|N|x|main|a", false, 1},
		{"no body", "1|connections|N|x", false, 1},
		{"no node", "1|connections||x|main|a", false, 1},
		{"no nonce", "1|connections|N||main|a", false, 1},
		{"node is a topic", "1|connections|a b|x|main|a", false, 1},
		{"too long", "1|connections|N|x|main|" + big, false, 1},
		{"too many ids", "1|connections|N|x|main|" + strings.Join(ids, ","), false, 1},
		{"no ids", "1|connections|N|x|main|", false, 1},
		{"no root", "1|connections|N|x||a", false, 1},
		{"one field less", "1|connections|N|x|main", false, 1},
		{"one field more", "1|connections|N|x|main|a|b", false, 1},
		{"order", "1|connections|N|x|main|b,a", false, 1},
		{"twice", "1|connections|N|x|main|a,a", false, 1},
		{"trailing comma", "1|connections|N|x|main|a,", false, 1},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			var answers []string
			n := startTapped(t, storeOf("a"), hub.NewMemoryBroker(), &tapped{publish: func(topic string, data []byte) error {
				if topic != "\x01answer:N" || !strings.HasPrefix(string(data), "1|connections|") {
					t.Errorf("published %q on %q", data, topic)
				}
				answers = append(answers, string(data))
				return nil
			}})
			n.open("a", "")
			gaps := n.Gaps()
			n.bus.receiver().Publication("\x01direct", []byte(c.text))
			synctest.Wait()
			if got := len(answers) == 1; got != c.answered {
				t.Errorf("answers = %q, want one: %v", answers, c.answered)
			}
			if c.name == "good" && !strings.HasSuffix(answers[0], "|x|a=1") {
				t.Errorf("answer = %q", answers[0])
			}
			if st := n.Stats(); st.Malformed != c.malformed || st.Gaps != gaps || !st.Fresh {
				t.Errorf("stats = %+v, want %d malformed and no gap", st, c.malformed)
			}
		}))
	}
}

// fields returns the sender and the nonce of a question.
func fields(question []byte) (node, nonce string) {
	f := strings.Split(string(question), "|")
	return f[2], f[3]
}

func TestPoll_answersAreReadStrictly(t *testing.T) {
	const good = "1|connections|B|NONCE|a=2"
	for _, c := range []struct {
		name      string
		answers   []string
		want      int
		partial   string
		malformed uint64
	}{
		{"good", []string{good}, 2, "", 0},
		{"none there", []string{"1|connections|B|NONCE|"}, 0, "", 0},
		{"twice", []string{good, good}, 2, "", 0},
		{"first one counts", []string{good, "1|connections|B|NONCE|a=7"}, 2, "", 0},
		{"other version first", []string{"2|connections|B|NONCE|a=2", good}, 2, "", 0},
		{"other nonce", []string{"1|connections|B|nonce|a=2"}, 0, ": 1 of 2", 0},
		{"other subject", []string{"1|weather|B|NONCE|a=2"}, 0, ": 1 of 2", 0},
		{"garbage", []string{"garbage", "", "\x00", good}, 2, "", 3},
		{"id not asked for", []string{"1|connections|B|NONCE|c=2"}, 0, ": 1 of 2", 1},
		{"more ids than asked for", []string{"1|connections|B|NONCE|a=2,b=1,c=1"}, 0, ": 1 of 2", 1},
		{"order", []string{"1|connections|B|NONCE|b=2,a=2"}, 0, ": 1 of 2", 1},
		{"id twice", []string{"1|connections|B|NONCE|a=2,a=2"}, 0, ": 1 of 2", 1},
		{"zero", []string{"1|connections|B|NONCE|a=0"}, 0, ": 1 of 2", 1},
		{"negative", []string{"1|connections|B|NONCE|a=-1"}, 0, ": 1 of 2", 1},
		{"spelled otherwise", []string{"1|connections|B|NONCE|a=+2"}, 0, ": 1 of 2", 1},
		{"too big", []string{"1|connections|B|NONCE|a=2147483648"}, 0, ": 1 of 2", 1},
		{"no number", []string{"1|connections|B|NONCE|a"}, 0, ": 1 of 2", 1},
		{"one field more", []string{"1|connections|B|NONCE|a=2|"}, 0, ": 1 of 2", 1},
	} {
		t.Run(c.name, bubble(func(t *testing.T) {
			tap := &tapped{count: func(int) int { return 2 }}
			tap.publish = func(_ string, data []byte) error {
				node, nonce := fields(data)
				for _, a := range c.answers {
					tap.receiver().Publication("\x01answer:"+node, []byte(strings.Replace(a, "NONCE", nonce, 1)))
				}
				return nil
			}
			n := startTapped(t, newStore(), hub.NewMemoryBroker(), tap)
			want := make(map[string]int)
			if c.want > 0 {
				want["a"] = c.want
			}
			took := time.Duration(0)
			if c.partial != "" {
				took = bound
			}
			gaps := n.Gaps()
			wantCensus(t, n.Hub, []string{"a", "b"}, want, c.partial, took)
			if st := n.Stats(); st.Malformed != c.malformed || st.Gaps != gaps || !st.Fresh {
				t.Errorf("stats = %+v, want %d malformed and no gap", st, c.malformed)
			}
		}))
	}
}

func TestPoll_answersThatNobodyTakesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tap := &tapped{count: func(int) int { return 3000 }}
		tap.publish = func(_ string, data []byte) error {
			node, nonce := fields(data)
			for i := range 3000 { // before the one who asked takes any
				tap.receiver().Publication("\x01answer:"+node, fmt.Appendf(nil, "1|connections|n%d|%s|a=1", i, nonce))
			}
			return nil
		}
		n := startTapped(t, newStore(), hub.NewMemoryBroker(), tap)
		got, err := n.Connections(t.Context(), "main", []string{"a"})
		if !errors.Is(err, hub.ErrPartial) || got["a"] != 1024 {
			t.Errorf("Connections = %v, %v, want the 1,024 that found a place", got, err)
		}
	})
}

func TestPoll_questionsThatWaitAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := make(chan struct{})
		var mu sync.Mutex
		answered := 0
		n := startTapped(t, newStore(), hub.NewMemoryBroker(), &tapped{publish: func(string, []byte) error {
			<-held
			mu.Lock()
			defer mu.Unlock()
			answered++
			return nil
		}})
		flood := func() {
			for range 1000 {
				n.bus.receiver().Publication("\x01direct", []byte("1|connections|N|x|main|a"))
			}
		}
		wantAnswered := func(want int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if answered != want {
				t.Errorf("answered %d questions, want %d", answered, want)
			}
		}
		n.bus.receiver().Publication("\x01direct", []byte("1|connections|N|x|main|a"))
		synctest.Wait() // the first one is being answered
		flood()
		close(held)
		wantAnswered(1 + 64)

		held = make(chan struct{})
		n.bus.receiver().Publication("\x01direct", []byte("1|connections|N|x|main|a"))
		synctest.Wait()
		flood()
		time.Sleep(bound) // nobody waits for answers any more
		close(held)
		wantAnswered(1 + 64 + 1)
	})
}

// wire is a broker that hands out its receiver and sends nothing by itself but
// one heartbeat.
type wire struct {
	receiver chan hub.Receiver
	beats    chan []byte
	publish  func(topic, text string)
}

func (b *wire) Run(ctx context.Context, r hub.Receiver) error {
	r.Fresh()
	r.Publication("\x01direct", <-b.beats)
	b.receiver <- r
	<-ctx.Done()
	return nil
}
func (b *wire) Subscribe(context.Context, string) error { return nil }
func (b *wire) Unsubscribe(string)                      {}
func (b *wire) Notify(context.Context, string) error    { return nil }
func (b *wire) Reset(error)                             {}
func (b *wire) Publish(_ context.Context, topic string, data []byte) error {
	if isBeat(data) {
		b.beats <- data
	} else {
		b.publish(topic, string(data))
	}
	return nil
}
func (b *wire) PublishCounted(ctx context.Context, topic string, data []byte) (int, error) {
	return 2, b.Publish(ctx, topic, data)
}

// runWire runs a fresh hub on b for a fuzz target.
func runWire(f *testing.F, b *wire) (*hub.Hub, hub.Receiver) {
	b.receiver, b.beats = make(chan hub.Receiver, 1), make(chan []byte, 10)
	h := hub.New(hub.Options{Broker: b, Heartbeat: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := h.Run(ctx, newStore()); err != nil {
			f.Errorf("Run = %v", err)
		}
	})
	f.Cleanup(func() { cancel(); wg.Wait() })
	if err := h.WaitFresh(ctx); err != nil {
		f.Fatal(err)
	}
	return h, <-b.receiver
}

const name = `[A-Za-z0-9_-]{1,64}`

// FuzzQuestion: what is answered is a question in its one spelling, and
// nothing keeps the next one from being answered.
func FuzzQuestion(f *testing.F) {
	for _, s := range []string{
		"1|connections|N|x|main|a,b", "1|connections|N|x|main|b,a", "1|weather|N|x|", "2|x", "1|connections|N|x|main|", "\x01s\x01m\x00\x01a", "",
	} {
		f.Add([]byte(s))
	}
	form := regexp.MustCompile(`^1\|connections\|(` + name + `)\|` + name + `\|` + name + `\|(` + name + `(?:,` + name + `)*)$`)
	answers := make(chan string, 10)
	h, r := runWire(f, &wire{publish: func(topic, text string) { answers <- topic + " " + text }})
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.HasPrefix(data, []byte("1|ended|")) {
			t.Skip("FuzzEnded's")
		}
		gaps := h.Gaps()
		r.Publication("\x01direct", data)
		r.Publication("\x01direct", []byte("1|connections|-|-|main|last"))
		var got []string
		for a := range answers {
			topic, text, _ := strings.Cut(a, " ")
			if topic == "\x01answer:-" && strings.HasSuffix(text, "|-|") {
				break
			}
			got = append(got, a)
		}
		want := 0
		if m := form.FindSubmatch(data); m != nil {
			if string(m[1]) == "-" {
				t.Skip("looks like the question that follows")
			}
			ids := strings.Split(string(m[2]), ",")
			n := len(ids)
			if slices.IsSorted(ids) && len(slices.Compact(ids)) == n && n <= 1000 {
				want = 1
			}
		}
		if len(got) != want {
			t.Errorf("answers to %q = %q, want %d", data, got, want)
		}
		if h.Gaps() != gaps || !h.Fresh() {
			t.Errorf("%q is a gap", data)
		}
	})
}

// FuzzEnded: only ends that can all be read are acknowledged, and each other one
// is counted.
func FuzzEnded(f *testing.F) {
	for _, s := range []string{session("a"), epoch("a", 2) + "," + namespace("a", "chat", 1), "", ",", session("a") + ",", "2|s|main|a||0", "x"} {
		f.Add(s)
	}
	answers := make(chan string, 10)
	h, r := runWire(f, &wire{publish: func(_, text string) { answers <- text }})
	n := 0
	ask := func(body string) (nonce string) {
		n++
		nonce = fmt.Sprint("x", n)
		r.Publication("\x01direct", []byte("1|ended|N|"+nonce+"|"+body))
		return nonce
	}
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) > 1<<16 {
			t.Skip("too long for a message")
		}
		bad := uint64(0)
		for text := range strings.SplitSeq(body, ",") {
			if _, err := notice.Parse(text); err != nil {
				bad++
			}
		}
		malformed := h.Stats().Malformed
		want := []string{ask(body)}
		if bad > 0 {
			want = nil
		}
		want = append(want, ask(session("last")))
		var got []string
		for len(got) < len(want) {
			f := strings.Split(<-answers, "|")
			got = append(got, f[3])
			if f[4] != "" {
				got = append(got, strings.Split(f[4], ",")...)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("answers to %q = %q, want %q", body, got, want)
		}
		if n := h.Stats().Malformed - malformed; n != bad {
			t.Errorf("%q: %d malformed, want %d", body, n, bad)
		}
	})
}

// FuzzAnswer: an answer counts in its one spelling alone. Any other leaves the
// question open for another node's.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"", "a=1", "a=1,b=2147483647", "b=1,a=1", "a=0", "a=+1", "a=1,a=1", "c=1", "a"} {
		f.Add(s)
	}
	form := regexp.MustCompile(`^(?:a=([1-9][0-9]{0,9}))?(,?)(?:b=([1-9][0-9]{0,9}))?$`)
	number := func(s string) (n int, ok bool) {
		if s == "" {
			return 0, true
		}
		_, err := fmt.Sscan(s, &n)
		return n, err == nil && n < 1<<31
	}
	var fuzzed string
	b := new(wire)
	var r hub.Receiver
	b.publish = func(_, question string) {
		node, nonce := fields([]byte(question))
		r.Publication("\x01direct", []byte(question))
		for _, a := range []string{"B|" + nonce + "|" + fuzzed, "C|" + nonce + "|a=3,b=4"} {
			r.Publication("\x01answer:"+node, []byte("1|connections|"+a))
		}
	}
	h, r0 := runWire(f, b)
	r = r0
	f.Fuzz(func(t *testing.T, s string) {
		fuzzed = s
		malformed := h.Stats().Malformed
		got, err := h.Connections(t.Context(), "main", []string{"a", "b"})
		if err != nil {
			t.Fatalf("Connections = %v", err)
		}
		// Both answers are there when the first is taken.
		want := map[string]int{"a": 3, "b": 4}
		wantMalformed := malformed + 1
		if m := form.FindStringSubmatch(s); m != nil && (m[2] == ",") == (m[1] != "" && m[3] != "") {
			na, oka := number(m[1])
			nb, okb := number(m[3])
			if oka && okb {
				want = map[string]int{"a": na + 3, "b": nb + 4}
				wantMalformed = malformed
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("with %q Connections = %v, want %v", s, got, want)
		}
		if n := h.Stats().Malformed; n != wantMalformed {
			t.Errorf("with %q Malformed = %d, want %d", s, n, wantMalformed)
		}
	})
}
