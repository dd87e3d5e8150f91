package session

import "time"

// sweepPerWrite bounds how many records and op ids one write looks at to free
// what has expired. Each write adds at most one of both, so that what has
// expired stays a fraction of what lives.
const sweepPerWrite = 4

// living returns the record of id, with the namespaces ended whose deadlines
// have passed. It returns nil, and frees the record, when its own has.
func (s *MemoryStore) living(f *Family, id string, now time.Time) *record {
	r := s.records[recordKey{f.Root().Name, id}]
	if r == nil {
		return nil
	}
	if !now.Before(r.deadline()) {
		s.remove(r)
		return nil
	}
	r.settle(now)
	return r
}

func (s *MemoryStore) insert(r *record) {
	if s.records == nil {
		s.records = make(map[recordKey]*record)
	}
	s.records[r.key] = r
	r.place = len(s.all)
	s.all = append(s.all, r)
}

// remove frees a record and takes it out of its user's index, so that the
// index never outgrows the records.
func (s *MemoryStore) remove(r *record) {
	delete(s.records, r.key)
	s.index.remove(r.owner(), r.key.id)
	last := len(s.all) - 1
	s.all[r.place] = s.all[last]
	s.all[r.place].place = r.place
	s.all[last] = nil
	s.all = s.all[:last]
}

// replace notes that a login took the place of a session.
func (s *MemoryStore) replace(k recordKey, now time.Time) {
	if s.replaced == nil {
		s.replaced = make(map[recordKey]time.Time)
	}
	s.replaced[k] = now.Add(ElevateGrace)
}

// sweep frees what has expired among the next few records. It walks down,
// because remove fills the hole from the end, which was looked at already.
func (s *MemoryStore) sweep(now time.Time) {
	for range min(sweepPerWrite, len(s.all)) {
		s.hand--
		if s.hand < 0 || s.hand >= len(s.all) {
			s.hand = len(s.all) - 1
		}
		if r := s.all[s.hand]; !now.Before(r.deadline()) {
			s.remove(r)
		}
	}
	s.ops.sweep(now)
	n := 0
	for k, until := range s.replaced { // in random order
		if n++; n > sweepPerWrite {
			break
		}
		if !now.Before(until) {
			delete(s.replaced, k)
		}
	}
}
