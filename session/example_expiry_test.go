package session_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

func ExampleSetExpiry() {
	kiosk := newDevices("Firefox/140.0 (Linux)")[0]
	kiosk.request(func(ctx context.Context) error {
		if err := session.Login(ctx, "ann"); err != nil {
			return err
		}
		return session.SetExpiry(ctx, session.After(5*time.Minute))
	})
	kiosk.request(func(ctx context.Context) error {
		x, err := session.FromContext(ctx).Expires(ctx, "")
		now := time.Now()
		fmt.Println(x.Age(now), x.AtBrowserClose)
		return err
	})
	fmt.Println(kiosk.cookie.MaxAge > 0)
	// Output:
	// 5m0s false
	// true
}

func ExampleCycle() {
	laptop := newDevices("Firefox/140.0 (Linux)")[0]
	laptop.request(func(ctx context.Context) error { return session.Login(ctx, "ann") })
	was := laptop.cookie.Value
	laptop.request(session.Cycle) // ann has become an administrator
	fmt.Println(laptop.cookie.Value == was)
	laptop.request(func(ctx context.Context) error {
		user, err := session.User(ctx)
		fmt.Println(user)
		return err
	})
	// Output:
	// false
	// ann
}

func ExampleRecent() {
	laptop := newDevices("Firefox/140.0 (Linux)")[0]
	laptop.request(func(ctx context.Context) error { return session.Login(ctx, "ann") })
	laptop.request(func(ctx context.Context) error {
		recent, err := session.Recent(ctx, 10*time.Minute)
		fmt.Println("may change the password:", recent)
		return err
	})
	// Output:
	// may change the password: true
}
