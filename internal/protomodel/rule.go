package protomodel

import (
	"fmt"
	"math/bits"
	"slices"
)

// ID is a rule's number.
type ID uint8

const (
	// Of the connection and its messages.
	registerFirst ID = iota + 1
	loadFromStore
	markStays
	boundStays
	generationStays
	boundsOnly
	lookBeforeHandling
	lookBeforeSending
	saveThenSend
	saveCreatesNothing
	saveComparesEpoch
	saveComparesGeneration
	deliverUnmarked
	topicsGo
	removeLocked

	// Of the node that ends a session.
	gateFirst
	oneScript
	gateAgain
	closeAnyway
	deny
	denyFirst
	retry
	ownContext
	waitThere
	repeat
	repeatFirst
	noteLast
	gapStays
	runAgain
	loginEnds

	// Of a node that hears of it.
	receiverMarks
	markFirst
	ackAfterMark
	staleFirst
	beatFirst
	byeLast
	sayUnknown
	unreadableIsGap

	// Of a node that may have missed it.
	unexpectedIsGap
	subscribeFirst
	revalidateFirst
	sameSubscription
	failedProvesNothing
	heartbeat
	askClock
	failClosed
	failClosedDelivery
	staleCloses
	periodic
	expiryTimer
	expiryAsks
	lookUpPending

	// Of logins, cookies and repeated saves.
	listFirst
	readTwice
	raiseFirst
	clearUnknown
	recognisePrevious
	opID
	renewInPlace

	// Courtesies.
	gapLoadsAgain
	staleRefuses
	markRefuses
	lookBeforeSaving
)

// Rule is one rule of the protocol, and a switch of the model.
type Rule struct {
	ID   ID
	Name string

	// Wrong is what goes wrong without the rule, in the scenario Scenario. For a
	// courtesy it is nothing, where one would look for it first.
	Wrong    Wrong
	Scenario string

	// Why says of a courtesy, without which nothing goes wrong, what it is good
	// for.
	Why string

	// Where says what carries the rule out.
	Where []Place
}

// Place is a function of a package of the module ("Type.Method" for a method),
// or, where Path is a file, a line of that.
type Place struct{ Path, Name string }

// set is a set of rules.
type set uint64

func setOf(ids []ID) (s set) {
	for _, id := range ids {
		s |= 1 << id
	}
	return s
}

// all returns the rules of a set.
func (s set) all() (rules []Rule) {
	for ; s != 0; s &= s - 1 {
		id := ID(bits.TrailingZeros64(uint64(s)))
		for _, r := range rulebook {
			if r.ID == id {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

// Rules returns all rules, courtesies last.
func Rules() []Rule { return slices.Clone(rulebook) }

// String returns the rule's name.
func (r Rule) String() string { return fmt.Sprintf("%q", r.Name) }
