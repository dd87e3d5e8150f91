package cases_test

import (
	"net/http"
	"sync"
	"time"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
)

// expire has a request give the session an expiry, and a value so that there is
// one.
func (b *browser) expire(e session.Expiry) *http.Response {
	b.Helper()
	return b.visits(func(p *page) {
		must(p, session.SetExpiry(p.req.Context(), e))
		must(p, p.open("main").Set("e", 1))
	})
}

// expires says when the session ends, as a request of its own sees it.
func (b *browser) expires() (x session.Expires) {
	b.Helper()
	b.visits(func(p *page) { x = p.expires() })
	return x
}

func (p *page) expires() session.Expires {
	p.Helper()
	x, err := p.scope().Expires(p.req.Context(), "")
	must(p, err)
	return x
}

// everywhere checks what a session says of its end: one that is about to have
// the expiry, new or not, and one that has it.
func (w *world) everywhere(e session.Expiry, check func(x session.Expires)) {
	w.Helper()
	for _, b := range []*browser{w.browser(), w.known()} {
		b.visits(func(p *page) {
			must(p, session.SetExpiry(p.req.Context(), e))
			must(p, p.open("main").Set("e", 1))
			check(p.expires())
		})
		check(b.expires())
	}
}

// wait waits until the store has all but so many sessions expired. Nothing asks
// the memory store meanwhile, which would free what it is asked for.
func (w *world) wait(left int) {
	w.Helper()
	began := time.Now()
	w.until("sessions expire", func() bool {
		return w.name == "memory" && time.Since(began) >= w.soon || w.records() == left
	})
}

func expiryCases() []behaviour {
	return []behaviour{
		{"A26_withoutAnExpiryTheAgeIsTheNamespaces", "the idle timeout of the namespace counts; that the cookie goes with the browser changes nothing of it", func(w *world) {
			active := time.Now()
			for _, e := range []session.Expiry{{}, session.AtBrowserClose()} {
				w.everywhere(e, func(x session.Expires) { same(w, "age", x.Age(active), 30*time.Minute) })
			}
			same(w, "age of a visitor without a session", w.browser().expires().Age(active), 30*time.Minute)
		}},
		{"A27_anExpiryInSecondsCountsFromTheActivity", "After(10s) ends a session ten seconds after its last activity, whenever that is", func(w *world) {
			active := time.Now().Add(time.Hour)
			w.everywhere(session.After(10*time.Second), func(x session.Expires) {
				same(w, "date", x.Date(active), active.Add(10*time.Second))
				same(w, "age", x.Age(active), 10*time.Second)
			})
		}},
		{"A28_anEndFromNowIsFixedWhenItIsSet", "At(now+10s) stays where it is, whatever the activity", func(w *world) {
			end := time.Now().Add(10 * time.Second).Truncate(time.Millisecond)
			w.everywhere(session.At(end), func(x session.Expires) {
				for _, active := range []time.Time{end.Add(-10 * time.Second), end.Add(-3 * time.Second)} {
					same(w, "date", x.Date(active).UnixMilli(), end.UnixMilli())
					same(w, "age", x.Age(active), end.Sub(active))
				}
			})
		}},
		{"A29_anEndIsThatMoment", "At(t) is t, but the lifetime is not lengthened by it", func(w *world) {
			end := time.Now().Add(2 * time.Hour).Truncate(time.Millisecond)
			w.everywhere(session.At(end), func(x session.Expires) {
				same(w, "date", x.Date(time.Now()).UnixMilli(), end.UnixMilli())
				same(w, "idle", x.Idle, 0)
			})
			b := w.browser()
			b.expire(session.At(end.AddDate(1, 0, 0)))
			life := w.record(b.id()).Created.Add(8 * time.Hour)
			same(w, "date beyond the lifetime", b.expires().Date(time.Now()).UnixMilli(), life.UnixMilli())
		}},
		{"A30_theZeroExpiryGoesBack", "it takes the session's own expiry away, and is harmless when there is none", func(w *world) {
			active := time.Now()
			w.everywhere(session.Expiry{}, func(x session.Expires) { same(w, "age", x.Age(active), 30*time.Minute) })
			b := w.browser()
			for _, e := range []session.Expiry{session.After(10 * time.Second), {}, {}} {
				b.visits(func(p *page) {
					must(p, session.SetExpiry(p.req.Context(), e))
					must(p, session.SetExpiry(p.req.Context(), session.Expiry{}))
					same(w, "age in the request", p.expires().Age(active), 30*time.Minute)
					must(p, session.SetExpiry(p.req.Context(), e))
					must(p, p.open("main").Set("e", 1))
				})
			}
			same(w, "age", b.expires().Age(active), 30*time.Minute)
			same(w, "expiry in the store", w.record(b.id()).Expiry, session.Expiry{})
			if left := w.record(b.id()).Left; left < 25*time.Minute {
				w.Errorf("the store forgets it in %v", left)
			}
		}},
		{"A31_theCookieGoesWithTheBrowserOrStays", "an expiry in time keeps the cookie, AtBrowserClose does not, and without one the namespace decides", func(w *world) {
			for _, persistent := range []bool{false, true} {
				w.use(prefixes.Namespace{Name: "main", Cookie: prefixes.Cookie{Persistent: persistent}}, prefixes.Parse("main/chat"))
				for _, c := range []struct {
					name   string
					expiry session.Expiry
					goes   bool
				}{
					{"After", session.After(10 * time.Second), false},
					{"At", session.At(time.Now().Add(time.Hour)), false},
					{"AtBrowserClose", session.AtBrowserClose(), true},
					{"none", session.Expiry{}, !persistent},
				} {
					w.everywhere(c.expiry, func(x session.Expires) {
						same(w, c.name+": at browser close", x.AtBrowserClose, c.goes)
					})
					resp := w.browser().expire(c.expiry)
					if got := resp.Cookies(); len(got) != 1 || (got[0].MaxAge == 0) != c.goes {
						w.Errorf("%s, persistent %v: cookies %v", c.name, persistent, got)
					}
				}
			}
		}},
		{"A35_aPastExpiryIsTheEnd", "a session that was saved with an expiry in the past, or whose expiry passes, is empty when it is opened again", func(w *world) {
			for _, e := range []session.Expiry{session.At(time.Now().Add(-300 * time.Second)), session.After(-300 * time.Second), session.After(0)} {
				for _, b := range []*browser{w.browser(), w.known()} {
					before := w.records()
					resp := b.expire(e)
					same(w, "status", resp.StatusCode, 200)
					if cookies := resp.Cookies(); len(cookies) > 0 {
						b = w.showing(cookies[0].Value)
					}
					b.nobody()
					if n := w.records(); n > before {
						w.Errorf("%d sessions are kept, %d before", n, before)
					}
				}
			}
			b := w.browser()
			began := time.Now()
			b.expire(session.After(w.soon))
			old, id := w.showing(b.key()), b.id()
			w.until("the session expires", func() bool { return !w.exists(id) })
			if took := time.Since(began); took < w.soon-2*time.Millisecond {
				w.Errorf("it ended after %v, not %v", took, w.soon)
			}
			old.nobody()
		}},
		{"A43_anEndIsTheSameMomentInEveryZone", "times are moments; where their clock hangs does not matter", func(w *world) {
			end := time.Now().Add(time.Hour).Truncate(time.Millisecond)
			for _, zone := range []*time.Location{time.UTC, time.FixedZone("east", 14*3600), time.FixedZone("west", -9*3600-1800)} {
				w.everywhere(session.At(end.In(zone)), func(x session.Expires) {
					same(w, "date", x.Date(end.In(zone)).UnixMilli(), end.UnixMilli())
				})
			}
		}},
		{"A45_aNamespaceOverridesTheAge", "its own timeout counts without an expiry, with one for the cookie alone, and after one was taken back", func(w *world) {
			w.use(prefixes.Namespace{Name: "main", IdleTimeout: 2 * time.Minute}, prefixes.Parse("main/chat"))
			for _, e := range []session.Expiry{{}, session.AtBrowserClose()} {
				w.everywhere(e, func(x session.Expires) { same(w, "age", x.Age(time.Now()), 2*time.Minute) })
			}
			b := w.browser()
			b.expire(session.After(time.Hour))
			same(w, "age with an expiry", b.expires().Age(time.Now()), time.Hour)
			b.expire(session.Expiry{})
			same(w, "age after it was taken back", b.expires().Age(time.Now()), 2*time.Minute)
			if left := w.record(b.id()).Left; left > 2*time.Minute {
				w.Errorf("the store forgets it in %v", left)
			}
		}},
		{"Au6_aCookieOfTheBrowserSaysNothingOfTheStore", "with AtBrowserClose the cookie has no age, and the store keeps the namespace's", func(w *world) {
			w.use(prefixes.Namespace{Name: "main", Cookie: prefixes.Cookie{Persistent: true}}, prefixes.Parse("main/chat"))
			b := w.browser()
			resp := b.expire(session.AtBrowserClose())
			if got := resp.Cookies(); len(got) != 1 || got[0].RawExpires != "" || got[0].MaxAge != 0 {
				w.Errorf("cookies %v", resp.Header["Set-Cookie"])
			}
			if left := w.record(b.id()).Left; left > 30*time.Minute || left < 25*time.Minute {
				w.Errorf("the store forgets it in %v, not 30m", left)
			}
		}},
	}
}

// cleanupCases are about [session.Manager.ClearExpired]. Redis forgets by
// itself, so that there it has nothing to do.
func cleanupCases() []behaviour {
	return []behaviour{
		{"A41_clearExpiredFreesOnlyWhatExpired", "one session of two has expired: it is freed, and the other stays", func(w *world) {
			kept, gone := w.known(), w.browser()
			gone.expire(session.After(w.soon))
			w.wait(1)
			w.clears(1)
			same(w, "sessions in the store", w.records(), 1)
			same(w, "value", kept.get("k"), "1")
		}},
		{"A42_clearExpiredRunsBesideRequests", "nothing that lives is lost by a cleanup at the same time", func(w *world) {
			var wg sync.WaitGroup
			browsers := []*browser{w.known(), w.known(), w.known()}
			for _, b := range browsers {
				wg.Go(func() {
					for i := range 10 {
						resp := b.visits(func(p *page) {
							s, err := session.Get(p.req.Context(), "main")
							if err != nil || s.Set("k", i) != nil {
								w.Errorf("set: %v", err)
							}
						})
						same(w, "status", resp.StatusCode, 200)
					}
				})
			}
			wg.Go(func() {
				for range 20 {
					if n, err := w.m.ClearExpired(w.Context()); n != 0 || err != nil {
						w.Errorf("ClearExpired = %d, %v", n, err)
					}
				}
			})
			wg.Wait()
			for _, b := range browsers {
				same(w, "value", b.get("k"), "9")
			}
		}},
		{"A54_clearExpiredKnowsBothKindsOfExpiry", "what its own expiry ended is freed, and what the namespace's timeout ended, and not what has an expiry that is longer", func(w *world) {
			w.use(prefixes.Namespace{Name: "main", IdleTimeout: w.soon, Lifetime: time.Hour}, prefixes.Parse("main/chat"))
			kept, own, plain := w.browser(), w.browser(), w.browser()
			kept.expire(session.After(time.Hour))
			own.expire(session.After(w.soon / 2))
			plain.expire(session.Expiry{})
			w.wait(1)
			w.clears(2)
			same(w, "sessions in the store", w.records(), 1)
			same(w, "value", kept.get("e"), "1")
		}},
		{"A74_aStoreThatCleansByItselfHasNothingToClear", "Django's command names the engine that cannot do it; here a store without a cleanup needs none, and it is no error", func(w *world) {
			w.m = session.New(w.m.Registry(), w.watch, w.options)
			b := w.browser()
			b.expire(session.After(-1))
			n, err := w.m.ClearExpired(w.Context())
			must(w, err)
			same(w, "cleared", n, 0)
		}},
	}
}

// clears has the manager clear, and checks how many sessions the memory store
// frees.
func (w *world) clears(want int) {
	w.Helper()
	n, err := w.m.ClearExpired(w.Context())
	must(w, err)
	if w.name == "redis" {
		want = 0
	}
	same(w, "cleared", n, want)
}
