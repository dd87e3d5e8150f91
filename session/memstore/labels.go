package memstore

import "github.com/sessionhub/sessionhub/session"

// labels are what identifies a session, and what its owner sees of it. The id
// never changes.
type labels struct {
	id      string
	hash    session.Hash
	user    string
	device  string
	address string
}

// joined are labels in one piece of memory. Where each but the last ends is kept
// apart, so that nothing of that memory is looked at to hand them out.
type joined struct {
	text string
	ends [4]uint32
}

func (l labels) join() joined {
	j := joined{text: l.id + string(l.hash) + l.user + l.device + l.address}
	end := 0
	for i, n := range [...]int{len(l.id), len(l.hash), len(l.user), len(l.device)} {
		end += n
		j.ends[i] = uint32(end)
	}
	return j
}

// labels share the memory.
func (j *joined) labels() labels {
	return labels{j.id(), j.hash(), j.user(), j.text[j.ends[2]:j.ends[3]], j.text[j.ends[3]:]}
}

func (j *joined) id() string         { return j.text[:j.ends[0]] }
func (j *joined) hash() session.Hash { return session.Hash(j.text[j.ends[0]:j.ends[1]]) }
func (j *joined) user() string       { return j.text[j.ends[1]:j.ends[2]] }
