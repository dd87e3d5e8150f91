package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/sessionhub/sessionhub/prefixes"
	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/memstore"
)

// device is a browser of somebody: it keeps its cookie from one request to the
// next.
type device struct {
	m      *session.Manager
	agent  string
	cookie *http.Cookie
}

func newDevices(agents ...string) []*device {
	reg, err := prefixes.NewRegistry(prefixes.Parse("main"))
	if err != nil {
		log.Fatal(err)
	}
	m := session.New(reg, new(memstore.Store), session.Options{})
	var all []*device
	for _, agent := range agents {
		all = append(all, &device{m: m, agent: agent})
	}
	return all
}

// request has one request handled, as the middleware of package web does.
func (d *device) request(handle func(ctx context.Context) error) {
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("User-Agent", d.agent)
	if d.cookie != nil {
		r.AddCookie(d.cookie)
	}
	sc := d.m.Scope(r)
	ctx := session.NewContext(r.Context(), sc)
	if err := handle(ctx); err != nil {
		log.Fatal(err)
	}
	if err := sc.Commit(ctx); err != nil {
		log.Fatal(err)
	}
	h := make(http.Header)
	sc.WriteHeader(h)
	for _, c := range (&http.Response{Header: h}).Cookies() {
		d.cookie = c
	}
}

func ExampleList() {
	all := newDevices("Firefox/140.0 (Linux)", "Safari/604.1 (iPhone)")
	for _, d := range all {
		d.request(func(ctx context.Context) error { return session.Login(ctx, "ann") })
	}
	laptop := all[0]
	laptop.request(func(ctx context.Context) error {
		list, err := session.List(ctx)
		for _, one := range list {
			fmt.Println(one.Device, one.Current)
			if !one.Current {
				_, err = session.Logout(ctx, session.One(one.ID))
			}
		}
		return err
	})
	laptop.request(func(ctx context.Context) error {
		list, err := session.List(ctx)
		fmt.Println(len(list), "left")
		return err
	})
	// Output:
	// Firefox on Linux true
	// Safari on iPhone false
	// 1 left
}

// After a change of password nobody stays in but the one who changed it, and that
// one with a new secret.
func ExampleLogout_afterAChangeOfPassword() {
	all := newDevices("Firefox/140.0 (Linux)", "Safari/604.1 (iPhone)")
	for _, d := range all {
		d.request(func(ctx context.Context) error { return session.Login(ctx, "ann") })
	}
	laptop, phone := all[0], all[1]
	stolen := &device{m: laptop.m, agent: "curl/8", cookie: laptop.cookie}
	laptop.request(func(ctx context.Context) error {
		if err := session.Login(ctx, "ann"); err != nil {
			return err
		}
		_, err := session.Logout(ctx, session.Others)
		return err
	})
	for _, d := range []*device{laptop, phone, stolen} {
		d.request(func(ctx context.Context) error {
			user, err := session.User(ctx)
			fmt.Printf("%s: %q\n", d.agent, user)
			return err
		})
	}
	// Output:
	// Firefox/140.0 (Linux): "ann"
	// Safari/604.1 (iPhone): ""
	// curl/8: ""
}
