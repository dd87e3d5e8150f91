package redisstore_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/sessionhub/sessionhub/session"
	"github.com/sessionhub/sessionhub/session/redisstore"
)

// A program opens the store once and finds out whether Redis can be used.
// Sessions are usually handled by a session.Manager; this is what it does.
func Example() {
	store, err := redisstore.Open(redisURL(), redisstore.Options{Prefix: "example"})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	warnings, err := store.Probe(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, w)
	}

	family := &session.Family{Spaces: []session.Space{
		{Name: "main", Prefix: "main", Idle: 30 * time.Minute, Life: 8 * time.Hour},
	}}
	id := rand.Text()
	rec, err := store.Create(ctx, family, session.Create{ID: id, Nonce: rand.Text(), Hash: "a-hash"})
	if err != nil {
		log.Fatal(err)
	}
	one := session.Save{Op: rand.Text(), Epoch: rec.Epoch, Deltas: map[string]session.Delta{
		"main": {Add: map[string]int64{"visits": 1}},
	}}
	for range 2 { // the second time is a retry
		if _, err := store.Save(ctx, family, id, one); err != nil {
			log.Fatal(err)
		}
	}
	rec, err = store.Load(ctx, family, id, session.Load{})
	fmt.Println(rec.In("main").Map(), err)

	if err := store.Delete(ctx, family, session.End{ID: id, Notice: "1|s|main|" + id + "||0"}); err != nil {
		log.Fatal(err)
	}
	_, err = store.Save(ctx, family, id, session.Save{Op: rand.Text(), Epoch: rec.Epoch})
	fmt.Println(err)

	// Output:
	// map[visits:1] <nil>
	// session: ended before it could be saved
}
