package session

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strconv"
)

// commitNew creates the session of a visitor who has none, if there is anything
// to keep in it.
func (p *part) commitNew(ctx context.Context, deltas map[string]Delta) error {
	if deltas = settled(deltas); len(deltas) == 0 {
		for _, s := range p.sessions {
			s.drop()
		}
		return nil
	}
	if p.sc.committed {
		return fmt.Errorf("create a session: %w", ErrCommitted)
	}
	if p.late {
		// Its cookie would take the place of the login's.
		return fmt.Errorf("create a session: %w", ErrRenewed)
	}
	return p.create(ctx, Create{Expiry: p.expires(), Deltas: deltas})
}

// create inserts a new session and makes it this part's.
func (p *part) create(ctx context.Context, c Create) error {
	c.ID = p.id()
	rec, cred, err := p.sc.m.create(ctx, p.f, p.sc.request, c)
	p.next = "" // an id is tried once: after a lost reply it may be taken
	if err != nil {
		return err
	}
	cred.token = p.token
	p.cred, p.match = cred, MatchCurrent
	p.cycle = false // it has a new secret
	if p.login == nil {
		p.expiry = nil
	}
	p.took(&rec)
	p.send = true
	return nil
}

// create inserts a new session.
func (m *Manager) create(ctx context.Context, f *family, r *http.Request, c Create) (Record, Credential, error) {
	c.Device, c.Address = device(r.Header), m.network(r)
	tctx, cancel := m.deadline(ctx)
	defer cancel()
	cred := Credential{Root: f.root.Name, ID: c.ID, secret: newSecret(), fresh: true}
	c.Hash, c.Nonce = cred.secret.hash(), newOp()
	rec, err := m.store.Create(tctx, &f.Family, c)
	if err != nil {
		return Record{}, Credential{}, fmt.Errorf("create a session: %w", err)
	}
	m.stats.created.Add(1)
	m.tell(ctx, Event{
		Kind: EventCreated, Root: f.root.Name, ID: c.ID, User: c.User, Device: c.Device, Address: c.Address,
	})
	return rec, cred, nil
}

// settled turns the changes of a session that does not exist yet into plain
// values, and leaves out what comes to nothing.
func settled(deltas map[string]Delta) map[string]Delta {
	all := make(map[string]Delta, len(deltas))
	for name, d := range deltas {
		set := make(map[string]string, len(d.Set)+len(d.Add)+len(d.Swap))
		maps.Copy(set, d.Set)
		for k, n := range d.Add {
			set[k] = strconv.FormatInt(n, 10)
		}
		for k, s := range d.Swap {
			if s.New != nil {
				set[k] = *s.New
			}
		}
		if len(set) > 0 {
			all[name] = Delta{Set: set}
		}
	}
	return all
}
