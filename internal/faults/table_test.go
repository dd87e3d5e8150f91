package faults_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// places are tests, each as its file, below the module's root, and its function, or
// the name of a rule in a conformance kit.
type places []string

// tested says where each case of the list of faults is tested that has to do with
// ends of sessions: 1 to 36, 54 to 62, 65 to 68, 73 and 74. The others are tests of
// the wire, of browsers and of input, and benchmarks.
var tested = map[int]places{
	1:  {"internal/faults/logout_test.go TestD01_aLogoutReachesAllSocketsOnBothNodes"},
	2:  {"internal/faults/upgrade_test.go TestD02_aLogoutDuringTheUpgradeIsNeverMissed", "internal/faults/upgrade_test.go TestD02_aLogoutAtAThousandMomentsOfTheUpgrade"},
	3:  {"internal/faults/upgrade_test.go TestD03_anEndIsNotOverwrittenByALoadInFlight"},
	4:  {"internal/faults/save_test.go TestD04_aSaveNeverBringsASessionBack", "internal/cases/faults_test.go TestD24_twoSocketsWithTheSameKeyKeepOneOfTheTwo"},
	5:  {"internal/faults/cut_test.go TestD05_aCutInALogoutEndsAllOrNothing", "internal/faults/crash_test.go TestD05_aCrashInALogoutEndsAllOrNothing"},
	6:  {"internal/faults/subscription_test.go TestD06_noZombiesWhenSubscriptionsAreKilledDuringLogouts", "hub/redisbroker/faults_test.go TestHub_noZombiesInAStormOfKills"},
	7:  {"internal/faults/outage_test.go TestD07_redisIsKilledAndComesBack", "e2e/outage_test.go TestOutage"},
	8:  {"internal/faults/outage_test.go TestD08_redisHangs", "hub/redisbroker/faults_test.go TestHub_hungServer"},
	9:  {"internal/faults/network_test.go TestD09_aBlackHoleBothWaysIsAGap", "hub/redisbroker/faults_test.go TestHub_blackHoleIsFoundAndTheLostEndApplied"},
	10: {"internal/faults/network_test.go TestD10_aBlackHoleFromTheServerIsAGap"},
	11: {"internal/faults/network_test.go TestD11_latencyIsNoGap", "hub/redisbroker/faults_test.go TestHub_latencyIsNoGap"},
	12: {"internal/faults/failover_test.go TestD12_whatAFailoverBroughtBackIsEndedAgain", "internal/faults/replicas_test.go TestD12_anEndThatNoReplicaHasIsOwed", "session/repeat_test.go TestRecover_repeatsWhatANewServerLacks", "session/redisstore/topology_test.go TestStore_sentinelFailover", "session/redisstore/faults_test.go TestStore_waitsForReplicas"},
	13: {"session/redisstore/probe_test.go TestProbe_warnings"},
	14: {"session/redisstore/topology_test.go TestStore_cluster", "session/redisstore/topology_test.go TestStore_clusterSlotMoves", "hub/redisbroker/topology_test.go TestBroker_clusterSlotsMove"},
	15: {"session/redisstore/faults_test.go TestStore_scriptFlushUnderLoad", "session/redisstore/group_test.go TestGroup_scriptFlushUnderLoad"},
	16: {"session/redisstore/faults_test.go TestStore_lostReplyIsNoSecondTime", "session/redisstore/group_test.go TestGroup_lostRepliesAreNoSecondTime"},
	17: {"internal/faults/outage_test.go TestD17_thousandCallersOfAHungPool"},
	18: {"session/redisstore/faults_test.go TestStore_outOfMemoryStopsSavesAndNothingElse"},
	19: {"session/redisstore/faults_test.go TestStore_replicaIsUnavailable"},
	20: {"session/redisstore/faults_test.go TestStore_refusedUserIsUnavailableAndNothingIsToldOfPasswords", "session/redisstore/probe_test.go TestProbe_namesTheMissingRights"},
	21: {"hub/lookup_test.go TestNotice_garbageRevalidatesAtMostOnceASecond", "hub/redisbroker/faults_test.go TestHub_unreadableNoticesOverRedis", "internal/notice/notice_test.go FuzzParse"},
	22: {"hub/end_test.go TestNotice_duplicatesAndOldOnesSpareNewerSockets"},
	23: {"internal/cases/faults_test.go TestD23_twoSocketsWithDifferentKeysKeepBoth"},
	24: {"internal/cases/faults_test.go TestD24_twoSocketsWithTheSameKeyKeepOneOfTheTwo"},
	25: {"internal/cases/faults_test.go TestD25_linearizableWhileRepliesAreLost"},
	26: {"internal/cases/faults_test.go TestD26_stateMachine", "session/redisstore/conformance_test.go TestStore"},
	27: {"internal/protomodel/protomodel_test.go TestD27_theProtocolHoldsInEveryScenario", "internal/protomodel/protomodel_test.go TestD27_theCounterexamplesOfAllRules"},
	28: {"internal/cases/faults_time_test.go TestD28_idleTimeoutEndsASocketThatOnlyPings"},
	29: {"internal/cases/faults_time_test.go TestD29_lifetimeEndsASocketThatIsActiveAllDay"},
	30: {"internal/cases/faults_time_test.go TestD30_anotherTabSlidesTheSession"},
	31: {"internal/cases/faults_end_test.go TestD31_fixation"},
	32: {"internal/cases/faults_time_test.go TestD32_thePreviousSecretIsGoodForItsGrace", "internal/cases/faults_time_test.go TestD32_aRenewalClosesNoSocket"},
	33: {"internal/cases/faults_end_test.go TestD33_aLogoutOfTheParentEndsTheFamily"},
	34: {"internal/cases/faults_end_test.go TestD34_aLogoutOfTheChatLeavesMain"},
	35: {"internal/cases/faults_end_test.go TestD35_aDisabledUserIsOutEverywhere"},
	36: {"internal/cases/faults_end_test.go TestD36_theSessionLimitIsKept"},
	54: {"internal/faults/peers_test.go TestD54_aSlowConsumerIsEndedAlone", "transport/wire_test.go TestWriter_stuckPeerIsEndedAlone"},
	55: {"internal/faults/logout_test.go TestD55_silentPeersAreGoneWithinASecondOfAMassLogout", "internal/faults/logout_test.go TestD55_aThousandSilentPeersAreGoneIn300Milliseconds", "hub/end_test.go TestClose_twoThousandBlockingPeersEndInParallel"},
	56: {"internal/faults/peers_test.go TestD56_floodersAreEndedAndOthersGoOn"},
	57: {"internal/faults/peers_test.go TestD57_aPanicEndsOneSocket", "transport/socket_test.go TestSocket_panicClosesOneSocket"},
	58: {"internal/faults/bombs_test.go TestD58_jsonBombs", "internal/faults/bombs_test.go FuzzD58_values"},
	59: {"internal/faults/peers_test.go TestD59_limitsOfSessionAndAddress", "transport/upgrade_test.go TestUpgrade_limitOfBounces"},
	60: {"internal/faults/restart_test.go TestD60_shutdownOfManySockets", "e2e/drain_test.go TestDrain"},
	61: {"internal/faults/restart_test.go TestD61_rollingRestartLosesNothing"},
	62: {"internal/faults/churn_test.go TestD62_churnLeavesNothing", "hub/end_test.go TestRegistry_survivesChurn"},
	65: {"internal/faults/revalidation_test.go TestD65_revalidationFindsWhatEndedUnheard", "hub/lookup_test.go TestRevalidation_asksInBatchesByRoot"},
	66: {"internal/faults/clock_test.go TestD66_expiryFollowsTheTimeOfRedis", "hub/pulse_test.go TestFresh_looksAtTheClock"},
	67: {"internal/faults/tree_test.go TestD67_everyPackageLooksForLeaks"},
	68: {"internal/faults/tree_test.go TestD68_testsRunUnderTheRaceDetector"},
	73: {"session/redisstore/rights_test.go TestRights_areEnoughAndNoneTooMany", "session/redisstore/topology_test.go TestStore_tlsAndLeastRights"},
	74: {"hub/versions_test.go TestVersions_nextNodeBesideThisOne"},
}

// closed says which tests fail if a race between an end of a session and something
// else is open again.
var closed = map[int]struct {
	window string
	by     places
}{
	1: {"a logout between the load of an upgrade and its registration", places{
		"internal/faults/upgrade_test.go TestD02_aLogoutDuringTheUpgradeIsNeverMissed", "hub/end_test.go TestRegister_endsBeforeLiveAreNotMissed"}},
	2: {"the reply to a load in flight overwrites the mark", places{
		"internal/faults/upgrade_test.go TestD03_anEndIsNotOverwrittenByALoadInFlight", "hub/end_test.go TestMark_isNeverOverwritten"}},
	3: {"a save races with the deletion", places{
		"internal/faults/save_test.go TestD04_aSaveNeverBringsASessionBack", "session/sessiontest/save.go Ended"}},
	4: {"a node dies between the deletion and its publication", places{
		"internal/faults/cut_test.go TestD05_aCutInALogoutEndsAllOrNothing"}},
	5: {"a notice is lost while the connection is down", places{
		"internal/faults/subscription_test.go TestD06_noZombiesWhenSubscriptionsAreKilledDuringLogouts"}},
	6: {"a connection that is silent", places{
		"internal/faults/network_test.go TestD09_aBlackHoleBothWaysIsAGap", "internal/faults/network_test.go TestD10_aBlackHoleFromTheServerIsAGap"}},
	7: {"a revalidation before the subscription is acknowledged", places{
		"hub/lookup_test.go TestGap_revalidationWithoutSubscriptionProvesNothing", "hub/lookup_test.go TestGap_secondGapDuringRevalidationNeedsAnother"}},
	8: {"the secret changes while sockets are open", places{
		"internal/cases/faults_time_test.go TestD32_aRenewalClosesNoSocket", "session/cycle_test.go TestCycle_newSecretSameIDAndAllElseStays", "session/sessiontest/renew.go Renewed"}},
	9: {"a socket from before a login gains the login", places{
		"internal/cases/faults_end_test.go TestD31_fixation", "transport/end_test.go TestLogin_closesOlderSockets"}},
	10: {"a session expires, or another tab keeps it, while sockets are open", places{
		"internal/cases/faults_time_test.go TestD28_idleTimeoutEndsASocketThatOnlyPings", "internal/cases/faults_time_test.go TestD30_anotherTabSlidesTheSession"}},
	11: {"Redis is down during a logout", places{
		"internal/faults/outage_test.go TestD07_redisIsKilledAndComesBack", "session/owed_test.go TestOwed_aLogoutThatTheStoreDoesNotTakeHoldsHereAndFollows"}},
	12: {"a failover or a restart undoes a deletion", places{
		"internal/faults/failover_test.go TestD12_whatAFailoverBroughtBackIsEndedAgain", "internal/faults/replicas_test.go TestD12_anEndThatNoReplicaHasIsOwed",
		"session/redisstore/faults_test.go TestStore_waitsForReplicas", "session/redisstore/topology_test.go TestStore_clusterWaitsForAReplicaThatLags"}},
	13: {"a logout of the root while a namespace below it begins", places{
		"internal/faults/save_test.go TestD04_aSaveNeverBringsASessionBack", "internal/cases/faults_end_test.go TestD33_aLogoutOfTheParentEndsTheFamily"}},
	14: {"more notices than a queue holds", places{
		"internal/faults/subscription_test.go TestW14_noNoticeOfManyIsDropped", "hub/memory_test.go TestMemoryBroker_fullQueueRefusesPublicationsButTakesNotices"}},
	15: {"the last socket of a session leaves while another comes", places{
		"hub/end_test.go TestRegistry_removeDuringAdmitLeavesNothing", "hub/end_test.go TestRegistry_survivesChurn"}},
	16: {"a peer that is silent delays the closing of the others", places{
		"internal/faults/logout_test.go TestD55_silentPeersAreGoneWithinASecondOfAMassLogout", "hub/end_test.go TestClose_twoThousandBlockingPeersEndInParallel"}},
	17: {"a message was read and is not dispatched yet", places{
		"internal/faults/save_test.go TestD04_aSaveNeverBringsASessionBack", "transport/logout_test.go TestLogout_markStopsSaves"}},
	18: {"a WAIT on another connection of the pool", places{
		"session/redisstore/faults_test.go TestStore_waitsForReplicas"}},
	19: {"a login in progress while all sessions of its user end", places{
		"session/sessiontest/index.go RaiseRacesCreate", "session/sessiontest/index.go RaiseRacesLogin", "session/memstore/index_test.go TestStore_raiseMissesNoLogin"}},
	20: {"a message in flight brings a namespace back", places{
		"session/sessiontest/save.go NamespaceEnded", "session/hold_test.go TestHold_aNamespaceThatBeganAnewStaysLostForOpenConnections"}},
	21: {"a late answer clears the cookie of the login that overtook it", places{
		"web/middleware_test.go TestA70_aLateAnswerDoesNotOverwriteTheCookieOfALogin", "web/middleware_test.go TestUnfitSecretLeavesTheCookieAlone"}},
	22: {"the notice of a login overtakes its response", places{
		"internal/cases/faults_end_test.go TestD31_fixation", "session/sessiontest/login.go Grace"}},
	23: {"a save that is retried counts twice", places{
		"session/redisstore/faults_test.go TestStore_lostReplyIsNoSecondTime", "session/sessiontest/save.go Retry"}},
	24: {"the client leaves, and half a logout runs", places{
		"session/end_test.go TestW24_aLogoutWhoseClientLeavesIsWhole"}},
}

func TestCases_areTested(t *testing.T) {
	var want []int
	for _, part := range [][2]int{{1, 36}, {54, 62}, {65, 68}, {73, 74}} {
		for n := part[0]; n <= part[1]; n++ {
			want = append(want, n)
		}
	}
	for _, n := range want {
		if len(tested[n]) == 0 {
			t.Errorf("no test is named for D%d", n)
		}
		tested[n].exist(t, "D"+strconv.Itoa(n))
	}
	if len(tested) != len(want) {
		t.Errorf("%d numbers have tests, want %d", len(tested), len(want))
	}
}

func TestWindows_areClosed(t *testing.T) {
	for n := 1; n <= 24; n++ {
		w := closed[n]
		if w.window == "" || len(w.by) == 0 {
			t.Errorf("no test is named for W%d", n)
		}
		w.by.exist(t, "W"+strconv.Itoa(n))
	}
	if len(closed) != 24 {
		t.Errorf("%d windows, want 24", len(closed))
	}
}

// exist fails for those that are not in the tree.
func (p places) exist(t *testing.T, what string) {
	t.Helper()
	for _, place := range p {
		file, name, _ := strings.Cut(place, " ")
		if !slices.Contains(names(t, file), name) {
			t.Errorf("%s: %s has no %s", what, file, name)
		}
	}
}

// names returns the functions of a file below the module's root, and, of a kit's,
// the texts in it.
func names(t *testing.T, file string) (all []string) {
	t.Helper()
	// Whatever its build constraints.
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", filepath.FromSlash(file)), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return nil
	}
	kit := !strings.HasSuffix(file, "_test.go")
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil {
				all = append(all, n.Name.Name)
			}
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); kit && err == nil {
				all = append(all, text)
			}
		}
		return true
	})
	return all
}
