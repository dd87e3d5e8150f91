package protomodel

// Wrong is what must never be.
type Wrong uint8

const (
	Nothing Wrong = iota

	// Of states in which nothing happens any more by itself.

	Zombie     // (a) a connection is open without a living session
	OlderLogin // (a) a connection is open that was opened under an earlier login
	EndedSpace // (a) a connection still holds a namespace that ended
	StaysOpen  // a connection was marked and is never closed
	Half       // an end began and is never carried out
	Forgotten  // an end that the store did not take is never carried out
	Undone     // (d) a session that a failover brought back stays
	Unlisted   // a session of a user is in no list of that user
	TwoKeys    // two secrets open one session
	Missed     // a login in progress outlives the end of all of its user's sessions

	// Of messages and deliveries, as they happen.

	HandledMarked   // (b) a message is handled on a marked connection
	SentMarked      // (b) an answer leaves on a marked connection
	SentRefused     // (b) an answer leaves though its save was refused
	DeliveredMarked // (b) a publication is delivered to a marked connection
	DeliveredEnded  // (b) a publication is delivered for a namespace that the connection has lost
	SavedOlder      // (b) a save under an earlier login counts
	SavedEnded      // (b) a save into a namespace that ended counts
	SavedTwice      // a save counts twice
	HandledStale    // (c) a node that knows it may have missed ends handles a message of an ended session
	DeliveredStale  // (c) the same with a delivery
	HandledLate     // (c) a message of an ended session is handled after the stale limit
	HandledHere     // a node handles a message of a session that it has itself deleted
	HandledTold     // a message is handled where the caller was told that it would not be

	// Of any state.

	FreshZombie   // (c) a node is fresh, no notice is on its way, and a connection of an ended session is not marked
	FreshUndone   // (d) a node is fresh at a new server while an end of its own is undone there
	Back          // (d) a session that was deleted is back
	BackKept      // (d) a session is back though replicas were said to have its end
	AckedUnmarked // (e) a node counts as having marked and has not
	ClosedLiving  // a connection is ended whose session lives
	Cleared       // a browser's cookie is cleared though its session lives
	ToldEnded     // a page is told that its session ended while it lives

	Wrongs // how many there are
)

var wrongs = [Wrongs]string{
	Nothing:         "nothing is wrong",
	Zombie:          "a connection stays open without a living session",
	OlderLogin:      "a connection from before the login stays open",
	EndedSpace:      "a connection goes on holding a namespace that ended",
	StaysOpen:       "a marked connection is never closed",
	Half:            "half a logout",
	Forgotten:       "an end that was owed is forgotten",
	Undone:          "a session that a failover brought back stays",
	Unlisted:        "a session of a user is in no list",
	TwoKeys:         "the old secret and the new one both open the session",
	Missed:          "a login outlives the end of all sessions of its user",
	HandledMarked:   "a message was handled after the mark",
	SentMarked:      "an answer left after the mark",
	SentRefused:     "an answer left to what was not saved",
	DeliveredMarked: "a publication was delivered after the mark",
	DeliveredEnded:  "a publication was delivered for a lost namespace",
	SavedOlder:      "a save under an earlier login counted",
	SavedEnded:      "a save into an ended namespace counted",
	SavedTwice:      "a save counted twice",
	HandledStale:    "a stale node handled a message of an ended session",
	DeliveredStale:  "a stale node delivered to an ended session",
	HandledLate:     "a message of an ended session was handled after the stale limit",
	HandledHere:     "a node handled a message of a session that it had deleted",
	HandledTold:     "a message was handled though the caller had been told that it was over",
	FreshZombie:     "a fresh node has an unmarked connection of an ended session",
	FreshUndone:     "a node is fresh though its own end was undone",
	Back:            "a deleted session is back",
	BackKept:        "an end that replicas were said to have is undone",
	AckedUnmarked:   "a node counts as having marked and has not",
	ClosedLiving:    "a connection was ended though its session lives",
	Cleared:         "the cookie of a living session was cleared",
	ToldEnded:       "a page was told that its session ended while it lives",
}

func (w Wrong) String() string { return wrongs[w] }
