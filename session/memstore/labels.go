package memstore

import "github.com/sessionhub/sessionhub/session"

// labels are what a record keeps in one pack, in this order. The id never
// changes.
type labels struct {
	id      string
	hash    session.Hash
	user    string
	device  string
	address string
}

func (l labels) pack() pack {
	return packed(l.id, string(l.hash), l.user, l.device, l.address)
}

// unpacked returns the labels. They share the pack's memory.
func (r *record) unpacked() labels {
	id, p := r.labels.cut()
	hash, p := p.cut()
	user, p := p.cut()
	device, p := p.cut()
	address, _ := p.cut()
	return labels{id, session.Hash(hash), user, device, address}
}

func (r *record) id() string         { return r.labels.at(0) }
func (r *record) hash() session.Hash { return session.Hash(r.labels.at(1)) }
func (r *record) user() string       { return r.labels.at(2) }
