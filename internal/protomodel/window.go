package protomodel

import "slices"

// Window is a moment at which a session's end can be missed, and how it is closed.
type Window struct {
	Number    int
	What      string
	Scenarios []string // that go through it
	Rules     []ID     // that close it
}

// Windows returns all windows that are known.
func Windows() []Window { return slices.Clone(windows) }

var windows = []Window{
	{Number: 1, What: "an end between the load of an upgrade and its registration",
		Scenarios: []string{"logout", "gaps"}, Rules: []ID{registerFirst, loadFromStore}},
	{Number: 2, What: "the answer to a load overwrites the mark",
		Scenarios: []string{"logout", "login", "namespace"}, Rules: []ID{markStays, boundStays, generationStays}},
	{Number: 3, What: "a save races the deletion",
		Scenarios: []string{"logout", "logout here"}, Rules: []ID{saveCreatesNothing, saveThenSend}},
	{Number: 4, What: "the node dies between deletion and notice",
		Scenarios: []string{"logout"}, Rules: []ID{oneScript}},
	{Number: 5, What: "a notice is lost while the subscription is down",
		Scenarios: []string{"gaps", "gap here", "outage in a gap"}, Rules: []ID{unexpectedIsGap, revalidateFirst, lookUpPending, sameSubscription, failedProvesNothing}},
	{Number: 6, What: "the subscription is silent",
		Scenarios: []string{"gaps", "pause", "alone for good"}, Rules: []ID{heartbeat, askClock, staleCloses}},
	{Number: 7, What: "everything is looked up before the subscription is acknowledged",
		Scenarios: []string{"gaps"}, Rules: []ID{subscribeFirst}},
	{Number: 8, What: "a secret is renewed by copying and deleting",
		Scenarios: []string{"renewal", "login"}, Rules: []ID{renewInPlace, loginEnds}},
	{Number: 9, What: "a connection from before the login gains the login",
		Scenarios: []string{"login"}, Rules: []ID{loginEnds, boundsOnly, saveComparesEpoch}},
	{Number: 10, What: "a session expires, or is slid by another tab, while connections are open",
		Scenarios: []string{"expiry", "earlier expiry"}, Rules: []ID{expiryTimer, expiryAsks, periodic}},
	{Number: 11, What: "the store is down during a logout",
		Scenarios: []string{"outage", "outage here", "outage for good"}, Rules: []ID{closeAnyway, deny, denyFirst, retry}},
	{Number: 12, What: "a failover undoes the deletion",
		Scenarios: []string{"failover", "failover here", "failover unseen", "failover in an outage", "replicas"}, Rules: []ID{repeat, repeatFirst, noteLast, gapStays, runAgain, waitThere}},
	{Number: 13, What: "a child namespace begins while its root ends",
		// A message's save is the one that begins the child: it is refused as any other.
		Scenarios: []string{"logout"}, Rules: []ID{saveCreatesNothing}},
	{Number: 14, What: "a queue is full, and the notice is dropped",
		Scenarios: []string{"logout"}, Rules: []ID{receiverMarks}},
	{Number: 15, What: "the registry forgets a session while another connection of it comes",
		Scenarios: []string{"two tabs"}, Rules: []ID{removeLocked}},
	{Number: 16, What: "a peer that does not answer its close frame delays the others",
		Scenarios: []string{"silent neighbour"}, Rules: []ID{markFirst}},
	{Number: 17, What: "a message was read, and not dispatched, when the mark comes",
		Scenarios: []string{"logout", "logout here"}, Rules: []ID{lookBeforeHandling, lookBeforeSending}},
	{Number: 18, What: "WAIT goes to another connection than the deletion",
		Scenarios: []string{"replicas"}, Rules: []ID{waitThere}},
	{Number: 19, What: "a login in progress is missed by the end of all sessions of its user",
		Scenarios: []string{"all of a user"}, Rules: []ID{readTwice, raiseFirst, listFirst}},
	{Number: 20, What: "a message under way begins a namespace anew that has ended",
		Scenarios: []string{"namespace"}, Rules: []ID{saveComparesGeneration, topicsGo}},
	{Number: 21, What: "a late response to a request with the previous cookie clears the cookie of the login",
		Scenarios: []string{"cookies"}, Rules: []ID{clearUnknown}},
	{Number: 22, What: "the notice of a login overtakes the login's response",
		Scenarios: []string{"cookies"}, Rules: []ID{recognisePrevious}},
	{Number: 23, What: "a save that is sent again counts twice",
		Scenarios: []string{"sent again"}, Rules: []ID{opID}},
	{Number: 24, What: "the client leaves in the midst of its logout",
		Scenarios: []string{"logout here"}, Rules: []ID{ownContext}},
}
