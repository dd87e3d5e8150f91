package session

import (
	"context"
	"errors"
	"time"
)

// Limits of one namespace and one value. A save that would pass one returns
// [ErrLimit] and keeps nothing.
const (
	MaxBytes      = 64 << 10 // keys and values of one namespace, in bytes of JSON text
	MaxValues     = 256      // values of one namespace
	MaxValueBytes = 16 << 10 // one value
)

// Grace periods of a secret that was replaced, in the store's time.
const (
	// RenewGrace is how long the previous secret stays good after the new one
	// was first seen.
	RenewGrace = 30 * time.Second

	// ElevateGrace is how long the previous secret is still recognised (and
	// opens nothing) after a login.
	ElevateGrace = 60 * time.Second

	// OpMemory is how long a store remembers that a save was carried out, so
	// that its retry is not carried out again.
	OpMemory = 30 * time.Second
)

// Store keeps the records of sessions. Each method is one atomic operation on
// one family, in one round trip unless it says otherwise, and idempotent: it
// may be retried after a lost reply. Time is the store's own. Every operation
// treats a record whose deadline has passed as gone, and a namespace whose
// deadline has passed as ended (its generation counts as one higher, its
// values as deleted).
//
// What another program left in the place of a record is [ErrCorrupt] to those who
// load or change it, and does not live for Check.
//
// A method that cannot reach its storage returns an error that wraps
// [ErrUnavailable]; whether the operation took effect is then unknown.
//
// Package sessiontest has the contract as a test suite.
type Store interface {
	// Create inserts a record that does not exist. An id that exists is
	// [ErrExists], except when the record was made with the same Nonce: then
	// this is a retry and its present record is the answer. With a User the
	// session is put into the user's index first, and the user's generation is
	// read before and after: if it changed, the new session is deleted again
	// and the answer is [ErrUserEnded]. c.Ends are carried out first, as by
	// Delete, and are not undone by an error. At most two round trips; on a
	// Redis Cluster three, and one or two more with Ends.
	Create(ctx context.Context, f *Family, c Create) (Record, error)

	// Load returns the record of id, with all namespaces. It never creates
	// one: an unknown id is [ErrNotFound]. When l.Hash does not fit, the record
	// has its Match and nothing else. A hash that fits slides the deadlines
	// when [Slide] says so; the current hash, seen for the first time after a
	// renewal, starts the [RenewGrace] of the previous one.
	Load(ctx context.Context, f *Family, id string, l Load) (Record, error)

	// Save applies the changes of one request or message, all or none, if the
	// record lives at s.Epoch and every namespace in s.Deltas has the
	// generation of its delta. It never creates a record; it begins a
	// namespace that has no values yet. A save whose Op was carried out before
	// applies nothing and answers with what is there now.
	//
	// Errors: [ErrEnded] when the record is gone, [ErrRenewed] for another
	// epoch, [ErrNamespaceEnded] for another generation, [ErrConflict] (with
	// the present record) when a compare-and-set found another value,
	// [ErrType] when a number is added to something else, [ErrLimit].
	Save(ctx context.Context, f *Family, id string, s Save) (Record, error)

	// Login gives a living record a new secret and a user, raises its epoch
	// by one, applies the deltas as Save does, and delivers the notice. The
	// previous hash is recognised for [ElevateGrace]; other previous hashes
	// are forgotten. The lifetime of the session and of its begun namespaces
	// starts anew, and all their deadlines slide; [Elevation.Keep] says what
	// else a change of the secret may leave as it is. The user's index is kept as
	// in Create, with the same round trips. A record that is already at
	// l.Epoch+1 with the hash l.Hash is the answer to a retry. Errors as Save,
	// and [ErrUserEnded].
	Login(ctx context.Context, f *Family, id string, l Elevation) (Record, error)

	// Delete carries out ends in order, and delivers the notice of each, even
	// when there was nothing left to end. The whole call is one round trip
	// (more on a Redis Cluster). Errors also: [ErrUnconfirmed], when all of them
	// are carried out and delivered.
	Delete(ctx context.Context, f *Family, ends ...End) error

	// Check returns the state of each id, nil for one that does not live,
	// without sliding anything. Thousands are answered in few round trips, each
	// of which is so short that it holds up nobody else.
	Check(ctx context.Context, f *Family, ids []string) ([]*State, error)

	// Listed returns the ids in the user's index, oldest listing first, and
	// how long each has been listed. Some may not live any more, or belong to
	// somebody else by now.
	Listed(ctx context.Context, f *Family, user string) ([]Listing, error)

	// Raise raises the user's generation, so that no login in progress
	// survives, and then returns Listed. One round trip.
	Raise(ctx context.Context, f *Family, user string) ([]Listing, error)

	// Unlist removes ids from the user's index that have been listed for that
	// long or longer. One that a login has listed again since it was read stays.
	Unlist(ctx context.Context, f *Family, user string, age time.Duration, ids []string) error

	// All calls visit with the ids of the family's sessions, some at a time, and
	// returns its error, if there is one. Some ids may not live any more, or
	// come twice. A session that begins meanwhile may be missing, none that
	// lives from before the call until its end is. It takes as long as looking
	// at every key there is.
	All(ctx context.Context, f *Family, visit func(ids []string) error) error
}

// Instant is a [Store] that waits for nothing and looks at no context, so that its
// callers need no timers for it.
type Instant interface{ Instant() }

// EachChecker is a [Store] that has a cheaper Check for very many ids.
type EachChecker interface {
	// CheckEach is [Store.Check] that calls visit for each id, in their order,
	// from the calling goroutine. The state and its Spaces are valid until visit
	// returns. When it returns an error, it has visited some of the ids.
	CheckEach(ctx context.Context, f *Family, ids []string, visit func(id string, s *State)) error
}

// Errors that a [Store] returns.
var (
	ErrNotFound       = errors.New("session: no such session")
	ErrExists         = errors.New("session: id exists already")
	ErrEnded          = errors.New("session: ended before it could be saved")
	ErrRenewed        = errors.New("session: logged in anew since it was loaded")
	ErrNamespaceEnded = errors.New("session: namespace ended")
	ErrConflict       = errors.New("session: value changed since it was loaded")
	ErrType           = errors.New("session: value has another type")
	ErrLimit          = errors.New("session: over a limit")
	ErrUserEnded      = errors.New("session: the user's sessions were ended during the login")
	ErrUnavailable    = errors.New("session: store unavailable")
	ErrCorrupt        = errors.New("session: what is stored is no session")

	// ErrUnconfirmed is returned, together with [ErrUnavailable], for ends that are
	// carried out where the store answers from, and that fewer replicas have than
	// should: a failover may undo them.
	ErrUnconfirmed = errors.New("session: carried out, and not confirmed by enough replicas")
)

// Family names the namespaces that share one identity. The first is the root.
type Family struct {
	Spaces []Space
}

// Root returns the root namespace.
func (f *Family) Root() Space { return f.Spaces[0] }

// Index returns the place of a namespace in Spaces, and -1 for one that is not
// of the family.
func (f *Family) Index(name string) int {
	for i := range f.Spaces {
		if f.Spaces[i].Name == name {
			return i
		}
	}
	return -1
}

// Space is one namespace as a store sees it.
type Space struct {
	Name   string        // in records, deltas and notices
	Prefix string        // in keys
	Idle   time.Duration // idle timeout
	Life   time.Duration // lifetime
}

// Terms replace the timeouts of the root (and cap those of the children) for
// one login. A zero duration means the root's own.
type Terms struct {
	Idle, Life time.Duration
	Persistent bool // the cookie outlives the browser
}

// Hash is the SHA-256 of a secret, as text. Stores keep it and never the secret.
type Hash string

// Create is an insertion. See [Store.Create].
type Create struct {
	ID      string
	Nonce   string // random; recognises a retry
	Hash    Hash
	User    string // empty: anonymous
	Device  string // a label for the user's list of sessions
	Address string // likewise: the client's network, not its address
	Terms   Terms
	Expiry  Expiry
	Deltas  map[string]Delta // by namespace name
	Ends    []End            // of what the session takes the place of
}

// Load says how to read. See [Store.Load].
type Load struct {
	// Hash must fit. Empty: the caller is trusted, as for a socket that was
	// let in before.
	Hash Hash

	// Slide says when the deadlines slide.
	Slide Slide
}

// Slide says whether an operation counts as activity.
type Slide uint8

const (
	// SlideNever slides nothing.
	SlideNever Slide = iota

	// SlideDue slides when a tenth of the shortest idle timeout among the
	// namespaces that have begun has passed since the deadlines slid last. The
	// root always counts. A namespace that a save begins counts from the next
	// operation on.
	SlideDue

	// SlideAlways slides now.
	SlideAlways
)

// Save is the changes of one request or message. See [Store.Save].
type Save struct {
	Op     string // random; recognises a retry. Empty only without deltas
	Epoch  uint64
	Deltas map[string]Delta // by namespace name
	Slide  Slide

	// Expiry, when not nil, replaces that of the session. It counts as activity,
	// whatever Slide says. One that has passed already is no error: the answer
	// is the session's last moment, with nothing left of its time.
	Expiry *Expiry

	// Renew replaces the current hash Old by New, if Old is still the current
	// one (or New already is), and keeps the epoch. Old stays good, see
	// [RenewGrace]. Whether it happened is in [State.Hash]. When Old is not
	// current the rest of the save goes on.
	Renew struct{ Old, New Hash }
}

// Elevation is a login to a session that exists. See [Store.Login].
type Elevation struct {
	Op      string
	Epoch   uint64 // before the login
	Hash    Hash   // of the new secret
	User    string
	Device  string
	Address string
	Terms   Terms
	Expiry  Expiry
	Deltas  map[string]Delta
	Notice  string // that logins below Epoch+1 end

	// Keep leaves the session its device, address, terms, expiry, lifetimes and
	// [State.Authenticated]: it gets a new secret and the next epoch, and
	// nothing else changes but for the deltas; its deadlines slide. User is then
	// the user that it has, also "".
	Keep bool
}

// Delta is what one request or message changes in one namespace. At a store,
// Clear comes first; a key stands in at most one of the maps.
type Delta struct {
	Generation uint64 // as loaded
	Version    uint64 // as loaded
	Clear      bool   // removes all values, other writers' too
	Set        map[string]string
	Delete     []string
	Add        map[string]int64
	Swap       map[string]Swap
}

// Swap is a compare-and-set of one value. A nil pointer means absent.
type Swap struct{ Old, New *string }

// End is the end of a session, or of one namespace of it. See [Store.Delete].
type End struct {
	ID string

	// Namespace, when not empty, ends that namespace alone: it is emptied and
	// its generation becomes at least Generation+1.
	Namespace  string
	Generation uint64

	// User, when not empty, must own the session, else nothing is done or
	// delivered. The id is taken out of the user's index after the deletion
	// of the whole session.
	User string

	// Replaced says that a login as somebody else takes the place of the whole
	// session. For [ElevateGrace] a Load of the id with a hash, whichever, then
	// answers [MatchElevated] instead of [ErrNotFound]: a late request with the
	// old cookie must not have the new one cleared. For all else it is gone.
	Replaced bool

	Notice string
}

// Match says how a presented secret fits a record.
type Match uint8

const (
	MatchNone     Match = iota // fits nothing
	MatchCurrent               // is the current one
	MatchRenewed               // is the previous one, in its [RenewGrace]
	MatchElevated              // was replaced by a login not longer than [ElevateGrace] ago, or its session was ([End.Replaced]); opens nothing
)

// State is what a store knows of a living session, without values.
type State struct {
	ID      string
	Epoch   uint64
	User    string
	Device  string
	Address string
	Hash    Hash          // of the current secret
	Created time.Time     // of the record
	Seen    time.Time     // when the deadlines slid last
	Renewed time.Time     // when the secret was last replaced
	Now     time.Time     // the store's time of this answer
	Left    time.Duration // until the record's deadline, if nothing slides it
	Life    time.Duration // until the end of the lifetime, or of Expiry.End if that comes first
	Terms   Terms
	Expiry  Expiry
	Family  *Family      // that was asked for
	Spaces  []SpaceState // of the family's namespaces, in its order; shared and never changed

	// Authenticated is when the user logged in last; zero for nobody.
	Authenticated time.Time
}

// Space returns the state of a namespace of the family, and the zero one for any
// other name.
func (s State) Space(name string) SpaceState {
	if s.Family == nil {
		return SpaceState{}
	}
	if i := s.Family.Index(name); i >= 0 && i < len(s.Spaces) {
		return s.Spaces[i]
	}
	return SpaceState{}
}

// SpaceState is the state of one namespace.
type SpaceState struct {
	Generation uint64    // how often it ended
	Version    uint64    // how often it was written in this generation
	Deadline   time.Time // in the store's time, if nothing slides it; zero when it has not begun
}

// Record is a [State] with values.
type Record struct {
	State
	Match Match

	// Values are the values of each namespace of the family, in its order, and
	// not [Values.Known] where the answer does not have them; nil when it has
	// none. The slice is shared and never changed. After Load and Create all
	// namespaces are there, the unwritten ones without values. After Save and
	// Login a changed namespace is there only when the present values are not
	// simply the loaded ones with the delta applied: when somebody else wrote in
	// between, or the save was a retry; after [ErrConflict], the changed ones
	// all are.
	Values []Values
}

// In returns the values of a namespace, as far as the answer has them.
func (r Record) In(name string) Values {
	if r.Family == nil {
		return Values{}
	}
	if i := r.Family.Index(name); i >= 0 && i < len(r.Values) {
		return r.Values[i]
	}
	return Values{}
}

// Listing is an entry of a user's index.
type Listing struct {
	ID  string
	Age time.Duration
}
