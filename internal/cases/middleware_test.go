package cases_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/web"
)

// logout has a request log out.
func (b *browser) logout() *http.Response {
	b.Helper()
	return b.visits(func(p *page) {
		_, err := session.Logout(p.req.Context(), session.This)
		must(p, err)
	})
}

// quiet checks that a response says nothing of sessions.
func quiet(w *world, resp *http.Response) {
	w.Helper()
	for _, name := range []string{"Set-Cookie", "Vary", "Cache-Control"} {
		if got, ok := resp.Header[name]; ok {
			w.Errorf("%s: %q", name, got)
		}
	}
}

// only returns the one cookie of a response, and the text that set it.
func only(w *world, resp *http.Response) (*http.Cookie, string) {
	w.Helper()
	lines := resp.Header["Set-Cookie"]
	if len(lines) != 1 {
		w.Fatalf("%d cookies: %q", len(lines), lines)
	}
	return resp.Cookies()[0], lines[0]
}

// middlewareCases are about what a request does to the store, and to the
// response.
func middlewareCases() []behaviour {
	return []behaviour{
		{"A49_aFailingWriteIsAnErrorAndNothingLeaves", "Django's cached backend logs it and goes on; here the response that would have told of the change is replaced", func(w *world) {
			b := w.known()
			for method, b := range map[string]*browser{"Save": b, "Create": w.browser()} {
				key := b.key()
				w.watch.fail(method, fmt.Errorf("%w: down", session.ErrUnavailable))
				resp := b.visits(func(p *page) {
					must(p, p.open("main").Set("k", 2))
					must(p, session.OnSaved(p.req.Context(), func(context.Context) { p.Error("OnSaved ran") }))
					p.out.Header().Set("Set-Cookie", "paid=1")
					_, _ = io.WriteString(p.out, "your order was sent")
				})
				text, err := io.ReadAll(resp.Body)
				must(w, err)
				_, sentence := web.Status(session.ErrUnavailable)
				same(w, method+": status", resp.StatusCode, http.StatusServiceUnavailable)
				same(w, method+": body", string(text), sentence+"\n")
				same(w, method+": cookies", len(resp.Cookies()), 0)
				same(w, method+": key", b.key(), key)
				lines := w.warned()
				if len(lines) != 1 || lines[0]["level"] != "ERROR" || !strings.Contains(fmt.Sprint(lines[0]["error"]), "down") {
					w.Errorf("%s: log %v", method, lines)
				}
			}
			same(w, "value", b.get("k"), "1")
		}},
		{"A64_a500SavesNothing", "a server error did not happen for the session, new or not", func(w *world) { w.fails(http.StatusInternalServerError) }},
		{"A65_anyServerErrorSavesNothing", "the same for all statuses from 500 on, and not for those below", func(w *world) {
			w.fails(http.StatusBadGateway)
			w.fails(http.StatusServiceUnavailable)
			w.fails(599)
			b := w.known()
			b.visits(func(p *page) {
				must(p, p.open("main").Set("k", 2))
				p.out.WriteHeader(499)
			})
			same(w, "value after a 499", b.get("k"), "2")
		}},
		{"A66_aSessionThatEndsMeanwhileInterruptsTheResponse", "a fixed sentence goes out instead of what the handler said", func(w *world) {
			b := w.known()
			resp := b.visits(func(p *page) {
				must(p, p.open("main").Set("k", 2))
				p.end(b.id())
				http.Redirect(p.out, p.req, "/thanks", http.StatusSeeOther)
			})
			text, err := io.ReadAll(resp.Body)
			must(w, err)
			same(w, "status", resp.StatusCode, http.StatusBadRequest)
			same(w, "body", string(text), "Your session ended before this request could be completed. "+
				"You may have signed out in another tab, for example.\n")
			same(w, "Location", resp.Header["Location"], nil)
			b.nobody()
		}},
		{"A70_anEmptiedSessionIsSaved", "it has a key, so it stays, empty. Django sends its cookie again; here a modified session's cookie is not sent again, but with SaveAlways", func(w *world) {
			for policy, again := range map[prefixes.SavePolicy]bool{prefixes.SaveChanges: false, prefixes.SaveAlways: true} {
				w.use(prefixes.Namespace{Name: "main", Save: policy}, prefixes.Parse("main/chat"))
				b := w.known()
				key := b.key()
				resp := b.visits(func(p *page) { must(p, p.open("main").Delete("k")) })
				same(w, "store calls", w.watch.take(), "Load Save")
				same(w, "Vary", resp.Header["Vary"], []string{"Cookie"})
				same(w, fmt.Sprintf("policy %d: a cookie", policy), len(resp.Cookies()) == 1, again)
				same(w, "key", b.key(), key)
				same(w, "exists", w.exists(b.id()), true)
				same(w, "values left", b.get("k"), "")
			}
		}},
		{"A79_saveAlwaysVaries", "a response that sets the cookie says Vary: Cookie, though nobody touched the session", func(w *world) {
			w.use(prefixes.Namespace{Name: "main", Save: prefixes.SaveAlways}, prefixes.Parse("main/chat"))
			b := w.known()
			key := b.key()
			resp := b.visits(func(*page) {})
			c, _ := only(w, resp)
			same(w, "value", c.Value, key)
			same(w, "Vary", resp.Header["Vary"], []string{"Cookie"})
			w.watch.take()
			quiet(w, w.browser().visits(func(*page) {}))
			same(w, "store calls for a new visitor", w.watch.take(), "")
		}},
		{"Au1_aVisitorWithoutASessionLeavesNoTrace", "no cookie sent and nothing asked: no field of the response, no trip", func(w *world) {
			quiet(w, w.browser().visits(func(*page) {}))
			same(w, "store calls", w.watch.take(), "")
		}},
		{"Au2_anUntouchedSessionCostsNothing", "a cookie sent and nothing asked: the same", func(w *world) {
			b := w.known()
			key := b.key()
			quiet(w, b.visits(func(*page) {}))
			same(w, "store calls", w.watch.take(), "")
			same(w, "key", b.key(), key)
		}},
		{"Au3_anUnknownKeyThatIsReadIsCleared", "a cookie that opens nothing any more is taken from the browser when that is found out", func(w *world) {
			b := w.showing(forged)
			resp := b.visits(func(p *page) { same(p, "id", p.open("main").ID(), "") })
			c, _ := only(w, resp)
			if c.MaxAge >= 0 || c.Value != "" {
				w.Errorf("cookie %v", c)
			}
			same(w, "Vary", resp.Header["Vary"], []string{"Cookie"})
			same(w, "key", b.key(), "")
		}},
		{"Au4_anUnknownKeyThatIsNotReadStays", "nothing is known of it then", func(w *world) {
			b := w.showing(forged)
			quiet(w, b.visits(func(*page) {}))
			same(w, "store calls", w.watch.take(), "")
			same(w, "key", b.key(), forged)
		}},
		{"Au5_whatComesToNothingIsNotSaved", "a value that is set and taken away again begins no session", func(w *world) {
			b := w.browser()
			resp := b.visits(func(p *page) {
				s := p.open("main")
				must(p, s.Set("k", 1))
				must(p, s.Delete("k"))
				same(p, "flags", flags(s), "accessed, modified")
			})
			same(w, "store calls", w.watch.take(), "")
			same(w, "cookies", len(resp.Cookies()), 0)
		}},
		{"Au9_varyKeepsWhatIsThere", "fields keep their order, are not repeated in other letters, and * says it all", func(w *world) {
			b := w.known()
			for _, c := range []struct {
				before []string
				after  string
			}{
				{nil, "Cookie"},
				{[]string{"Accept-Encoding"}, "Accept-Encoding, Cookie"},
				{[]string{"Accept-Encoding, Accept-Language"}, "Accept-Encoding, Accept-Language, Cookie"},
				{[]string{"Accept-Language", "Accept-Encoding"}, "Accept-Language, Accept-Encoding, Cookie"},
				{[]string{"cookie"}, "cookie"},
				{[]string{"Cookie, Accept-Encoding"}, "Cookie, Accept-Encoding"},
				{[]string{"Accept , ACCEPT", "accept,"}, "Accept, Cookie"},
				{[]string{"*"}, "*"},
				{[]string{"Accept, *", "Cookie"}, "*"},
			} {
				resp := b.visits(func(p *page) {
					p.out.Header()["Vary"] = c.before
					p.open("main")
				})
				same(w, fmt.Sprintf("Vary after %q", c.before), resp.Header["Vary"], []string{c.after})
			}
		}},
	}
}

// fails checks that a request with a status saves nothing.
func (w *world) fails(status int) {
	w.Helper()
	known := w.known()
	fresh, before := w.browser(), w.records()
	for _, b := range []*browser{known, fresh} {
		key := b.key()
		resp := b.visits(func(p *page) {
			must(p, p.open("main").Set("k", 2))
			p.out.WriteHeader(status)
		})
		same(w, "status", resp.StatusCode, status)
		same(w, "cookies", len(resp.Cookies()), 0)
		same(w, "key", b.key(), key)
	}
	same(w, "sessions", w.records(), before)
	same(w, "value", known.get("k"), "1")
}

// cookieCases are about the cookie.
func cookieCases() []behaviour {
	return []behaviour{
		{"A60_secureReachesTheCookie", "and is missing only where plain http is asked for", func(w *world) {
			for insecure, want := range map[bool]string{false: "__Host-id", true: "id"} {
				c, line := w.cookie(prefixes.Cookie{Insecure: insecure})
				same(w, "name", c.Name, want)
				same(w, "Secure", c.Secure, !insecure)
				same(w, line, strings.Contains(line, "; Secure"), !insecure)
			}
		}},
		{"A61_httpOnlyReachesTheCookie", "by default, and its text", func(w *world) {
			c, line := w.cookie(prefixes.Cookie{})
			same(w, "HttpOnly", c.HttpOnly, true)
			same(w, line, strings.Contains(line, "; HttpOnly"), true)
		}},
		{"A62_sameSiteReachesTheCookie", "Lax by default, and never left to the browser", func(w *world) {
			for set, want := range map[http.SameSite]http.SameSite{
				0: http.SameSiteLaxMode, http.SameSiteLaxMode: http.SameSiteLaxMode,
				http.SameSiteStrictMode: http.SameSiteStrictMode, http.SameSiteNoneMode: http.SameSiteNoneMode,
			} {
				c, _ := w.cookie(prefixes.Cookie{SameSite: set})
				same(w, "SameSite", c.SameSite, want)
			}
		}},
		{"A63_scriptsLeavesHttpOnlyOut", "a namespace whose scripts read the cookie says so", func(w *world) {
			c, line := w.cookie(prefixes.Cookie{Scripts: true})
			same(w, "HttpOnly", c.HttpOnly, false)
			same(w, line, strings.Contains(line, "HttpOnly"), false)
		}},
		{"A67_flushClearsTheCookie", "an empty value, an age of 0 and a date in 1970, with the attributes that set it, and Vary: Cookie", func(w *world) {
			b := w.known()
			resp := b.logout()
			_, line := only(w, resp)
			same(w, "cookie", line, "__Host-id=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; HttpOnly; Secure; SameSite=Lax")
			same(w, "Vary", resp.Header["Vary"], []string{"Cookie"})
			same(w, "key", b.key(), "")
		}},
		{"A68_flushClearsTheCookieWhereItIs", "a browser forgets a cookie only under the domain and path that set it", func(w *world) {
			w.use(prefixes.Namespace{Name: "main", Cookie: prefixes.Cookie{Domain: "site.example", Path: "/app"}}, prefixes.Parse("main/chat"))
			b := w.browser()
			b.url = "https://www.site.example/app/cart"
			b.set("k", 1)
			same(w, "length of the key", len(b.key()), len(forged))
			c, _ := only(w, b.logout())
			same(w, "domain and path", c.Domain+c.Path, "site.example/app")
			if c.MaxAge >= 0 || c.Value != "" {
				w.Errorf("cookie %v", c)
			}
			same(w, "key", b.key(), "")
		}},
		{"A69_flushWithoutACookieSetsNone", "there is nothing to clear, but the response depends on the cookie", func(w *world) {
			resp := w.browser().logout()
			same(w, "cookies", len(resp.Header["Set-Cookie"]), 0)
			same(w, "Vary", resp.Header["Vary"], []string{"Cookie"})
			same(w, "store calls", w.watch.take(), "")
		}},
		{"Au10_namespacesThatClashAreAnError", "two that could be taken for one another in a cookie, a key or a setting are refused at the start", func(w *world) {
			for what, second := range map[string]prefixes.Namespace{
				"name":     {Name: "main", Prefix: "p", Settings: "P", Cookie: prefixes.Cookie{Name: "p"}},
				"prefix":   {Name: "staff", Prefix: "main", Cookie: prefixes.Cookie{Name: "__Host-staff"}},
				"settings": {Name: "staff", Settings: "MAIN", Cookie: prefixes.Cookie{Name: "__Host-staff"}},
				"cookie":   {Name: "staff", Cookie: prefixes.Cookie{Name: "__Host-id"}},
				"no name":  {Name: "staff"}, // so that its cookie has the same default
			} {
				if _, err := prefixes.NewRegistry(prefixes.Parse("main"), second); err == nil {
					w.Errorf("two with the same %s are taken", what)
				}
			}
			w.use(prefixes.Parse("main"), prefixes.Namespace{Name: "staff", Cookie: prefixes.Cookie{Name: "__Host-staff"}})
		}},
	}
}

// cookie returns the cookie of a new session, and the text that set it.
func (w *world) cookie(c prefixes.Cookie) (*http.Cookie, string) {
	w.Helper()
	w.use(prefixes.Namespace{Name: "main", Cookie: c}, prefixes.Parse("main/chat"))
	return only(w, w.browser().visits(func(p *page) { must(p, p.open("main").Set("k", 1)) }))
}
