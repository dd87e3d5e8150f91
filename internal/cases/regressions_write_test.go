package cases_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"

	"github.com/sessionhub/sessionhub/internal/faultproxy"
	"github.com/sessionhub/sessionhub/internal/redistest"
	"github.com/sessionhub/sessionhub/session"
)

// writeRegressions are defects in how changes are noticed and merged.
func writeRegressions() []visRule {
	return []visRule{
		{"lostUpdate", "Django, scs: the last write of the whole session wins, and the others' keys are lost", regressLostUpdate},
		{"staleDirtyFlag", "the flag is never cleared, and each later save writes again", regressDirtyFlag},
		{"nestedChangesUnnoticed", "Django: a list in the session is changed in place and not saved", regressNested},
		{"incrementCountsTwice", "go-redis: a command is sent again when its reply was lost", regressIncrement},
		{"clearForgetsOthersValues", "a clear that leaves what another request set meanwhile", regressClear},
		{"saveTellsNothingOfWhatItCannotKeep", "a value that cannot be stored is left out without a word", regressUnstorable},
	}
}

var visCount = session.Counter("count")

func regressLostUpdate(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "k", 0)
	v.do(func(r *http.Request) error {
		if err := visPut(r.Context(), "main", "slow", 1); err != nil {
			return err
		}
		s, err := session.Get(r.Context(), "main")
		if err != nil {
			return err
		}
		if err := visCount.Add(s, 1); err != nil {
			return err
		}
		other := v.copy()
		other.set("main", "fast", 2)
		other.do(func(r *http.Request) error {
			s, err := session.Get(r.Context(), "main")
			if err != nil {
				return err
			}
			return visCount.Add(s, 1)
		})
		return nil
	})
	if got := v.get("main", "slow") + v.get("main", "fast") + v.get("main", "count"); got != "122" {
		w.Errorf("slow, fast, count = %s, want 1, 2, 2", got)
	}
}

func regressDirtyFlag(w *visWorld) {
	v := w.node().visitor()
	v.set("main", "k", 0)
	w.spy.drain()
	v.do(func(r *http.Request) error {
		sc := session.FromContext(r.Context())
		if err := visPut(r.Context(), "main", "k", 1); err != nil {
			return err
		}
		for range 3 {
			if err := sc.Save(r.Context()); err != nil {
				return err
			}
		}
		s, err := session.Get(r.Context(), "main")
		if err == nil && (s.Modified() || s.Accessed()) {
			w.Error("modified after the save")
		}
		return err
	})
	if got := w.spy.drain(); got != "Load Save" {
		w.Errorf("the store was asked %q, want one save", got)
	}
}

func regressNested(w *visWorld) {
	list := session.Field[[]string]("list")
	v := w.node().visitor()
	given := []string{"a"}
	v.do(func(r *http.Request) error {
		s, err := session.Get(r.Context(), "main")
		if err != nil {
			return err
		}
		if err := list.Set(s, given); err != nil {
			return err
		}
		given[0] = "changed after it was set"
		return nil
	})
	v.do(func(r *http.Request) error {
		s, err := session.Get(r.Context(), "main")
		if err != nil {
			return err
		}
		mine, err := list.Get(s)
		if err != nil {
			return err
		}
		mine[0] = "changed in place"
		again, err := list.Get(s)
		if err == nil && (again[0] != "a" || s.Modified()) {
			w.Errorf("%q after a change in place, modified %v: neither seen nor unseen", again, s.Modified())
		}
		return err
	})
	if got := v.get("main", "list"); got != `["a"]` {
		w.Errorf("list = %s", got)
	}
	v.do(func(r *http.Request) error {
		s, err := session.Get(r.Context(), "main")
		if err != nil {
			return err
		}
		return list.Update(s, func(old []string) ([]string, error) { return append(old, "b"), nil })
	})
	if got := v.get("main", "list"); got != `["a","b"]` {
		w.Errorf("list = %s after an update", got)
	}
}

// On the memory store, where no reply can be lost, the save is repeated as a
// client of Redis repeats it.
func regressIncrement(w *visWorld) {
	n := w.node()
	v := n.visitor()
	v.set("main", "count", 0)
	add := func(r *http.Request) error {
		s, err := session.Get(r.Context(), "main")
		if err != nil {
			return err
		}
		return visCount.Add(s, 1)
	}
	if w.kind == "memory" {
		rec, err := w.spy.Load(w.Context(), visFamily(), v.id(), session.Load{})
		if err != nil {
			w.Fatal(err)
		}
		save := session.Save{Op: rand.Text(), Epoch: rec.Epoch, Deltas: map[string]session.Delta{
			"main": {Generation: rec.Space("main").Generation, Version: rec.Space("main").Version, Add: map[string]int64{"count": 1}},
		}}
		for range 2 {
			if _, err := w.spy.Save(w.Context(), visFamily(), v.id(), save); err != nil {
				w.Fatal(err)
			}
		}
	} else {
		proxy := faultproxy.Start(w, redistest.Shared(w).Addr)
		direct := w.spy.Store
		w.spy.Store = w.openRedis("redis://" + proxy.Addr + "?dial_timeout=2s&read_timeout=2s&write_timeout=2s")
		v.do(func(r *http.Request) error {
			if err := add(r); err != nil {
				return err
			}
			proxy.CutOnReply(1)
			return nil
		})
		proxy.CutOnReply(0)
		w.spy.Store = direct
	}
	if got := v.get("main", "count"); got != "1" {
		w.Errorf("count = %s after one increment", got)
	}
	var wg sync.WaitGroup
	for range 20 {
		other := v.copy()
		wg.Go(func() { other.do(add) })
	}
	wg.Wait()
	if got := v.get("main", "count"); got != "21" {
		w.Errorf("count = %s after 21 increments", got)
	}
}

func regressClear(w *visWorld) {
	v := w.node().visitor()
	v.set("main", "old", 1)
	v.do(func(r *http.Request) error {
		s, err := session.Get(r.Context(), "main")
		if err != nil {
			return err
		}
		if err := s.Clear(); err != nil {
			return err
		}
		v.copy().set("main", "meanwhile", 2)
		return s.Set("new", 3)
	})
	if got := v.get("main", "old") + v.get("main", "meanwhile") + v.get("main", "new"); got != "3" {
		w.Errorf("after a clear and a new value: %s", got)
	}
}

func regressUnstorable(w *visWorld) {
	v := w.node().visitor()
	v.set("main", "k", 1)
	ran := false
	resp := v.serve(func(_ http.ResponseWriter, r *http.Request) {
		_ = visPut(r.Context(), "main", "k", 2)
		_ = visPut(r.Context(), "main", "f", func() {}) // nobody looks
		_ = session.OnSaved(r.Context(), func(context.Context) { ran = true })
	})
	if got := v.get("main", "k"); resp.StatusCode != 500 || got != "1" || ran {
		w.Errorf("answered %d, k = %s, OnSaved ran %v", resp.StatusCode, got, ran)
	}
}
