package main

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestAddressKey(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1",
		"2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := addressKey(netip.MustParseAddr(in)); got != want {
			t.Errorf("addressKey(%s) = %q, want %q", in, got, want)
		}
	}
	if got := addressKey(netip.Addr{}); got != "" {
		t.Errorf("addressKey of an unknown address = %q", got)
	}
}

func TestLimiter_fillsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limiter{burst: 3, every: time.Second}
		take := func(want int) {
			t.Helper()
			got := 0
			for range 10 {
				if l.Take("a") {
					got++
				}
			}
			if got != want {
				t.Errorf("%d tokens, want %d", got, want)
			}
		}
		take(3)
		time.Sleep(2 * time.Second)
		take(2)
		l.Give("a")
		take(1)
		time.Sleep(time.Hour)
		take(3)
		l.Give("b") // what was not taken
		if !l.Take("b") || !l.Take("") {
			t.Error("another key is limited")
		}
	})
}

func TestLimiter_isBoundedAndForgetsNobodyWhoIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &limiter{burst: 2, every: time.Minute}
		l.Take("victim")
		l.Take("victim")
		key := []byte("0000000")
		for i := range 3 * maxBuckets {
			for j, n := len(key)-1, i; j >= 0; j, n = j-1, n/10 {
				key[j] = byte('0' + n%10)
			}
			l.Take(string(key))
		}
		if len(l.buckets) > maxBuckets+1 {
			t.Errorf("%d buckets", len(l.buckets))
		}
		if l.Take("victim") {
			t.Error("a flood of others gave a token back")
		}
		if l.Take("late") {
			t.Error("who comes late has a bucket of its own")
		}
		time.Sleep(time.Hour)
		if !l.Take("late") || !l.Take("victim") {
			t.Error("still limited when the flood is over")
		}
	})
}

// The limits of the contract: 60 sign-ups a minute from an address, 60 at once.
func TestNewLimits_signups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits()
		take := func() (n int) {
			for range 100 {
				if l.signups.Take("192.0.2.1") {
					n++
				}
			}
			return n
		}
		if got := take(); got != 60 {
			t.Errorf("%d at once, want 60", got)
		}
		time.Sleep(time.Second)
		if got := take(); got != 1 {
			t.Errorf("%d a second later, want 1", got)
		}
		time.Sleep(time.Minute)
		if got := take(); got != 60 {
			t.Errorf("%d a minute later, want 60", got)
		}
	})
}
