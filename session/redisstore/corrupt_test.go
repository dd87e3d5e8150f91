package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sessionhub/sessionhub/session"
)

// What another program put under a key of ours is no reason to answer 503 until
// it expires, nor to forget all other sessions.
func TestStore_somethingElseInThePlaceOfASession(t *testing.T) {
	s, prefix := shared(t)
	c := s.Client()
	for name, spoil := range map[string]func(book, values string){
		"a text for the book":   func(book, _ string) { c.Set(t.Context(), book, "hello", time.Hour) },
		"a number for the book": func(book, _ string) { c.Set(t.Context(), book, "\x01", time.Hour) },
		"a list for the book":   func(book, _ string) { c.Set(t.Context(), book, "\x93\xa1a\xa1b\xa1c", time.Hour) },
		"a hash for the book":   func(book, _ string) { c.Del(t.Context(), book); c.HSet(t.Context(), book, "a", "b") },
		"a text for the values": func(_, values string) { c.Del(t.Context(), values); c.Set(t.Context(), values, "x", time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, id := range []string{"spoiled", "sound"} {
				_ = s.Delete(t.Context(), family, session.End{ID: id})
				c.Del(t.Context(), prefix+":main:{"+id+"}", prefix+":main:{"+id+"}:main")
				if _, err := s.Create(t.Context(), family, session.Create{ID: id, Nonce: name, Hash: "h", Deltas: map[string]session.Delta{
					"main": {Set: map[string]string{"a": `1`}},
				}}); err != nil {
					t.Fatal(err)
				}
			}
			book := prefix + ":main:{spoiled}"
			spoil(book, book+":main")
			_, err := s.Load(t.Context(), family, "spoiled", session.Load{Hash: "h"})
			if !errors.Is(err, session.ErrCorrupt) && !errors.Is(err, session.ErrNotFound) {
				t.Errorf("Load = %v", err)
			}
			_, err = s.Save(t.Context(), family, "spoiled", session.Save{Op: "op" + name, Epoch: 1, Deltas: map[string]session.Delta{
				"main": {Version: 1, Set: map[string]string{"a": `2`}},
			}})
			if !errors.Is(err, session.ErrCorrupt) && !errors.Is(err, session.ErrEnded) {
				t.Errorf("Save = %v", err)
			}
			states, err := s.Check(t.Context(), family, []string{"spoiled", "sound"})
			if err != nil || states[1] == nil {
				t.Errorf("Check = %v, %v", states, err)
			}
			if _, err := s.Load(t.Context(), family, "sound", session.Load{Hash: "h"}); err != nil {
				t.Errorf("another session: %v", err)
			}
		})
	}
}
